"""A record of published weights: where they are, how they are checked, and what belongs to them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mindcv_shufflenet.options.preprocessing import Preprocessing


class Scored(NamedTuple):
    """A data set on which published weights were trained and scored: its classes, and the images of the score."""

    num_classes: int
    images: int


SCORED = {"imagenet": Scored(1000, 50_000), "cifar10": Scored(10, 10_000), "cifar100": Scored(100, 10_000)}


class Record(NamedTuple):
    """One file of published weights.

    Attributes:
        model: the network's name.
        tag: who trained it on what.
        url: the file's address; None where there is no stable one.
        sha256: the checksum's first digits, or None.
        size: bytes, where the publisher tells them exactly.
        top1: published top-1 in percent.
        top5: published top-5 in percent.
        source: where the scores stand.
        licence: of the weights.
        network_options: with which the weights were trained.
        preprocessing: with which they were scored.
        by_hand: where to get the file if there is no address.
        dataset: on which the weights were trained and scored; a key of ``SCORED``.
        remark: what a reader of the score has to know beside it.
    """

    model: str
    tag: str
    url: str | None
    sha256: str | None
    size: int | None
    top1: float
    top5: float
    source: str
    licence: str
    network_options: Mapping[str, str]
    preprocessing: Preprocessing
    by_hand: str = ""
    dataset: str = "imagenet"
    remark: str = ""

    @property
    def name(self) -> str:
        """Model and tag: ``shufflenet_v2_x1_0.tv_in1k``."""
        return f"{self.model}.{self.tag}"

    @property
    def images(self) -> int:
        """How many images the score is of."""
        return SCORED[self.dataset].images

    @property
    def num_classes(self) -> int:
        """How many classes the weights tell apart."""
        return SCORED[self.dataset].num_classes

    def options(self) -> dict[str, Any]:
        """The options of network and preprocessing that belong to the weights, as ``options/schema/`` names them."""
        return {**self.network_options, **self.preprocessing.options()}
