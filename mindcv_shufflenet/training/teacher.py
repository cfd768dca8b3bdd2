"""The teacher of a distillation: a trained network of the same classes, fed with the student's images."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from mindcv_shufflenet.data.class_names import known_class_names
from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.graph.network import fold
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.network import open_network
from mindcv_shufflenet.options.config import Config, parse_config
from mindcv_shufflenet.options.model_name import ModelName
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.parallel.agreement import checksum
from mindcv_shufflenet.runtime.precision import mixed_precision
from mindcv_shufflenet.weights.layout import fitting_models
from mindcv_shufflenet.weights.provenance import Settled, open_weights, settle


class Teacher(NamedTuple):
    """A network that others learn from; None stands for none.

    Attributes:
        network: maps the student's images ``[N, C, H, W]`` to logits ``[N, num_classes]``.
        checksum: of its weights.
        notes: a line for each thing that the user may not expect.
    """

    network: nn.Cell | None
    checksum: int | None
    notes: list[str]


def open_teacher(config: Config, split: Split) -> Teacher:
    """Open the teacher of a training, if the options name one.

    Its BatchNorm is folded: it computes what it does in inference, whatever the mode is.

    Args:
        config: of the student.
        split: the training images, whose classes must be the teacher's.

    Raises:
        UserError: the weights cannot be had or do not fit, or are of other classes or channels.
    """
    if not config.teacher:
        return Teacher(None, None, [])
    settled = read_teacher(config.teacher)
    with _named(config.teacher):
        opened = open_network(settled)
    _check_classes(config, settled, opened.network.get_classifier().weight.shape[0], split)
    if opened.preprocessing.channels != config.in_channels:
        raise UserError(
            f"teacher={config.teacher} reads images of {counted(opened.preprocessing.channels, 'channel')} and the"
            f" network of {config.in_channels}: give --in_channels {opened.preprocessing.channels}, or another teacher"
        )
    network = mixed_precision(fold(opened.network), config.amp_level, config.amp_cast_list)
    return Teacher(
        Renormalised(network, Preprocessing.of(config), opened.preprocessing),
        checksum(parameter.asnumpy() for parameter in opened.network.get_parameters()),
        [f"teacher: {note}" for note in opened.notes],
    )


def read_teacher(teacher: str) -> Settled:
    """Read the weights of a teacher, and the options that belong to them.

    Raises:
        UserError: they cannot be had.
    """
    with _named(teacher):
        return settle(_options(teacher))


@contextmanager
def _named(teacher: str) -> Iterator[None]:
    """Let errors begin with the option."""
    try:
        yield
    except UserError as error:
        raise UserError(f"teacher={teacher}: {error}") from None


def _options(teacher: str) -> dict[str, Any]:
    """The options of the teacher's network.

    Raises:
        UserError: a file is none of weights.
    """
    is_file = "://" in teacher or ModelName.parse(teacher).is_file or os.path.exists(teacher)
    if not is_file:
        return {"model": teacher, "pretrained": True}
    options: dict[str, Any] = {"ckpt_path": teacher}
    weights = open_weights(parse_config(options))
    if weights and weights.metadata is None:  # else the file tells its model
        for model in fitting_models(weights.arrays, weights.family)[:1]:
            options["model"] = model
    return options


def _check_classes(config: Config, settled: Settled, outputs: int, split: Split) -> None:
    """Refuse a teacher of other classes than those of the data.

    Raises:
        UserError: their number, or their names, differ.
    """
    advice = "take one that was trained on these classes"
    if outputs != split.num_classes:
        raise UserError(
            f"teacher={config.teacher} has {counted(outputs, 'class', 'classes')} and the data have"
            f" {split.num_classes}: {advice}"
        )
    recorded = settled.classes
    theirs, ours = known_class_names(settled.dataset), known_class_names(split.dataset or config.dataset)
    is_other = theirs and ours and theirs != ours
    if recorded:
        theirs, ours = recorded.names, split.class_names
        is_other = recorded.indices != split.class_to_index
    if is_other and theirs and ours:
        raise UserError(
            f"teacher={config.teacher} was trained on other classes ({', '.join(theirs[:3])} ...) than the data have"
            f" ({', '.join(ours[:3])} ...): {advice}"
        )


class Renormalised(nn.Cell):
    """A network on images that are normalised for another one.

    Args:
        network: maps images to logits.
        given: preprocessing of the images.
        wanted: that of the network; mean, standard deviation and the order of the channels count.

    Inputs: images ``[N, C, H, W] float32``. Outputs: what the network makes of them.
    """

    def __init__(self, network: nn.Cell, given: Preprocessing, wanted: Preprocessing) -> None:
        super().__init__(auto_prefix=False)
        self.network = network
        self.is_reversed = given.channel_order != wanted.channel_order and given.channels > 1
        order = slice(None, None, -1 if self.is_reversed else 1)
        mean, std = np.array(given.mean[order]), np.array(given.std[order])
        scale, shift = std / wanted.std, (mean - wanted.mean) / wanted.std
        self.is_same = bool(np.all(scale == 1) and np.all(shift == 0))
        self.scale, self.shift = (Tensor(values.reshape(1, -1, 1, 1), ms.float32) for values in (scale, shift))

    def construct(self, x: Tensor) -> Tensor:
        if self.is_reversed:
            x = x.flip((1,))
        return self.network(x if self.is_same else x * self.scale + self.shift)
