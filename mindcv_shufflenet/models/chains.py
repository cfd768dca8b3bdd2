"""Cells that follow one another: the parts that a network is run by."""

from mindspore import Tensor, nn

# Cells of which each reads the output of the one before it.
Chain = tuple[nn.Cell, ...]


def run(chain: Chain, x: Tensor) -> Tensor:
    """Return the output of the last cell of a chain."""
    for cell in chain:
        x = cell(x)
    return x


def run_stages(stages: tuple[Chain, ...], x: Tensor, paths: tuple[Tensor, ...] = ()) -> tuple[Tensor, ...]:
    """Return the output of each of several chains that follow one another.

    Args:
        stages: the chains.
        x: input of the first one.
        paths: what each block with a shortcut takes beside its input; empty: such blocks take nothing else.
    """
    maps: tuple[Tensor, ...] = ()
    shortcut = 0
    for chain in stages:
        for cell in chain:
            if paths and getattr(cell, "is_residual", False):
                x = cell(x, paths[shortcut])
                shortcut += 1
            else:
                x = cell(x)
        maps += (x,)
    return maps
