"""How ranks share the cores of a host."""

import pytest

from mindcv_shufflenet.runtime.cores import core_shares


@pytest.mark.parametrize(
    ("cores", "ranks", "shares"),
    [
        ([0, 1], 2, [[0], [1]]),
        ([0, 1, 2, 3, 8], 2, [[0, 1], [2, 3]]),
        ([4, 6], 3, [[4], [6], [4]]),
        ([0, 1, 2], 1, [[0, 1, 2]]),
    ],
)
def test_cores_are_shared_out_in_order(cores: list[int], ranks: int, shares: list[list[int]]) -> None:
    assert core_shares(cores, ranks) == shares
