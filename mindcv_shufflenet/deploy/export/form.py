"""What an exported file is like: the choices of :func:`mindcv_shufflenet.export`, and which of them go together."""

import os
from dataclasses import dataclass, fields
from typing import Any

from mindcv_shufflenet.errors import UserError, check_counts, nearest
from mindcv_shufflenet.families.base import Family
from mindcv_shufflenet.graph.interface import Interface
from mindcv_shufflenet.graph.model import DEFAULT_OPSET
from mindcv_shufflenet.graph.onnx import check_opset
from mindcv_shufflenet.options.names import EXPORT_FORMATS, PACKAGES, SHUFFLE_FORMS, TARGETS
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.runtime.processor import processor

# Choices that exclude others, and why.
_EXCLUSIVE = {
    "features": (("softmax", "zoo_names", "int8", "package"), "maps have no logits"),
    "zoo_names": (("normalize",), "the zoo's files take normalised images"),
}
# What a file of MindSpore may be chosen to be; all the rest is ONNX's.
_OF_MINDSPORE = ("format", "fixed_batch", "features")
# Per-channel quantisation stands in ONNX from this version on.
_INT8_OPSET = 13


@dataclass(frozen=True)
class Form:
    """What an exported file is like.

    Attributes:
        format: ``onnx``; ``mindir``, for MindSpore and MindSpore Lite; or ``air``, for Ascend, written on Ascend alone.
        opset: the version of ONNX's operators.
        shuffle: how a channel shuffle is written: ``pieces`` (channels are made in the order in which they are read,
            and none is shuffled), ``transpose`` or ``gather``.
        target: where the file is to run, one of ``TARGETS``; None: on a processor like this one.
        int8: quantise the model, with the images of ``calibration``.
        int8_search: where int8 is too far from float32, look for layers that had better stay float32 (minutes).
        calibration: a folder of images, which is searched, or a file. The outputs are compared on some of them too.
        calibration_images: of more images than that, so many are taken for int8, evenly spaced.
        fixed_batch: how many images the model takes at once; None: any number.
        dynamic_size: the model takes images of any height and width.
        softmax: the model gives probabilities instead of logits.
        zoo_names: inputs and outputs are those of the model in the ONNX model zoo.
        normalize: the model takes ``[N, H, W, C] uint8`` RGB images and normalises them itself.
        features: the model gives the map of each stage instead of logits, for a detector's neck.
        package: pack the file as the ONNX model zoo has its models (``zoo``, a ``.tar.gz``) or as a folder for Hugging
            Face (``hf``); None: the file alone.

    Raises:
        UserError: a choice does not exist, or two do not go together.
    """

    format: str = "onnx"
    opset: int = DEFAULT_OPSET
    shuffle: str = "pieces"
    target: str | None = None
    int8: bool = False
    int8_search: bool = True
    calibration: str | os.PathLike[str] | None = None
    calibration_images: int = 1000
    fixed_batch: int | None = None
    dynamic_size: bool = False
    softmax: bool = False
    zoo_names: bool = False
    normalize: bool = False
    features: bool = False
    package: str | None = None

    def __post_init__(self) -> None:
        _check_choice("format", self.format, EXPORT_FORMATS)
        _check_choice("shuffle", self.shuffle, SHUFFLE_FORMS)
        _check_choice("target", self.target, (None, *TARGETS))
        _check_choice("package", self.package, (None, *PACKAGES))
        if self.fixed_batch is not None:
            check_counts(fixed_batch=self.fixed_batch)
        check_counts(calibration_images=self.calibration_images)
        check_opset(self.opset)
        chosen = [field.name for field in fields(self) if getattr(self, field.name) != field.default]
        foreign = [name for name in chosen if name not in _OF_MINDSPORE]
        if self.format != "onnx" and foreign:
            raise UserError(
                f"{foreign[0]} is for --format onnx, and the format is {self.format}: leave one of them out"
            )
        for name, (others, reason) in _EXCLUSIVE.items():
            if name in chosen and (both := [other for other in others if other in chosen]):
                raise UserError(f"{name} and {both[0]} do not go together, since {reason}: leave one of them out")
        if self.int8 and self.calibration is None:
            raise UserError("int8 needs images to calibrate on: give --calibration DIR, a folder of some hundred")
        if self.int8 and self.opset < _INT8_OPSET:
            raise UserError(
                f"int8 needs opset {_INT8_OPSET} or newer, and {self.opset} is asked for: give a newer --opset"
            )

    @property
    def suffix(self) -> str:
        """What the name of the output ends with; empty: it is a folder."""
        return PACKAGES[self.package] if self.package else EXPORT_FORMATS[self.format]

    @property
    def runs_on(self) -> str:
        """The target: the one that was chosen, or this machine's."""
        return self.target or processor().target

    def interface(self, family: Family, preprocessing: Preprocessing) -> Interface:
        """Return what the model takes and gives.

        Args:
            family: the network's family.
            preprocessing: the preprocessing of its images.
        """
        interface: dict[str, Any] = {
            "size": preprocessing.image_resize,
            "batch": self.fixed_batch,
            "is_dynamic_size": self.dynamic_size,
            "normalize": preprocessing if self.normalize else None,
            "softmax": self.softmax,
        }
        if self.zoo_names:
            zoo = family.zoo
            interface |= {
                "input_name": zoo.input_name,
                "output_name": zoo.output_name,
                "softmax": self.softmax or zoo.softmax,
            }
        return Interface(**interface)


def _check_choice(name: str, value: Any, allowed: Any) -> None:
    if value not in allowed:
        names = [one for one in allowed if one]
        raise UserError(f"{name}={value}: it must be one of {', '.join(names)}{nearest(str(value), names)}")
