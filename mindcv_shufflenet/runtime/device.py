"""The machine that a command runs on: its device and its cores."""

import logging
from dataclasses import dataclass

import mindspore as ms

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.lines import counted

# The version of no kernels.
NO_KERNELS = "off"


@dataclass(frozen=True)
class Machine:
    """What a run's figures depend on beside its options.

    Attributes:
        device: ``Ascend``, ``GPU`` or ``CPU``.
        cores: cores that this process may run on (its affinity; a container's quota is not looked at).
        workers: threads that prepare images.
        mindspore: version.
        ranks: processes that train together.
        kernels: version of the kernels that compute a training; ``NO_KERNELS``: MindSpore's own operators do; None:
            not known, as in states of an earlier version.
    """

    device: str
    cores: int
    workers: int
    mindspore: str
    ranks: int = 1
    kernels: str | None = None

    def __str__(self) -> str:
        ranks = f"{self.ranks} ranks, each " if self.ranks > 1 else ""
        kernels = "" if self.kernels in (None, NO_KERNELS) else " and own kernels"
        return f"{ranks}on {self.device} with {counted(self.cores, 'core')}{kernels}"


def choose_device(wanted: str) -> str:
    """Return the device to run on; ``auto`` is the first of Ascend, GPU and CPU that is there.

    Raises:
        UserError: the wanted device is not there.
    """
    for device in ("Ascend", "GPU", "CPU") if wanted == "auto" else (wanted,):
        if device == "CPU" or _is_available(device):
            return device
    raise UserError(f"device_target={wanted}: no such device here; use --device_target CPU or auto")


def use_device(device: str, *number: int) -> None:
    """Make MindSpore compute on a device.

    Args:
        device: ``Ascend``, ``GPU`` or ``CPU``.
        number: of the device, where there are several; none: MindSpore's choice.

    Raises:
        UserError: MindSpore has computed on another device before, and cannot change it.
    """
    running = ms.get_context("device_target")
    try:
        ms.set_device(device, *number)
    except RuntimeError as error:  # something was computed before, as in a notebook
        if running != device or number:
            raise UserError(
                f"MindSpore has computed on {running} in this process, which fixes the device: start Python anew, or"
                f" give device_target={running}"
            ) from error


def _is_available(device: str) -> bool:
    """Whether a device is there, without the pages that MindSpore logs where it is not."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        return ms.hal.is_available(device)
    finally:
        logging.disable(before)
