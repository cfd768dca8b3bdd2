"""Mixed precision: which cells compute in float16."""

from collections.abc import Sequence

import mindspore as ms
from mindspore import nn

from mindcv_shufflenet.errors import UserError, nearest

# What computes in float16 at O1: the convolutions and dense layers of MindSpore's own list.
_IN_FLOAT16 = (
    nn.Dense,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.Conv1dTranspose,
    nn.Conv2dTranspose,
    nn.Conv3dTranspose,
)


def mixed_precision(network: nn.Cell, level: str, cast_list: Sequence[str] | None = None) -> nn.Cell:
    """Return the network computing in mixed precision.

    MindSpore's own O1 rewrites the network's source, and fails on the concatenations of these networks.

    Args:
        network: changed in place.
        level: ``O0``: float32; ``O1``: float16 in convolutions and dense layers; ``O2``: float16 but in norms; ``O3``:
            float16. A cell whose class sets ``keeps_float32`` computes in float32 at every level.
        cast_list: names of MindSpore's cells, in the place of those that O1 computes in float16, and of those that O2
            computes in float32.

    Raises:
        UserError: MindSpore has no such cell.
    """
    if level == "O0":
        return network
    named = tuple(cell_class(name) for name in cast_list or ())
    if level == "O1":
        _cast_cells(network, named or _IN_FLOAT16)
    elif level == "O2" and named:
        network = ms.amp.custom_mixed_precision(network, black_list=[*named])
    else:
        network = ms.amp.auto_mixed_precision(network, level)
    for _, cell in network.cells_and_names():
        if getattr(cell, "keeps_float32", False):
            cell.to_float(ms.float32)
    return network


def cell_class(name: str) -> type[nn.Cell]:
    """Return the class of a cell by MindSpore's name of it: ``Conv2d`` or ``nn.Conv2d``.

    Raises:
        UserError: MindSpore has no such cell; the nearest name is given.
    """
    found = getattr(nn, name.removeprefix("nn."), None)
    if not (isinstance(found, type) and issubclass(found, nn.Cell)):
        cells = [known for known in dir(nn) if isinstance(getattr(nn, known), type)]
        raise UserError(
            f"amp_cast_list: MindSpore has no cell {name}{nearest(name.removeprefix('nn.'), cells)}; give names such as"
            " Conv2d or Dense"
        )
    return found


def _cast_cells(network: nn.Cell, in_float16: tuple[type[nn.Cell], ...]) -> None:
    """Let the cells of some classes compute in float16, and all other cells without cells of their own in float32."""
    for _, cell in network.cells_and_names():
        if isinstance(cell, in_float16):
            cell.to_float(ms.float16)
        elif not cell.name_cells():
            cell.to_float(ms.float32)
