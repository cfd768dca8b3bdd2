"""Which consecutive cells of a network one kernel computes on the CPU.

A network is built of MindSpore's cells. :func:`fuse` looks for groups of them in its stages, blocks and sequences, and
lets a cell of :mod:`mindcv_shufflenet.kernels.cells` compute each group. The cells stay registered where they are, so
parameters keep their names. :func:`unfuse` in ``base.py`` undoes it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import mindspore as ms
from mindspore import nn

from mindcv_shufflenet.kernels import cells as fused_cells
from mindcv_shufflenet.kernels.library import library
from mindcv_shufflenet.models import shufflenet_v1, shufflenet_v2
from mindcv_shufflenet.models.base import FeatureExtractor, Network, unfuse
from mindcv_shufflenet.models.chains import Chain
from mindcv_shufflenet.models.layers import PaddedPool
from mindcv_shufflenet.runtime.precision import mixed_precision

Predicate = Callable[[nn.Cell], bool]

_KERNEL_SIZES = (3, 5, 7)
# The most channels that the kernel of a first convolution takes.
_FEW = 4


def _is_norm(cell: nn.Cell) -> bool:
    return type(cell) is nn.BatchNorm2d


def _is_activation(cell: nn.Cell) -> bool:
    return fused_cells.activation_number(cell) is not None


def _is_conv(cell: nn.Cell, sizes: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether a cell is a convolution without bias that keeps the size at stride 1."""
    if type(cell) is not nn.Conv2d or cell.has_bias or cell.dilation != (1, 1):
        return False
    (size, width), (stride, step) = cell.kernel_size, cell.stride
    padding = cell.padding if cell.pad_mode == "pad" else 0
    keeps_size = padding in (size // 2, (size // 2,) * 4)
    return size == width and stride == step and size in sizes and stride in strides and keeps_size


def _is_depthwise(cell: nn.Cell) -> bool:
    return _is_conv(cell, _KERNEL_SIZES, (1, 2)) and cell.group == cell.in_channels == cell.out_channels


def _is_first(cell: nn.Cell) -> bool:
    return _is_conv(cell, _KERNEL_SIZES, (1, 2)) and cell.group == 1 and cell.in_channels <= _FEW


def _is_pointwise(cell: nn.Cell) -> bool:
    return _is_conv(cell, (1,), (1,))


def _is_dense(cell: nn.Cell) -> bool:
    return _is_pointwise(cell) and cell.group == 1


def _is_relu(cell: nn.Cell) -> bool:
    return type(cell) is nn.ReLU


def _is_max_pool(cell: nn.Cell) -> bool:
    return _pool_padding(cell) is not None


def _pool_padding(cell: nn.Cell) -> str | None:
    """Return how a max pool of 3 x 3 pixels with stride 2 pads, None of another cell."""
    is_padded = isinstance(cell, PaddedPool) and cell.width == 1
    pool = cell.pool if is_padded else cell
    if type(pool) is not nn.MaxPool2d or (pool.kernel_size, pool.stride) != (3, 2):
        return None
    if pool.pad_mode.lower() != ("valid" if is_padded else "same"):
        return None
    return "pad" if is_padded else "same"


def _norm_max_pool(norm: nn.Cell, activation: nn.Cell, pool: nn.Cell) -> nn.Cell:
    return fused_cells.NormMaxPool(norm, activation, pool, str(_pool_padding(pool)))


def _itself(cell: nn.Cell) -> nn.Cell:
    return cell


# What stands for consecutive cells: the first that fits. The last row is a cell that no kernel computes.
_PATTERNS: tuple[tuple[tuple[Predicate, ...], Callable[..., nn.Cell]], ...] = (
    ((_is_norm, _is_activation, _is_depthwise, _is_norm, _is_activation), fused_cells.NormDepthwiseNorm),
    ((_is_norm, _is_activation, _is_depthwise, _is_norm), fused_cells.NormDepthwiseNorm),
    ((_is_norm, _is_relu, _is_max_pool), _norm_max_pool),
    ((_is_depthwise, _is_norm, _is_activation), fused_cells.DepthwiseNorm),
    ((_is_depthwise, _is_norm), fused_cells.DepthwiseNorm),
    ((_is_norm, _is_activation), fused_cells.NormActivation),
    ((_is_norm,), fused_cells.NormActivation),
    ((_is_pointwise,), fused_cells.Pointwise),
    ((_is_first,), fused_cells.FirstConvolution),
    ((lambda _: True,), _itself),
)


# The cells of a block of ShuffleNetV2 that keeps the shape.
_BLOCK = (
    _is_dense, _is_norm, _is_activation, _is_depthwise, _is_norm, _is_dense, _is_norm, _is_activation,
)  # fmt: skip


def fuse(network: nn.Cell) -> nn.Cell:
    """Let the kernels compute what they can of a network, if this is a CPU and there are kernels (:func:`library`).

    :func:`create_model` does so. Parameters and their names stay. The cells that a kernel stands for are not called, so
    hooks on them are not either. Whoever exchanges a cell of the network calls this function again: the kernels hold
    the cells that were there.

    Args:
        network: changed in place, and compiled anew at its next call. What is compiled already of a cell or a function
            around it, as a training step or by ``ms.jit``, stays.

    Returns:
        The network.
    """
    if ms.get_context("device_target") != "CPU" or library() is None:
        return network
    unfuse(network)
    for _, cell in network.cells_and_names():
        if isinstance(cell, Network | FeatureExtractor):
            cell.computed_stages = tuple(_fused(chain) for chain in cell.stages)
        if isinstance(cell, Network):
            cell.computed_last = _fused(cell.last)
        elif isinstance(cell, nn.SequentialCell):
            cell.cell_list = [*_fused(cell.cells())]
        elif isinstance(cell, shufflenet_v1.Block):
            cell.computed = _fused(cell.main)
        elif isinstance(cell, shufflenet_v2.Block):
            cell.computed = _whole(cell)
    return network


@contextmanager
def unfused(network: nn.Cell) -> Iterator[None]:
    """Let MindSpore's own operators compute a network for a while."""
    is_fused = any(_holds_kernel(value) for _, cell in network.cells_and_names() for value in vars(cell).values())
    unfuse(network)
    try:
        yield
    finally:
        if is_fused:
            fuse(network)


def in_precision(network: nn.Cell, level: str, cast_list: Sequence[str] | None = None) -> nn.Cell:
    """Return the network computing in a precision (:func:`mixed_precision`): by the kernels in float32 alone."""
    return fuse(network) if level == "O0" else mixed_precision(unfuse(network), level, cast_list)


def _holds_kernel(value: Any) -> bool:
    """Whether an attribute of a cell is a chain, or holds one, in which a kernel stands for cells."""
    return isinstance(value, fused_cells.Fused) or (isinstance(value, tuple | list) and any(map(_holds_kernel, value)))


def _fits(predicates: Sequence[Predicate], cells: Sequence[nn.Cell]) -> bool:
    """Whether as many cells begin a chain as there are predicates, and each is as its predicate says."""
    some = cells[: len(predicates)]
    return len(some) == len(predicates) and all(fits(cell) for fits, cell in zip(predicates, some, strict=True))


def _fused(cells: Iterable[nn.Cell]) -> Chain:
    """Return a chain that computes what these cells do, by kernels where a pattern fits."""
    rest = _flat(cells)
    done: list[nn.Cell] = []
    while rest:
        predicates, create = next(pattern for pattern in _PATTERNS if _fits(pattern[0], rest))
        done.append(create(*rest[: len(predicates)]))
        rest = rest[len(predicates) :]
    return tuple(done)


def _flat(cells: Iterable[nn.Cell]) -> list[nn.Cell]:
    """Return cells with those of a sequence in its place: a pattern may go on behind its end."""
    flat: list[nn.Cell] = []
    for cell in cells:
        flat += _flat(cell.cells()) if type(cell) is nn.SequentialCell else [cell]
    return flat


def _whole(block: shufflenet_v2.Block) -> Chain:
    """Return the kernel that computes a whole block of ShuffleNetV2, if there is one."""
    parts = [*block.branch_main.cells()]
    if block.branch_proj is not None or not block.is_plain or not _fits(_BLOCK, parts):
        return ()
    if fused_cells.activation_number(parts[2]) != fused_cells.activation_number(parts[7]):
        return ()
    return (fused_cells.ShuffleBlock("megvii" if block.shuffle_first else "torchvision", *parts),)
