"""The one road to a network: from options, a name, a run directory or a file to a network with its weights."""

import inspect
import logging
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mindspore import nn

from mindcv_shufflenet.data.class_names import class_names_of
from mindcv_shufflenet.errors import UserError, check_keywords
from mindcv_shufflenet.families import FAMILIES, find_family
from mindcv_shufflenet.models.fusion import fuse
from mindcv_shufflenet.models.registry import build
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.options.names import EXPORT_FORMATS, WEIGHTS_SUFFIXES
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.options.tables import names_of
from mindcv_shufflenet.storage.run_directory import RunDirectory
from mindcv_shufflenet.weights.formats import read_onnx_model
from mindcv_shufflenet.weights.load import Weights, load_weights
from mindcv_shufflenet.weights.metadata import ENTRY, entries_of, read_metadata
from mindcv_shufflenet.weights.provenance import Settled, settle
from mindcv_shufflenet.weights.records import find_record, get_pretrained_cfg, parse_name

_logger = logging.getLogger(__name__)


class Opened(NamedTuple):
    """A network and what belongs to its weights.

    Attributes:
        network: with its weights, or newly drawn ones where the options name none.
        preprocessing: of the images that it is fed.
        class_names: the name of each class; None where nothing tells them.
        notes: a line for each thing that the user may not expect.
    """

    network: nn.Cell
    preprocessing: Preprocessing
    class_names: tuple[str, ...] | None
    notes: list[str]


def open_network(
    options: Mapping[str, Any] | Settled, num_classes: int | None = None, *, is_start: bool = False
) -> Opened:
    """Build the network that options mean, and fill it with its weights. MindSpore's own operators compute it.

    Args:
        options: by name, as a recipe has them; or what :func:`settle` made of them, where something had to be looked
            at before the network is built, such as the data.
        num_classes: length of the logits. None: as the options say, as the weights have, or 1000.
        is_start: a training starts from the weights. ``reset_classifier`` and ``allow_missing`` are read then, and
            published weights of other classes lose their classifier.

    Raises:
        UserError: an option is wrong, or the weights cannot be had or do not fit.
    """
    settled = options if isinstance(options, Settled) else settle(options)
    config, weights = settled.config, settled.weights
    classes = num_classes
    if classes is None:
        classes = config.num_classes or (weights and weights.num_classes) or 1000
    network, notes = build_with_weights(
        config.model_name.model,
        weights,
        reset_classifier=is_start and (config.reset_classifier or _is_of_others(config, weights, classes)),
        allow_missing=config.allow_missing if is_start else (),
        num_classes=classes,
        drop_rate=config.drop_rate,
        drop_path_rate=config.drop_path_rate,
        **{name: getattr(config, name) for name in names_of("network")},
    )
    names = class_names_of(settled.classes, settled.dataset, classes)
    return Opened(network, settled.preprocessing, names, settled.notes + notes)


def build_with_weights(
    model: str,
    weights: Weights | None,
    *,
    reset_classifier: bool = False,
    allow_missing: Sequence[str] = (),
    **arguments: Any,
) -> tuple[nn.Cell, list[str]]:
    """Build a network and fill it with weights, if there are any.

    Args:
        model: one of :func:`list_models`.
        weights: None: the network keeps its newly drawn ones.
        reset_classifier: as :func:`load_weights` takes it, like ``allow_missing``.
        allow_missing: names, with wildcards, of parameters that the weights may lack.
        arguments: of :func:`build`.

    Returns:
        The network, and the notes of :func:`load_weights`.

    Raises:
        UserError: the network refuses an argument, or the weights do not fit.
    """
    network = build(model, **arguments)
    if weights is None:
        return network, []
    return network, load_weights(network, weights, reset_classifier=reset_classifier, allow_missing=allow_missing)


