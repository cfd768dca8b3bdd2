"""A graph as a MindSpore network: ``fold(network)`` returns one without BatchNorm that computes the same faster."""

import itertools
from collections.abc import Sequence

from mindspore import Tensor, nn, ops

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.families.base import Layer
from mindcv_shufflenet.graph.base import LOGITS, Graph
from mindcv_shufflenet.graph.fold import fold_norms
from mindcv_shufflenet.models import layers


def fold(network: nn.Cell) -> nn.Cell:
    """Return the network for inference alone, with BatchNorm folded into its convolutions.

    It gives the same outputs to 1e-5 of the largest one, in both modes of MindSpore. The weights are copies: the
    network that is given stays as it is. They have the names of its layers, and a checkpoint of them loads into a
    network of its kind. The shuffles stay: without them (``arrangement.py``) MindSpore computes a twentieth faster and
    compiles three times as long, and the checkpoint would be of no use elsewhere.

    Args:
        network: one that :func:`create_model` made, or the maps of one (``features_only=True``).

    Raises:
        UserError: it is of another kind.
    """
    if getattr(network, "plan", None) is None:
        raise UserError(f"a {type(network).__name__} cannot be folded: give a network that create_model made")
    return GraphNetwork(fold_norms(Graph.of(network)))


class GraphNetwork(nn.Cell):
    """Computes a graph, in inference.

    Parameters have the names that they have in the graph.

    Args:
        graph: with layers of any kinds.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__(auto_prefix=False)
        self.has_logits = LOGITS in graph.outputs
        chains = _chains(graph)
        last_use = {x: number for number, chain in enumerate(chains) for x in graph.layers[chain[0]].inputs}
        last_use |= dict.fromkeys(graph.outputs.values(), len(chains))
        live = [0]  # the layers whose outputs are still read
        steps: list[tuple[Chain, tuple[int, ...], tuple[int, ...]]] = []
        for number, positions in enumerate(chains):
            chain = Chain([_filled(_cell(graph, graph.layers[x]), graph, graph.layers[x]) for x in positions])
            self.insert_child_to_cell(f"chain_{number}", chain)
            kept = [x for x in live if last_use[x] > number]
            inputs = graph.layers[positions[0]].inputs
            steps.append((chain, tuple(map(live.index, inputs)), tuple(map(live.index, kept))))
            live = [*kept, positions[-1]]
        # Chains, the places of what each reads, and the places of what is read later, among what is at hand.
        self.steps = tuple(steps)
        self.outputs = tuple(live.index(position) for position in graph.outputs.values())
        self.set_train(False)

    def get_classifier(self) -> nn.Cell:
        """Return the layer that makes the logits."""
        return self.steps[-1][0].chain[-1]

    def construct(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return the logits ``[N, num_classes]`` of ``[N, in_channels, H, W]``, or a tuple of maps."""
        live: tuple[Tensor, ...] = (x,)
        for chain, inputs, kept in self.steps:
            made = chain(*[live[place] for place in inputs])
            live = (*[live[place] for place in kept], made)
        if self.has_logits:
            return ops.flatten(live[self.outputs[0]])
        return tuple([live[place] for place in self.outputs])


def _chains(graph: Graph) -> list[list[int]]:
    """Return the layers in chains: each layer but the first one reads the one before it, and nothing else does.

    MindSpore compiles a loop over chains several times faster than one over layers.
    """
    readers, outputs = graph.readers, {*graph.outputs.values()}
    by_end: dict[int, list[int]] = {}
    for position, layer in enumerate(graph.layers[1:], start=1):
        first = layer.inputs[0]
        goes_on = len(layer.inputs) == 1 and readers[first] == [position] and first in by_end and first not in outputs
        by_end[position] = [*by_end.pop(first), position] if goes_on else [position]
    return [*by_end.values()]


