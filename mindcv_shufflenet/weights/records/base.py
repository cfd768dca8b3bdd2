"""A record of published weights: where they are, how they are checked, and what belongs to them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mindcv_shufflenet.options.preprocessing import Preprocessing


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

    @property
    def name(self) -> str:
        """Model and tag: ``shufflenet_v2_x1_0.tv_in1k``."""
        return f"{self.model}.{self.tag}"

    def options(self) -> dict[str, Any]:
        """The options of network and preprocessing that belong to the weights, as ``options/schema/`` names them."""
        return {**self.network_options, **self.preprocessing.options()}
