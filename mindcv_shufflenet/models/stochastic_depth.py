"""Stochastic depth: training leaves residual branches out at random.

Source: Huang et al. 2016, "Deep Networks with Stochastic Depth", arXiv:1603.09382, section 3. Three things are timm's
and not the paper's: a branch is left out for each image and not for the whole batch; a kept branch is multiplied by
1 / (1 - rate) in training, instead of every branch by 1 - rate in inference; and the rate is 0 in the first block.
"""

from collections.abc import Sequence

import mindspore as ms
from mindspore import Tensor, nn, ops


class ResidualBlock(nn.Cell):
    """The base of blocks of which some add a shortcut to a branch.

    A block that does takes ``path`` beside its input: a factor of the branch of each image ``[N, 1]``, or None.

    Attributes:
        is_residual: whether this block does.
        computed: cells that compute the block, or its main branch, in fewer steps (``fusion.py``); empty: none do.
    """

    is_residual = False
    computed: tuple[nn.Cell, ...] = ()


def add_branch(shortcut: Tensor, branch: Tensor, path: Tensor | None) -> Tensor:
    """Return the sum of two maps ``[N, C, H, W]``, the branch scaled by ``path [N, 1]`` unless that is None."""
    if path is not None:
        branch = branch * ops.reshape(ops.cast(path, branch.dtype), (-1, 1, 1, 1))
    return shortcut + branch


def branch_rates(blocks: Sequence[ResidualBlock], rate: float) -> tuple[float, ...]:
    """Return the share of images whose branch is left out, of each block that has a shortcut.

    It grows linearly from 0 in the first block to ``rate`` in the last one. Blocks without a shortcut count too, as in
    timm.
    """
    last = max(1, len(blocks) - 1)
    return tuple(rate * position / last for position, block in enumerate(blocks) if block.is_residual)


class DrawPaths(nn.Cell):
    """Draws the factors of the branches while training: 0, or 1 / (1 - rate).

    Args:
        rates: of each branch.

    Inputs: a batch ``[N, ...]``. Outputs: a factor of each image ``[N, 1] float32`` for each branch; none in inference.
    """

    def __init__(self, rates: Sequence[float] = ()) -> None:
        super().__init__()
        self.draws = nn.CellList([nn.Dropout(p=rate) for rate in rates])

    def construct(self, x: Tensor) -> tuple[Tensor, ...]:
        paths: tuple[Tensor, ...] = ()
        if self.training:
            ones = ops.ones((x.shape[0], 1), ms.float32)
            for draw in self.draws:
                paths += (draw(ones),)
        return paths
