"""The world of a process: its rank and the number of ranks, as the launcher tells them in the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from mindcv_shufflenet.errors import UserError

MPIRUN = "mpirun"
MSRUN = "msrun"


@dataclass(frozen=True)
class World:
    """The place of a process among the ranks of a job.

    Attributes:
        rank: number of this process, from 0.
        size: how many ranks there are.
        local_rank: number of this process among those of its host.
        launcher: ``mpirun``, ``msrun``, or empty for a process without a launcher.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    launcher: str = ""


def find_world(environment: Mapping[str, str] = os.environ) -> World:
    """Read the variables of Open MPI's ``mpirun`` or of MindSpore's ``msrun``.

    Raises:
        UserError: some of them are missing, or they contradict each other.
    """
    if environment.get("MS_ROLE") == "MS_WORKER":
        names = ("MS_NODE_ID", "MS_WORKER_NUM", "DEVICE_ID")
        return _read(environment, MSRUN, names, "give msrun --node_rank on every host")
    if "OMPI_COMM_WORLD_SIZE" in environment or "OMPI_COMM_WORLD_RANK" in environment:
        names = ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK")
        return _read(environment, MPIRUN, names, "start with mpirun -n N, or unset the OMPI_ variables")
    return World()


def is_scheduler(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this process is the scheduler that ``msrun`` starts beside the workers."""
    return environment.get("MS_ROLE") == "MS_SCHED"


def _read(environment: Mapping[str, str], launcher: str, names: tuple[str, str, str], advice: str) -> World:
    """Build a world from the variables for rank, size and local rank."""
    values = []
    for name in names:
        text = environment.get(name, "")
        if not text.isascii() or not text.isdigit():
            raise UserError(f"{launcher} has left {name}={text!r} in the environment, which is no number; {advice}")
        values.append(int(text))
    rank, size, local_rank = values
    if not (rank < size and local_rank < size):
        told = ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
        raise UserError(f"the variables of {launcher} do not agree: {told}; {advice}")
    return World(rank, size, local_rank, launcher)
