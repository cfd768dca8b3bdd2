"""What the launchers write into the environment."""

import pytest

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.parallel.world import World, find_world, is_scheduler

MPIRUN = {"OMPI_COMM_WORLD_RANK": "5", "OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_LOCAL_RANK": "1"}
MSRUN = {"MS_ROLE": "MS_WORKER", "MS_NODE_ID": "2", "MS_WORKER_NUM": "4", "DEVICE_ID": "0"}


@pytest.mark.parametrize(
    ("environment", "world"),
    [
        ({}, World(0, 1, 0, "")),
        (MPIRUN, World(5, 8, 1, "mpirun")),
        (MSRUN, World(2, 4, 0, "msrun")),
        (MPIRUN | MSRUN, World(2, 4, 0, "msrun")),
    ],
)
def test_the_place_of_a_process(environment: dict[str, str], world: World) -> None:
    assert find_world(environment) == world


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        (MPIRUN | {"OMPI_COMM_WORLD_RANK": "8"}, "do not agree: OMPI_COMM_WORLD_RANK=8, OMPI_COMM_WORLD_SIZE=8"),
        (MPIRUN | {"OMPI_COMM_WORLD_SIZE": "two"}, "OMPI_COMM_WORLD_SIZE='two'"),
        ({"OMPI_COMM_WORLD_RANK": "0"}, "OMPI_COMM_WORLD_SIZE=''"),
        ({"OMPI_COMM_WORLD_SIZE": "0", "OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_LOCAL_RANK": "0"}, "do not agree"),
        (MSRUN | {"MS_NODE_ID": ""}, "give msrun --node_rank"),
    ],
)
def test_a_wrong_environment_is_told(environment: dict[str, str], told: str) -> None:
    with pytest.raises(UserError, match=told):
        find_world(environment)


def test_msruns_scheduler_is_known() -> None:
    assert is_scheduler({"MS_ROLE": "MS_SCHED"})
    assert not is_scheduler(MSRUN)
