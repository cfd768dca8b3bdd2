"""Catalogue of networks with their costs and of published weights. It builds no network and imports no MindSpore."""

import fnmatch
from collections.abc import Sequence
from typing import Any, NamedTuple

from mindcv_shufflenet.errors import UserError, check_counts, checked_keywords, nearest
from mindcv_shufflenet.families import aliases, find_family, models
from mindcv_shufflenet.families.base import Plan, plan
from mindcv_shufflenet.families.costs import Complexity, LayerCost, layer_costs, total
from mindcv_shufflenet.weights.records import ALIASES, RECORDS, find_record, parse_name
from mindcv_shufflenet.weights.records.base import Record

# Height and width of an image, and classes, where nothing says otherwise: those of the published figures.
IMAGE_SIZE, NUM_CLASSES = 224, 1000


class Listed(NamedTuple):
    """A network, with some published weights or without any.

    Attributes:
        model: its name.
        record: of the weights, which tells the network options and the image size; None: the family's defaults.
        image_size: for which the multiply-adds are.
        cost: for one image.
    """

    model: str
    record: Record | None
    image_size: int
    cost: Complexity

    @property
    def name(self) -> str:
        """The name of the weights, ``MODEL.TAG``, or that of the network."""
        return self.record.name if self.record else self.model


class Described(NamedTuple):
    """One network, layer by layer.

    Attributes:
        plan: name, options and sizes.
        image_size: height and width of the image.
        layers: what each one costs.
        cost: of all of them.
    """

    plan: Plan
    image_size: int
    layers: list[LayerCost]
    cost: Complexity


@checked_keywords
def list_models(
    pattern: str = "*", *, exclude_filters: str | Sequence[str] | None = (), pretrained: bool = False
) -> list[str]:
    """Return the names that match a wildcard pattern, such as ``shufflenet_v2_*``, sorted.

    Args:
        pattern: what to list.
        exclude_filters: wildcard patterns of what to leave out.
        pretrained: list the published weights, ``MODEL.TAG``, instead of the networks.
    """
    excluded = [exclude_filters] if isinstance(exclude_filters, str) else exclude_filters or ()
    names = fnmatch.filter(RECORDS if pretrained else models(), pattern)
    return sorted(name for name in names if not any(fnmatch.fnmatch(name, other) for other in excluded))


def is_model(name: str) -> bool:
    """Return whether there is a network of that name, and weights of its tag if it has one."""
    parsed = parse_name(str(name))
    return parsed.model in models() and (parsed.tag is None or str(parsed) in RECORDS)


def catalogue(pattern: str = "*") -> list[Listed]:
    """Return the networks and the published weights that match, the weights behind their network.

    A network matches with all its weights; weights match with their network.

    Args:
        pattern: with wildcards; without any, the name of a network or of weights, an alias, or else a part of a name.

    Raises:
        UserError: nothing matches; with the nearest name.
    """
    has_wildcards = bool(set("*?[") & set(pattern))
    exact = not has_wildcards and is_model(pattern)
    wide = str(parse_name(pattern)) if exact else pattern if has_wildcards else f"*{pattern}*"
    listed: list[Listed] = []
    for model in sorted(models()):
        is_all = fnmatch.fnmatch(model, wide)
        own = [record for record in RECORDS.values() if record.model == model]
        chosen = [record for record in own if is_all or fnmatch.fnmatch(record.name, wide)]
        if is_all or chosen:
            listed += [_listed(model, record) for record in (None, *chosen)]
    if not listed:
        known = [] if has_wildcards else [*models(), *aliases(), *RECORDS, *ALIASES]
        raise UserError(f"no model matches {pattern}{nearest(pattern, known)}; `shufflenet models` lists them all")
    return listed


def describe(
    name: str,
    *,
    image_size: int | None = None,
    num_classes: int | None = None,
    in_channels: int = 3,
    **options: Any,
) -> Described:
    """Return a network layer by layer.

    Args:
        name: ``MODEL``, ``MODEL.TAG``, whose network options and image size are taken, or an alias.
        image_size: height and width of the image. None: that of the weights, or 224.
        num_classes: length of the logits. None: that of the weights, or 1000.
        in_channels: channels of the image.
        options: network options, such as ``layout``. None is that of the weights, or the family's default.

    Raises:
        UserError: an unknown name, with the nearest right one, or an argument that the network refuses.
    """
    record = find_record(name)
    model = record.model if record else parse_name(name).model
    if image_size is None:
        image_size = record.preprocessing.image_resize if record else IMAGE_SIZE
    if num_classes is None:
        num_classes = record.num_classes if record else NUM_CLASSES
    check_counts(image_size=image_size)
    given = {option: value for option, value in options.items() if value is not None}
    own = plan(
        find_family(model), model, num_classes=num_classes, in_channels=in_channels,
        **({**record.network_options} if record else {}) | given,
    )  # fmt: skip
    layers = layer_costs(own.layers, image_size)
    return Described(own, image_size, layers, total(layer.cost for layer in layers))


def _listed(model: str, record: Record | None) -> Listed:
    """A line of the catalogue."""
    described = describe(record.name if record else model)
    return Listed(model, record, described.image_size, described.cost)
