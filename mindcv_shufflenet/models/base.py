"""The base of all networks: named maps, features, a classifier that can be replaced. The method names are timm's."""

from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral
from typing import NamedTuple

import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.common.initializer import Normal

from mindcv_shufflenet.errors import UserError, check_counts
from mindcv_shufflenet.families.base import Layers, Plan
from mindcv_shufflenet.models import layers
from mindcv_shufflenet.models.chains import Chain, run, run_stages
from mindcv_shufflenet.models.stochastic_depth import DrawPaths, ResidualBlock, branch_rates


class FeatureInfo(NamedTuple):
    """One of the maps that a network hands out.

    Attributes:
        channels: of the map.
        stride: an input of N pixels has a map of N / stride, rounded up.
        name: of the stage.
    """

    channels: int
    stride: int
    name: str


def unfuse(network: nn.Cell) -> nn.Cell:
    """Let MindSpore's own operators compute a network, as mixed precision, hooks or dynamic shapes need it.

    Args:
        network: changed in place, and compiled anew at its next call. What is compiled already of a cell or a function
            around it, as a training step or by ``ms.jit``, stays.

    Returns:
        The network.
    """
    for _, cell in network.cells_and_names():
        cell.compile_cache.clear()  # a graph that is compiled already holds the cells that were there
        if isinstance(cell, nn.SequentialCell):
            cell.cell_list = [*cell.cells()]
        if isinstance(cell, Network | FeatureExtractor):
            cell.computed_stages = ()
        if isinstance(cell, Network):
            cell.computed_last = ()
        elif isinstance(cell, ResidualBlock):
            cell.computed = ()
    return network


class Fusible(nn.Cell):
    """A network that kernels may compute (``fusion.py``), but not where MindSpore needs its own operators."""

    def set_inputs(self, *inputs: Tensor, **named: Tensor) -> None:
        """Declare the inputs; the kernels, which need to know every shape, are left out where one is dynamic."""
        tensors = [tensor for tensor in (*inputs, *named.values()) if isinstance(tensor, Tensor)]
        if any(size < 0 for tensor in tensors for size in tensor.shape):
            unfuse(self)
        super().set_inputs(*inputs, **named)

    @property
    def compile_phase(self) -> str:
        """What MindSpore compiles the network for. It sets this in a cell and all cells inside it."""
        return super().compile_phase

    @compile_phase.setter
    def compile_phase(self, phase: str) -> None:
        if phase.startswith("export"):  # the file has to run where this package is not
            unfuse(self)
        nn.Cell.compile_phase.fset(self, phase)


