"""Layer decay: the further a layer is from the classifier, the slower it learns.

Source: Clark et al. 2020, "ELECTRA", arXiv:2003.10555, appendix A; Bao et al. 2021, "BEiT", arXiv:2106.08254.
"""

from collections.abc import Iterable, Iterator

from mindspore import Parameter, nn

from mindcv_shufflenet.models.base import Network


def layers_of(network: Network) -> list[list[Parameter]]:
    """Return the parameters of each layer, in the order in which an image goes through them.

    A layer is a block, or a convolution or dense layer outside of blocks, with the BatchNorm behind it.
    """
    chain = [cell for stage in network.stages for cell in stage]
    layers: list[list[Parameter]] = []
    for cell in _elements((*chain, *network.last, *network.head, network.classifier)):
        parameters = list(cell.get_parameters())
        if any(parameter.ndim > 1 for parameter in parameters) or not layers:
            layers.append(parameters)
        else:
            layers[-1] += parameters
    return layers


def layer_factors(network: nn.Cell, decay: float) -> dict[str, float]:
    """Return by name of the parameter the factor of its learning rate: ``decay`` to the power of its layer's distance.

    Args:
        network: a :class:`Network`, or a cell around one.
        decay: factor from a layer to the one before it.
    """
    inner = next(cell for _, cell in network.cells_and_names() if isinstance(cell, Network))
    layers = layers_of(inner)
    return {
        parameter.name: decay ** (len(layers) - 1 - position)
        for position, layer in enumerate(layers)
        for parameter in layer
    }


def _elements(cells: Iterable[nn.Cell]) -> Iterator[nn.Cell]:
    """Yield the cells in order, and instead of a sequence of blocks these blocks."""
    for cell in cells:
        if isinstance(cell, nn.SequentialCell) and any(list(inner.cells()) for inner in cell):
            yield from _elements(cell)
        else:
            yield cell
