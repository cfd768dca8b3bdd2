"""The kernels that compute a training on a CPU, and the precision of their products."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.kernels.library import use_bfloat16, version
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.runtime.device import NO_KERNELS, Machine
from mindcv_shufflenet.runtime.processor import processor


def find_kernels(config: Config, machine: Machine) -> tuple[Machine, list[str]]:
    """Return the machine with the version of the kernels that compute the training, and lines about them.

    Raises:
        UserError: ``cpu_precision`` is not possible here.
    """
    notes = []
    is_cpu, is_float32 = machine.device == "CPU", config.amp_level == "O0"
    used = version() if is_cpu and is_float32 else NO_KERNELS
    if is_cpu and not is_float32:
        notes.append(f"amp_level={config.amp_level}: MindSpore's own operators compute it; the kernels are for float32")
    if config.cpu_precision == "bf16":
        _check_bfloat16(machine.device, used)
        notes.append(
            "cpu_precision=bf16: 1x1 convolutions multiply numbers rounded to bfloat16 (8 significant bits) and add"
            " them in float32"
        )
    return replace(machine, kernels=used), notes


def _check_bfloat16(device: str, kernels: str) -> None:
    """Refuse products of bfloat16 where nothing computes them.

    Raises:
        UserError: the device is no CPU, there are no kernels, or the processor has no AMX.
    """
    if device != "CPU":
        reason = f"is for a CPU, and this is {device}"
    elif kernels == NO_KERNELS:
        reason = "needs kernels, and there are none here, as a note says"
    else:
        with products_in("bf16") as is_used:
            if is_used:
                return
        reason = f"needs a processor with AMX, and {processor().name} has none"
    raise UserError(f"cpu_precision=bf16 {reason}: give --cpu_precision fp32")


@contextmanager
def products_in(precision: str) -> Iterator[bool]:
    """Compute the products of 1x1 convolutions in a precision, and in float32 again on exit; yield whether they are."""
    if precision == "fp32":
        yield True
        return
    try:
        yield use_bfloat16(True)
    finally:
        use_bfloat16(False)
