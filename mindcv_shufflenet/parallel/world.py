"""What a launcher has written into the environment: which of how many ranks this process is."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from mindcv_shufflenet.errors import UserError

MPIRUN = "mpirun"
MSRUN = "msrun"


@dataclass(frozen=True)
class World:
    """One process's place among the ranks of a job.

    Attributes:
        rank: number of this process, from 0.
        size: how many ranks there are.
        local_rank: number of this process among those of its host.
        launcher: ``mpirun``, ``msrun``, or nothing for a process that was started by itself.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    launcher: str = ""


def find_world(environment: Mapping[str, str] = os.environ) -> World:
    """Read the variables of Open MPI's ``mpirun`` or of MindSpore's ``msrun``.

    Raises:
        UserError: they are there in part, or do not agree.
    """
    if environment.get("MS_ROLE") == "MS_WORKER":
        names = ("MS_NODE_ID", "MS_WORKER_NUM", "DEVICE_ID")
        return _read(environment, MSRUN, names, "give msrun --node_rank on every host")
    if "OMPI_COMM_WORLD_SIZE" in environment or "OMPI_COMM_WORLD_RANK" in environment:
        names = ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK")
        return _read(environment, MPIRUN, names, "start with mpirun -n N, or unset the OMPI_ variables")
    return World()


def is_scheduler(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this process is the one beside the workers that ``msrun`` starts to introduce them to each other."""
    return environment.get("MS_ROLE") == "MS_SCHED"


def _read(environment: Mapping[str, str], launcher: str, names: tuple[str, str, str], advice: str) -> World:
    """Build a world of the variables for rank, size and local rank."""
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
