"""Model names: ``shufflenet_v2_x1_0``, and with the tag of published weights ``shufflenet_v2_x1_0.tv_in1k``."""

from typing import NamedTuple


class ModelName(NamedTuple):
    """A model and the tag of its weights.

    Attributes:
        model: the network's name.
        tag: of published weights; None: no weights are named.
    """

    model: str
    tag: str | None = None

    @classmethod
    def parse(cls, text: str) -> "ModelName":
        """Split ``MODEL`` or ``MODEL.TAG``."""
        model, dot, tag = text.partition(".")
        return cls(model, tag if dot else None)

    def __str__(self) -> str:
        return self.model if self.tag is None else f"{self.model}.{self.tag}"
