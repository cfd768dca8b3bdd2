"""The machine: device, execution mode, cores, and the ranks of a launcher."""

import os
from dataclasses import asdict, dataclass
from typing import Any

import mindspore as ms

from mindcv_shufflenet.config import Config
from mindcv_shufflenet.errors import UserError

# Variables in which the launchers tell how many ranks there are: Open MPI, MindSpore's msrun.
_WORLD_SIZE = ("OMPI_COMM_WORLD_SIZE", "MS_WORKER_NUM")


@dataclass(frozen=True)
class Machine:
    """What a run's figures depend on beside its options.

    Attributes:
        device: ``Ascend``, ``GPU`` or ``CPU``.
        cores: cores that this process may run on (its affinity; a container's quota is not looked at).
        workers: threads that prepare images.
        mindspore: version.
    """

    device: str
    cores: int
    workers: int
    mindspore: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for a training state."""
        return asdict(self)


def init(config: Config) -> tuple[Machine, list[str]]:
    """Set up MindSpore for one process.

    Returns:
        The machine, and a line for each option that had to be adapted to it.

    Raises:
        UserError: a device that is not there, or a launch of several ranks.
    """
    for name in _WORLD_SIZE:
        if os.environ.get(name, "").isdigit() and int(os.environ[name]) > 1:
            raise UserError("training on several ranks is not built yet; start one process without mpirun or msrun")
    device = _choose_device(config.device_target)
    ms.set_context(mode=ms.GRAPH_MODE if config.mode == 0 else ms.PYNATIVE_MODE)
    ms.set_device(device)
    ms.set_seed(config.seed)
    cores = len(os.sched_getaffinity(0))
    workers = min(config.num_parallel_workers or cores, cores)
    notes = []
    if config.num_parallel_workers and config.num_parallel_workers > cores:
        notes.append(f"num_parallel_workers={config.num_parallel_workers}: {cores} used, as many as there are cores")
    if config.dataset_sink_mode is True:
        notes.append("dataset_sink_mode=True: batches are fed from the host instead; the result is the same")
    if config.distribute:
        notes.append("distribute=True without a launcher: one rank runs, so the global batch is one rank's batch_size")
    return Machine(device, cores, workers, ms.__version__), notes


def _choose_device(wanted: str) -> str:
    for device in ("Ascend", "GPU", "CPU") if wanted == "auto" else (wanted,):
        if device == "CPU" or ms.hal.is_available(device):
            return device
    raise UserError(f"device_target={wanted}: no such device here; use --device_target CPU or auto")