def create_model(
    name: str,
    *,
    pretrained: bool = False,
    num_classes: int | None = None,
    in_channels: int = 3,
    checkpoint_path: str | os.PathLike[str] = "",
    **options: Any,
) -> nn.Cell:
    """Build a network, with published weights, those of a file, or newly drawn ones (``mindspore.set_seed``).

    On a CPU the kernels compute it where there are any (:func:`~mindcv_shufflenet.models.fusion.fuse`).

    Args:
        name: one of :func:`list_models`, with or without a tag of weights, which sets the network options.
        pretrained: load the published weights of the tag, or mindcv's; they are fetched at the first use. With another
            ``num_classes`` than theirs the classifier is drawn anew, which is logged.
        num_classes: length of the logits. None: the classes of the weights that a tag names, or 1000.
        in_channels: channels of the input.
        checkpoint_path: load this file, of any kind that ``convert`` reads. The network options that it tells are taken
            over where ``options`` do not say otherwise.
        options: network options of the family (docs/models.md): ``layout``, ``stem``, ``pool``, ``channel_shuffle``,
            ``activation``, ``se``, ``residual``; ``drop_rate``, ``drop_path_rate``; and ``features_only``,
            ``out_indices``: return the maps at several strides instead of logits.

    Raises:
        UserError: an unknown name, with the nearest right one, an argument that the network refuses, or weights that
            cannot be fetched or do not fit.
    """
    model = parse_name(str(name)).model
    find_family(model)
    _check_arguments(options)
    if pretrained and checkpoint_path:
        raise UserError("pretrained and checkpoint_path are both given; leave one out")
    checkpoint_path = checkpoint_path or ""
    if not isinstance(checkpoint_path, str | os.PathLike):
        raise UserError(f"{type(checkpoint_path).__name__} is no weights: give a file's path")
    given = {name: value for name, value in options.items() if value is not None}
    known = {name: given[name] for name in names_of("network") if name in given}
    settled = settle({"model": str(name), "pretrained": bool(pretrained), "ckpt_path": checkpoint_path, **known})
    told = {name: getattr(settled.config, name) for name in names_of("network") if name in settled.told}
    if num_classes is None:
        num_classes = record.num_classes if (record := find_record(str(name))) else 1000
    arguments = told | given | {"num_classes": num_classes, "in_channels": in_channels}
    reset = _is_of_others(settled.config, settled.weights, num_classes)
    network, notes = build_with_weights(model, settled.weights, reset_classifier=reset, **arguments)
    for note in settled.notes:
        _logger.info("%s: %s", name, note)
    for note in notes:
        _logger.log(logging.WARNING if reset else logging.INFO, "%s: %s", name, note)
    return fuse(network)


def get_model(name: str, **options: Any) -> nn.Cell:
    """Build a network; mmpretrain's and torchvision's name of :func:`create_model`."""
    return create_model(name, **options)


def resolve_preprocessing(name_or_run: str | os.PathLike[str]) -> Preprocessing:
    """Return the preprocessing that weights were trained with.

    Args:
        name_or_run: a model with a tag (``shufflenet_v2_x1_0.tv_in1k``); a model without one, which means the weights
            that ``pretrained`` fetches; a run directory; a weights file; or an exported file. No weights are fetched.

    Raises:
        UserError: there are no such weights, or nothing tells their preprocessing.
    """
    path = Path(name_or_run)
    if path.is_dir():
        run = RunDirectory(path).read()
        if not run.options:
            raise UserError(f"{path} has no config.yaml of a run: {'; '.join(run.notes) or 'give a run directory'}")
        return Preprocessing.from_options(run.options)
    if path.is_file() and path.suffix.lower() == EXPORT_FORMATS["onnx"]:
        told = entries_of(read_onnx_model(path))
        if metadata := read_metadata(told.get(ENTRY), str(path))[0]:
            return Preprocessing.from_options(metadata.options)
    if path.exists() or path.suffix.lower() in WEIGHTS_SUFFIXES:
        return settle({"ckpt_path": str(path)}).preprocessing
    return get_pretrained_cfg(str(name_or_run)).preprocessing


def _check_arguments(options: Collection[str]) -> None:
    """Refuse a keyword argument of :func:`create_model` that no family and no model takes.

    Raises:
        UserError: with the nearest right one.
    """
    parameters = [p for call in (create_model, build) for p in inspect.signature(call).parameters.values()]
    own = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    network_options = [option for family in FAMILIES.values() for option in family.options]
    check_keywords("create_model", options, dict.fromkeys([*own, *network_options]))


def _is_of_others(config: Config, weights: Weights | None, num_classes: int) -> bool:
    """Whether these are published weights for another number of classes."""
    is_published = config.pretrained and not config.ckpt_path
    return weights is not None and is_published and num_classes not in (weights.num_classes, weights.outputs)
