"""Augmentation: the random crop, flips, colours and policy of training."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.policy import parse_policy

if TYPE_CHECKING:
    from mindcv_shufflenet.options.config import Config


@dataclass(frozen=True)
class Augmentation:
    """What training does to an image at random before it is normalised.

    The fields are the options of the same names.

    Attributes:
        train_crop: ``resized``: a random area and aspect ratio; ``padded``: a shift over black.
        crop_padding: largest shift of a padded crop in pixels; None: an eighth of the input's size.
        scale: smallest and largest area of a resized crop, as a share of the image.
        ratio: narrowest and widest aspect ratio of it.
        hflip: probability of a horizontal flip.
        vflip: probability of a vertical flip.
        color_jitter: strength of brightness, contrast and saturation, one number for all or one each, and optionally
            that of hue; None or 0: none. Without effect beside ``auto_augment``.
        auto_augment: a policy, such as ``randaug-m9-n2-mstd0.5`` (docs/augmentation.md); None: none.

    Raises:
        UserError: the policy or one of its parts is unknown.
    """

    train_crop: Literal["resized", "padded"] = "resized"
    crop_padding: int | None = None
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (0.75, 1.333)
    hflip: float = 0.5
    vflip: float = 0.0
    color_jitter: float | Sequence[float] | None = 0.4
    auto_augment: str | None = None

    def __post_init__(self) -> None:
        if self.auto_augment is not None:
            try:
                parse_policy(self.auto_augment)
            except ValueError as error:
                raise UserError(f"auto_augment={self.auto_augment}: {error}") from None

    @classmethod
    def of(cls, config: "Config") -> "Augmentation":
        """Return the augmentation of a run's options."""
        values = {field.name: getattr(config, field.name) for field in fields(cls)}
        return cls(**values | {"train_crop": "resized" if config.crops_resized else "padded"})