class Network(Fusible):
    """A chain of stages, a last convolution, the mean over all pixels, and a dense layer.

    A family's class sets ``stages``, one chain for each stage that its description names, ``last``, the chain behind
    them, ``head``, the chain behind the mean, and ``classifier``. The cells of a chain are attributes of the network
    too, which names their parameters.

    ``computed_stages`` and ``computed_last`` are chains that compute the same in fewer cells (``fusion.py``); where
    there are none, the stages themselves compute.

    Args:
        plan: what to build.
        drop_rate: share of what the classifier reads that training sets to zero. None: ``default_drop_rate``.

    Attributes:
        plan: what was built.
        options: the network options, by name.
        drop_rate: as given.
        default_drop_rate: of the family: what its source trains with.
        has_auxiliary_outputs: of the family: whether a training network returns a tuple of logits, those of auxiliary
            classifiers behind its own.
        drop_path_rate: of the last block; :meth:`set_drop_path_rate` sets it.
        path_rates: of each block that has a shortcut, likewise.
        feature_info: a list of :class:`FeatureInfo`, of the map of each stage.
        num_features: length of the vector that the classifier reads.
        stride: of the last map: an input of N pixels has a last map of N / stride, rounded up.

    Raises:
        UserError: ``drop_rate`` is out of bounds.
    """

    stages: tuple[Chain, ...]
    last: Chain = ()
    head: Chain = ()
    computed_stages: tuple[Chain, ...] = ()
    computed_last: Chain = ()
    classifier: nn.Cell
    default_drop_rate = 0.0
    has_auxiliary_outputs = False

    def __init__(self, plan: Plan, drop_rate: float | None = None) -> None:
        super().__init__()
        drop_rate = self.default_drop_rate if drop_rate is None else drop_rate
        if not 0 <= drop_rate < 1:
            raise UserError(f"drop_rate={drop_rate}: it must be at least 0 and below 1")
        self.plan = plan
        self.options = dict(plan.options)
        self.drop_rate = drop_rate
        self.dropout = nn.Dropout(p=drop_rate) if drop_rate else None
        self.drop_path_rate = 0.0
        self.path_rates: tuple[float, ...] = ()
        self.draw_paths = DrawPaths()
        self.feature_info = feature_info(plan.layers)
        self.num_features = plan.layers[plan.layers[-1].inputs[0]].channels
        self.stride = max(strides(plan.layers))

    def inference_twin(self) -> "Network":
        """Return a network that computes the same in inference once it has the same weights; its own are newly drawn.

        Frozen parts, the drop path rate and BatchNorm over all ranks, which act in training alone, are not taken over.
        """
        return type(self)(self.plan, self.drop_rate)

    def create_classifier(self, num_classes: int) -> nn.Cell:
        """Return what makes the logits of the features, with newly drawn weights."""
        bias = self.plan.layers[-1].bias
        return nn.Dense(self.num_features, num_classes, weight_init=Normal(0.01), bias_init="zeros", has_bias=bias)

    def get_classifier(self) -> nn.Cell:
        """Return the layer that makes the logits of the pooled features."""
        return self.classifier

    def reset_classifier(self, num_classes: int) -> None:
        """Replace the classifier by a new one.

        Args:
            num_classes: length of the logits from now on.

        Raises:
            UserError: it is no count.
        """
        check_counts(num_classes=num_classes)
        self.classifier = self.create_classifier(num_classes)
        self.plan = replace(self.plan, num_classes=num_classes)
        self.compile_cache.clear()  # a graph that is compiled already holds the old layer

    def set_drop_path_rate(self, rate: float) -> None:
        """Let training leave residual branches out at random.

        Args:
            rate: share of the images whose branch is left out in the last block; in those before it, it is less
                (:func:`branch_rates`). 0: no branch is left out.

        Raises:
            UserError: the rate is out of bounds, or the network has no residual branch.
        """
        if not 0 <= rate < 1:
            raise UserError(f"drop_path_rate={rate}: it must be at least 0 and below 1")
        blocks = [cell for chain in self.stages for cell in chain if isinstance(cell, ResidualBlock)]
        rates = branch_rates(blocks, rate)
        if rate and not rates:
            others = "give it residual=True, or " if "residual" in self.options else ""
            raise UserError(
                f"drop_path_rate={rate}: {self.plan.model} has no residual branch to leave out; {others}leave"
                " drop_path_rate out"
            )
        self.drop_path_rate = rate
        self.path_rates = rates
        self.draw_paths = DrawPaths(rates if rate else ())
        self.compile_cache.clear()  # a graph that is compiled already holds the old rates

    def forward_maps(self, x: Tensor, path_mask: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return the map ``[N, C, H / stride, W / stride]`` of each stage, of ``[N, in_channels, H, W]``.

        Args:
            x: normalised images.
            path_mask: as :meth:`construct` takes.
        """
        paths = self.draw_paths(x) if path_mask is None else ops.split(path_mask, 1, axis=1)
        return run_stages(self.computed_stages or self.stages, x, paths)

    def forward_features(self, x: Tensor, path_mask: Tensor | None = None) -> Tensor:
        """Return the last map ``[N, num_features, H / stride, W / stride]`` of what :meth:`forward_maps` takes."""
        return run(self.computed_last or self.last, self.forward_maps(x, path_mask)[-1])

    def forward_head(self, x: Tensor, pre_logits: bool = False, dropout_mask: Tensor | None = None) -> Tensor:
        """Return the logits ``[N, num_classes]`` of a last map.

        Args:
            x: what :meth:`forward_features` returns.
            pre_logits: return what the classifier reads, ``[N, num_features]``, instead.
            dropout_mask: as :meth:`construct` takes.
        """
        features = run(self.head, layers.global_average(x))
        if dropout_mask is not None:
            features = features * dropout_mask
        elif self.dropout is not None:
            features = self.dropout(features)
        return features if pre_logits else self.classifier(features)

    def construct(self, x: Tensor, dropout_mask: Tensor | None = None, path_mask: Tensor | None = None) -> Tensor:
        """Return the logits ``[N, num_classes]`` of ``[N, in_channels, H, W]``.

        Args:
            x: normalised images.
            dropout_mask: ``[N, num_features]``, factors of what the classifier reads: 0 or 1 / (1 - drop_rate). A
                training that can be resumed draws it itself; without one, MindSpore draws while training.
            path_mask: ``[N, len(path_rates)]``, factors of the residual branches: 0 or 1 / (1 - rate); likewise.
        """
        return self.forward_head(self.forward_features(x, path_mask), False, dropout_mask)

    def extract_features(self, x: Tensor) -> dict[str, Tensor]:
        """Return the map of every stage, that of the last convolution and the pooled vector, out of one forward pass.

        They are named ``feature_info``'s names, ``conv_last`` and ``pooled``.
        """
        maps = self.forward_maps(x)
        named = {info.name: features for info, features in zip(self.feature_info, maps, strict=True)}
        last = run(self.computed_last or self.last, maps[-1])
        return named | ({"conv_last": last} if self.last else {}) | {"pooled": layers.global_average(last)}

    def extract_feat(self, x: Tensor, stage: str = "neck") -> tuple[Tensor, ...] | Tensor:
        """Return features as mmpretrain's method of that name does.

        Args:
            x: normalised images ``[N, in_channels, H, W]``.
            stage: ``backbone`` (the map of the last convolution), ``neck`` (the pooled vector ``[N, C]``), both in a
                tuple, or ``pre_logits`` (what the classifier reads, ``[N, num_features]``).

        Raises:
            UserError: another stage.
        """
        if stage not in ("backbone", "neck", "pre_logits"):
            raise UserError(f"stage={stage}: it must be one of backbone, neck, pre_logits")
        last = self.forward_features(x)
        if stage == "backbone":
            return (last,)
        pooled = layers.global_average(last)
        return (pooled,) if stage == "neck" else run(self.head, pooled)


class FeatureExtractor(Fusible):
    """Some maps of a network, for a detection or segmentation neck: without what comes behind them.

    Parameters keep the names that they have in the network.

    Args:
        network: whose stages are used.
        out_indices: which of its ``feature_info``, in ascending order; None: all.

    Attributes:
        plan: the network's.
        options: the network's.
        feature_info: a list of :class:`FeatureInfo`, of the maps that are returned.
        channels: of each map.
        strides: of each map.
        left_out: how the names begin of parameters of the network that are not here.

    Raises:
        UserError: an index that the network has not.
    """

    def __init__(self, network: Network, out_indices: Sequence[int] | None = None) -> None:
        super().__init__(auto_prefix=False)
        count = len(network.feature_info)
        chosen = [*range(count)] if out_indices is None else [*np.atleast_1d(np.asarray(out_indices, object))]
        if not chosen or any(not isinstance(i, Integral) or not -count <= int(i) < count for i in chosen):
            raise UserError(f"out_indices={out_indices}: give some of 0 to {count - 1}, the maps of feature_info")
        self.out_indices = tuple(sorted({int(index) % count for index in chosen}))
        self.plan = network.plan
        self.options = network.options
        self.feature_info = [network.feature_info[index] for index in self.out_indices]
        self.channels = tuple(info.channels for info in self.feature_info)
        self.strides = tuple(info.stride for info in self.feature_info)
        self.stages = network.stages[: self.out_indices[-1] + 1]
        self.computed_stages: tuple[Chain, ...] = ()
        self.draw_paths = network.draw_paths
        for position, cell in enumerate(cell for chain in self.stages for cell in chain):
            self.insert_child_to_cell(f"cell_{position}", cell)
        own = {parameter.name for parameter in self.get_parameters()}
        others = [parameter.name for parameter in network.get_parameters() if parameter.name not in own]
        self.left_out = tuple({f"{name.rpartition('.')[0]}.": None for name in others})

    def construct(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the maps ``[N, C, H / stride, W / stride]`` of ``[N, in_channels, H, W]``."""
        maps = run_stages(self.computed_stages or self.stages, x, self.draw_paths(x))
        return tuple([maps[index] for index in self.out_indices])


def strides(description: Layers) -> list[int]:
    """Return the stride of each layer's output against the input."""
    found: list[int] = []
    for layer in description:
        found.append(layer.stride * max([found[x] for x in layer.inputs], default=1))
    return found


def feature_info(description: Layers) -> list[FeatureInfo]:
    """Return channels, stride and name of the map of each stage."""
    return [
        FeatureInfo(layer.channels, stride, layer.stage)
        for layer, stride in zip(description, strides(description), strict=True)
        if layer.stage
    ]
