"""The one road to a forward pass: from options to a network on the engine that they name, with what belongs to it."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from mindspore import nn

from mindcv_shufflenet.data.class_names import class_names_of
from mindcv_shufflenet.engines import Forward
from mindcv_shufflenet.engines.mindspore_engine import MindSporeEngine
from mindcv_shufflenet.engines.model_file import ModelFile, read_model_file
from mindcv_shufflenet.engines.runtimes import RUNTIMES, target_on
from mindcv_shufflenet.engines.settle_file import settle_file
from mindcv_shufflenet.engines.views import with_views
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.graph.interface import Interface
from mindcv_shufflenet.graph.model import onnx_model
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.models.fusion import in_precision
from mindcv_shufflenet.network import open_network
from mindcv_shufflenet.options.config import Config, parse_config
from mindcv_shufflenet.parallel.agreement import checksum
from mindcv_shufflenet.runtime.precision import mixed_precision
from mindcv_shufflenet.weights.provenance import Settled, settle


class OpenedEngine(NamedTuple):
    """A forward pass, and what belongs to its weights.

    Attributes:
        forward: the network on its engine.
        network: the network on MindSpore, for its gradients; None on another engine.
        num_classes: length of the logits.
        class_names: the name of each class; None where nothing tells them.
        checksum: checksum of the weights.
        notes: a line for each thing that the user may not expect.
        temperature: what the logits are divided by before a softmax, so that the probabilities are calibrated.
    """

    forward: Forward
    network: nn.Cell | None
    num_classes: int
    class_names: tuple[str, ...] | None
    checksum: int
    notes: list[str]
    temperature: float = 1.0


class Source(Protocol):
    """Where a network comes from.

    Attributes:
        settled: the options, with those taken over that belong to the network.
        name: name for messages.
        num_classes: number of its classes; None: as many as the data have.
        is_trained: whether it has weights.
    """

    settled: Settled
    name: str
    num_classes: int | None
    is_trained: bool

    def open(self, num_classes: int | None = None) -> OpenedEngine:
        """Open it on the engine of the options.

        Args:
            num_classes: length of the logits; None: as options or weights say.

        Raises:
            UserError: the engine is not installed, or the weights do not fit.
        """


def find_source(options: Mapping[str, Any], *, with_data: bool = False, kernels: bool = False) -> Source:
    """Read what the options name: weights, or a file that is run as it is.

    Args:
        options: the user's options by name.
        with_data: take over, too, which images the weights were validated on.
        kernels: let the kernels compute weights on MindSpore. They are compiled at their first use, which is worth it
            for many images.

    Raises:
        UserError: an option is wrong, or weights or file cannot be had or read.
    """
    name = parse_config(options).model_name
    if name.is_file:
        file = read_model_file(name.model)
        return _File(settle_file(options, file, with_data=with_data), file)
    return _Weights(settle(options, with_data=with_data), kernels=kernels)


class _Weights:
    """Weights, or none, for a network that is built."""

    def __init__(self, settled: Settled, *, kernels: bool) -> None:
        weights, config = settled.weights, settled.config
        self.settled = settled
        self.name = config.ckpt_path or config.model
        self.num_classes = weights.num_classes if weights else None
        self.is_trained = weights is not None
        self.kernels = kernels

    def open(self, num_classes: int | None = None) -> OpenedEngine:
        config = self.settled.config
        opened = open_network(self.settled, num_classes)
        engine = open_built(opened.network, config, opened.class_names, kernels=self.kernels)
        weights = self.settled.weights
        temperature = weights.metadata.temperature if weights and weights.metadata else 1.0
        return engine._replace(notes=opened.notes + engine.notes, temperature=temperature)


class _File:
    """A file that is run as it is."""

    def __init__(self, settled: Settled, file: ModelFile) -> None:
        self.settled = settled
        self.file = file
        self.name = file.source
        self.num_classes: int | None = file.signature.num_classes
        self.is_trained = True

    def open(self, num_classes: int | None = None) -> OpenedEngine:
        classes = self.file.signature.num_classes
        if num_classes not in (None, classes):
            raise UserError(
                f"{self.name} has {counted(classes, 'class', 'classes')}, and the data or --num_classes have"
                f" {num_classes}: give data (or --num_classes) of {classes}"
            )
        config = self.settled.config
        forward, note = _model_forward(self.file, config)
        content = np.frombuffer(self.file.model.SerializeToString(), np.uint8)
        opened = OpenedEngine(
            forward,
            None,
            classes,
            class_names_of(self.settled.classes, self.settled.dataset, classes),
            checksum([content]),
            [*self.settled.notes, note],
            self.file.metadata.temperature if self.file.metadata else 1.0,
        )
        return _augmented(opened, config)


def open_built(
    network: nn.Cell, config: Config, class_names: tuple[str, ...] | None = None, *, kernels: bool = False
) -> OpenedEngine:
    """Open a network that is built, with the weights that it has, on the engine of the options.

    Args:
        network: maps images to logits.
        config: the options.
        class_names: name of each class.
        kernels: as :func:`find_source` takes it.

    Raises:
        UserError: the engine is not installed.
    """
    is_own = config.chosen_engine == "mindspore"
    forward: Forward
    if is_own:
        in_level = in_precision if kernels else mixed_precision
        forward, notes = MindSporeEngine(in_level(network, config.val_amp_level), config), []
    else:
        target = target_on(config.chosen_engine)
        model = onnx_model(network, Interface(config.image_resize), target=target)
        forward, note = _model_forward(read_model_file(model), config)
        notes = [f"{note}; the network is exported for {target}, in memory"]
    outputs = network.get_classifier().weight.shape[0]
    weights = checksum(parameter.asnumpy() for parameter in network.get_parameters())
    opened = OpenedEngine(forward, network if is_own else None, outputs, class_names, weights, notes)
    return _augmented(opened, config)


def _augmented(opened: OpenedEngine, config: Config) -> OpenedEngine:
    """Return the engine with test-time augmentation, if the options ask for it, and a note that says so."""
    if not config.tta:
        return opened
    shift = config.tta_shift
    views = "each image and its horizontal flip"
    if shift:
        views = f"each image, its shifts by {counted(shift, 'pixel')} in 8 directions, and the horizontal flips of all"
    note = f"tta: logits are averaged over {views}"
    return opened._replace(forward=with_views(opened.forward, shift), notes=[*opened.notes, note])


def _model_forward(file: ModelFile, config: Config) -> tuple[Forward, str]:
    """The forward pass of an ONNX model on the engine of the options, and a note that names it."""
    # The threads that prepare the next images need the cores meanwhile.
    engine = RUNTIMES[config.chosen_engine](file, precision=config.precision, spins=False)
    return engine, f"computed by {engine.title}, floats in {engine.precision}"
