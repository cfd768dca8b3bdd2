"""Preprocessing: what makes the input of a network from an image, in validation and prediction."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal


@dataclass(frozen=True)
class Preprocessing:
    """Resize the short side to ``image_resize / crop_pct``, crop the centre, and normalise.

    The fields are the options of the same names.

    Attributes:
        image_resize: height and width of the input in pixels.
        crop_pct: share of the resized short side that is cropped.
        interpolation: interpolation of the resize.
        resize_backend: ``opencv`` does not antialias, ``pillow`` does.
        mean: one number a channel, of 0..255, in the order of the network's channels.
        std: the same.
        channel_order: order of the network's channels. One mean is for grey images, which have no order.
    """

    image_resize: int = 224
    crop_pct: float = 0.875
    interpolation: Literal["bilinear", "nearest", "bicubic", "area"] = "bilinear"
    resize_backend: Literal["opencv", "pillow"] = "opencv"
    mean: tuple[float, ...] = (123.675, 116.28, 103.53)
    std: tuple[float, ...] = (58.395, 57.12, 57.375)
    channel_order: Literal["rgb", "bgr"] = "rgb"

    @classmethod
    def of(cls, options: object) -> "Preprocessing":
        """Return the preprocessing that a ``Config`` holds."""
        return cls.from_options({field.name: getattr(options, field.name) for field in fields(cls)})

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> "Preprocessing":
        """Return the preprocessing of options by name; the others of these keep their defaults."""
        known: dict[str, Any] = {field.name: options[field.name] for field in fields(cls) if field.name in options}
        for name in known.keys() & {"mean", "std"}:
            known[name] = tuple(known[name])
        return cls(**known)

    def options(self) -> dict[str, Any]:
        """Return the options by name, as YAML and JSON hold them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @property
    def resize(self) -> int:
        """Length of the short side, in pixels, from which the centre is cropped."""
        return int(self.image_resize / self.crop_pct)

    @property
    def channels(self) -> int:
        """Channels of the network's input: 3, or 1 for grey images."""
        return len(self.mean)

    def __str__(self) -> str:
        return (
            f"{self.resize_backend} resize to {self.resize}, crop {self.image_resize}, {self.channel_order},"
            f" mean {[*self.mean]}, std {[*self.std]}"
        )