class Chain(nn.Cell):
    """Cells of which each reads the output of the one before it.

    Args:
        cells: the first one may read several maps.
    """

    def __init__(self, cells: Sequence[nn.Cell]) -> None:
        super().__init__(auto_prefix=False)
        self.chain = tuple(cells)
        for number, cell in enumerate(cells):
            self.insert_child_to_cell(f"cell_{number}", cell)

    def construct(self, *maps: Tensor) -> Tensor:
        """Return the output of the last cell."""
        x = self.chain[0](*maps)
        for cell in self.chain[1:]:
            x = cell(x)
        return x


def _cell(graph: Graph, layer: Layer) -> nn.Cell:
    """Return the cell that computes a layer; every output is a map ``[N, C, H, W]``."""
    first = graph.layers[layer.inputs[0]]
    match layer.kind:
        case "conv":
            return layers.conv2d(
                first.channels, layer.channels, layer.kernel, layer.stride, layer.groups, bias=layer.bias
            )
        case "norm":
            return layers.batch_norm(layer.channels, layer.epsilon)
        case "dense":
            return DenseMap(first.channels, layer.channels, has_bias=layer.bias)
        case "max_pool":
            return layers.max_pool(layer.padding, first.kind, layer.kernel, layer.stride)
        case "avg_pool":
            return layers.avg_pool(layer.padding, layer.kernel, layer.stride)
        case "gather":
            return layers.Reorder(layer.order) if (step := _step(layer.order)) is None else Part(layer.order, step)
        case "mean" | "concat" | "add" | "multiply":
            return {"mean": Mean, "concat": Concat, "add": Add, "multiply": Multiply}[layer.kind]()
    return layers.ACTIVATIONS[layer.kind]()


def _filled(cell: nn.Cell, graph: Graph, layer: Layer) -> nn.Cell:
    """Give a cell the parameters of a layer, and their names."""
    for kind, value in graph.own(layer).items() if layer.name else ():
        parameter = getattr(cell, kind)
        parameter.set_data(Tensor(value))
        parameter.name = f"{layer.name}.{kind}"
    return cell


def _step(order: Sequence[int]) -> int | None:
    """Return the distance of the numbers, if it is the same between all of them and not negative."""
    steps = {b - a for a, b in itertools.pairwise(order)} or {1}
    step = min(steps)
    return step if len(steps) == 1 and step > 0 else None


class Part(nn.Cell):
    """Every ``step``-th channel, of some: what ``order`` lists."""

    def __init__(self, order: Sequence[int], step: int) -> None:
        super().__init__()
        self.start, self.stop, self.step = order[0], order[-1] + 1, step

    def construct(self, x: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to ``[N, len(order), H, W]``."""
        return x[:, self.start : self.stop : self.step]


class DenseMap(nn.Dense):
    """A dense layer that reads and makes maps of one pixel."""

    def construct(self, x: Tensor) -> Tensor:
        """Map ``[N, in_channels, 1, 1]`` to ``[N, out_channels, 1, 1]``."""
        return ops.reshape(super().construct(ops.flatten(x)), (-1, self.out_channels, 1, 1))


class Mean(nn.Cell):
    """The mean over the pixels."""

    def construct(self, x: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to ``[N, C, 1, 1]``."""
        return ops.avg_pool2d(x, x.shape[2:])


class Concat(nn.Cell):
    """Maps joined along the channels."""

    def construct(self, *maps: Tensor) -> Tensor:
        """Map several ``[N, C, H, W]`` to one."""
        return ops.concat(maps, axis=1)


class Add(nn.Cell):
    """The sum of maps; one of one pixel acts on all pixels."""

    def construct(self, *maps: Tensor) -> Tensor:
        """Map several ``[N, C, H, W]`` to one."""
        total = maps[0]
        for x in maps[1:]:
            total = total + x
        return total


class Multiply(nn.Cell):
    """The product of maps; one of one pixel acts on all pixels."""

    def construct(self, *maps: Tensor) -> Tensor:
        """Map several ``[N, C, H, W]`` to one."""
        product = maps[0]
        for x in maps[1:]:
            product = product * x
        return product
