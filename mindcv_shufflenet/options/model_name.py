"""Model names: ``shufflenet_v2_x1_0``, with the tag of published weights ``shufflenet_v2_x1_0.tv_in1k``, or a file."""

from typing import NamedTuple

from mindcv_shufflenet.options.names import EXPORT_FORMATS, PACKAGES, WEIGHTS_SUFFIXES

# What a path ends with. ONNX files alone are run; who reads another one says what to do with it.
_SUFFIXES = (*WEIGHTS_SUFFIXES, *EXPORT_FORMATS.values(), PACKAGES["zoo"], "/")


class ModelName(NamedTuple):
    """A model and the tag of its weights.

    Attributes:
        model: the network's name, or the path of a file.
        tag: tag of published weights; None: no weights are named.
    """

    model: str
    tag: str | None = None

    @classmethod
    def parse(cls, text: str) -> "ModelName":
        """Split ``MODEL`` or ``MODEL.TAG``; a path stays whole."""
        if (path := cls(text)).is_file:
            return path
        model, dot, tag = text.partition(".")
        return cls(model, tag if dot else None)

    @property
    def is_file(self) -> bool:
        """Whether it is a path, of a file that holds the whole network if it can be run."""
        return self.tag is None and self.model.lower().endswith(_SUFFIXES)

    def __str__(self) -> str:
        return self.model if self.tag is None else f"{self.model}.{self.tag}"
