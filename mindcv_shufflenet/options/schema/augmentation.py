"""Options that make the network's input from an image: preprocessing, augmentation and mixing."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from mindcv_shufflenet.options.bounds import Area, AspectRatio, Count, Epochs, Fraction, Pixel, Strength
from mindcv_shufflenet.options.group import OptionGroup
from mindcv_shufflenet.options.names import DATASETS
from mindcv_shufflenet.options.option import ABSENT, Needs, given, option
from mindcv_shufflenet.options.policy import POLICIES, parse_policy
from mindcv_shufflenet.options.size_schedule import LARGEST, SMALLEST, Stage, parse_stages

_RESIZED = Needs("a resized train_crop", lambda c, _: c.crops_resized)
_PADDED = Needs("a padded train_crop", lambda c, _: not c.crops_resized)
_PADDED_DATASETS = [name for name, traits in DATASETS.items() if traits.train_crop == "padded"]
_MIXED = Needs("cutmix_prob above 0 and batch_size above 1", lambda c, _: c.cutmix_prob > 0 and c.batch_size > 1)
_MIXES = Needs("mixup or cutmix", lambda c, _: c.mixup > 0 or c.cutmix > 0)


class AugmentationOptions(OptionGroup):
    """augmentation"""

    image_resize: int = option(
        224, "height and width of the network's input in pixels",
        read_by="train validate predict models export benchmark fit", of="preprocessing", is_common=True, memory_rank=2,
        ge=SMALLEST, le=LARGEST,
    )  # fmt: skip
    image_resize_schedule: list[str] | None = option(
        None, "size of training images from an epoch on, such as 128@0 160@30; null: image_resize in all epochs",
        read_by="train", mindcv=ABSENT,
    )  # fmt: skip
    train_crop: Literal["auto", "resized", "padded"] = option(
        "auto", "resized: random area and aspect ratio; padded: shift by up to crop_padding pixels; auto: padded for"
        f" {', '.join(_PADDED_DATASETS)}, else resized", read_by="train", mindcv=ABSENT,
    )  # fmt: skip
    crop_padding: Annotated[int, Field(ge=0, le=4096)] | None = option(
        None, "largest shift of a padded crop in pixels; null: an eighth of image_resize", read_by="train",
        needs=_PADDED, mindcv=ABSENT,
    )  # fmt: skip
    scale: tuple[Area, Area] = option(
        (0.08, 1.0), "smallest and largest area of a resized crop", read_by="train", needs=_RESIZED
    )
    ratio: tuple[AspectRatio, AspectRatio] = option(
        (0.75, 1.333), "narrowest and widest aspect ratio of it", read_by="train", needs=_RESIZED
    )
    hflip: Fraction = option(0.5, "probability of a horizontal flip", read_by="train fit")
    vflip: Fraction = option(0.0, "probability of a vertical flip", read_by="train fit")
    color_jitter: Strength | Annotated[list[Strength], Field(min_length=3, max_length=4)] | None = option(
        0.4, "one number, or brightness, contrast, saturation and optionally hue (at most 0.5)", read_by="train",
        needs=Needs("auto_augment null, since a policy takes its place", lambda c, _: c.auto_augment is None),
    )  # fmt: skip
    interpolation: Literal["bilinear", "nearest", "bicubic", "area"] = option(
        "bilinear", "of a resize", read_by="train validate predict export", of="preprocessing"
    )
    auto_augment: str | None = option(
        None, f"policy that augments each image: {', '.join(POLICIES)}, with its parts, such as randaug-m9-n2-mstd0.5",
        read_by="train",
    )  # fmt: skip
    aug_splits: int = option(
        0, "N above 1: a batch has N views of each image, the first without auto_augment; 0: one", read_by="train",
        ge=0, le=16,
    )  # fmt: skip
    aug_repeats: int = option(
        0, "N above 1: an epoch shows one in N images, each N times; 0 and 1: all once", read_by="train",
        ge=0, le=1_000_000,
    )  # fmt: skip
    re_prob: Fraction = option(0.0, "probability of erasing a rectangle", read_by="train")
    re_scale: tuple[Area, Area] = option(
        (0.02, 0.33), "smallest and largest erased area", read_by="train", needs=given("re_prob")
    )
    re_ratio: tuple[AspectRatio, AspectRatio] = option(
        (0.3, 3.3), "smallest and largest height/width of it", read_by="train", needs=given("re_prob")
    )
    re_value: Literal["random"] | Pixel | Annotated[list[Pixel], Field(min_length=1)] = option(
        0.0, "what stands in the rectangle, after normalisation: a number, one a channel, or random", read_by="train",
        needs=given("re_prob"),
    )  # fmt: skip
    re_max_attempts: Count = option(10, "tries to find a rectangle that fits", read_by="train", needs=given("re_prob"))
    mean: list[Annotated[float, Field(ge=0, le=255)]] = option(
        [123.675, 116.28, 103.53],
        "mean a channel, of 0..255",
        read_by="train validate predict export",
        of="preprocessing",
    )
    std: list[Annotated[float, Field(ge=0.001, le=255)]] = option(
        [58.395, 57.12, 57.375], "standard deviation a channel, of 0..255", read_by="train validate predict export",
        of="preprocessing",
    )  # fmt: skip
    channel_order: Literal["rgb", "bgr"] = option(
        "rgb", "order of the channels that the network sees (mean and std are in that order)",
        read_by="train validate predict export", of="preprocessing", needs=given("in_channels", 3), mindcv=ABSENT,
    )  # fmt: skip
    crop_pct: Annotated[float, Field(ge=0.1, le=1)] = option(
        0.875, "share of the resized short side that validation crops", read_by="train validate predict export",
        of="preprocessing",
    )  # fmt: skip
    resize_backend: Literal["opencv", "pillow"] = option(
        "opencv", "resize of validation: opencv (no antialiasing; mindcv's and our weights) or pillow (antialiased;"
        " torchvision's and most others')", read_by="train validate predict export", of="preprocessing", mindcv=ABSENT,
    )  # fmt: skip
    mixup: Annotated[float, Field(ge=0, le=1000)] = option(
        0.0, "alpha of mixup's Beta distribution; 0: none; train_top1 counts the class with the larger share",
        read_by="train", needs=_MIXED,
    )  # fmt: skip
    cutmix: Annotated[float, Field(ge=0, le=1000)] = option(
        0.0, "the same of CutMix; with mixup too, each has half of the mixed batches", read_by="train", needs=_MIXED
    )
    cutmix_prob: Fraction = option(
        1.0, "probability of mixing a batch at all, by mixup or CutMix", read_by="train",
        needs=_MIXES,
    )  # fmt: skip
    mixup_off_epoch: Epochs = option(
        0, "epoch, counted from 0, from which on neither mixup nor CutMix mixes; 0: both to the end", read_by="train",
        needs=_MIXES, mindcv=ABSENT,
    )  # fmt: skip

    @model_validator(mode="after")
    def _ranges_ascend(self) -> Self:
        for name in ("scale", "ratio", "re_scale", "re_ratio"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} is ({low:g}, {high:g}): the first must not be above the second")
        return self

    @field_validator("auto_augment")
    @classmethod
    def _policy_exists(cls, text: str | None) -> str | None:
        if text is not None:
            parse_policy(text)
        return text

    @field_validator("image_resize_schedule")
    @classmethod
    def _stages_ascend(cls, texts: list[str] | None) -> list[str] | None:
        if texts is not None:
            parse_stages(texts)
        return texts

    @model_validator(mode="after")
    def _crop_sees_the_image(self) -> Self:
        size = min(self.stages).size
        if self.crop_padding is not None and self.crop_padding >= size:
            raise ValueError(
                f"crop_padding={self.crop_padding} shifts an image of {size} pixels out of sight:"
                f" use at most {size - 1}"
            )
        return self

    @model_validator(mode="after")
    def _splits_differ(self) -> Self:
        if self.aug_splits == 1:
            raise ValueError("aug_splits=1 is no split: it must be 0, or at least 2; AugMix has 3")
        if self.aug_splits and self.auto_augment is None:
            raise ValueError(f"aug_splits={self.aug_splits} needs auto_augment, which makes the views: give augmix")
        if self.aug_splits and (self.mixup or self.cutmix):
            raise ValueError(
                "aug_splits has views of one image, and mixup and cutmix mix images: leave one of them out"
            )
        return self

    @model_validator(mode="after")
    def _mixing_can_be_drawn(self) -> Self:
        for name in ("mixup", "cutmix"):
            if 0 < getattr(self, name) < 0.001:
                raise ValueError(f"{name}={getattr(self, name):g} is too small: it must be 0, or at least 0.001")
        return self

    @model_validator(mode="after")
    def _hue_is_in_range(self) -> Self:
        if isinstance(self.color_jitter, list) and len(self.color_jitter) == 4 and self.color_jitter[3] > 0.5:
            raise ValueError(f"color_jitter's hue is {self.color_jitter[3]:g}: it must be at most 0.5")
        return self

    @model_validator(mode="after")
    def _pillow_has_the_resize(self) -> Self:
        if self.resize_backend == "pillow" and self.interpolation == "area":
            raise ValueError("interpolation=area: Pillow has no such resize; use bilinear, nearest or bicubic")
        return self

    @property
    def stages(self) -> list[Stage]:
        """The sizes of training images by epoch; one stage where ``image_resize`` holds for all."""
        return parse_stages(self.image_resize_schedule or [f"{self.image_resize}@0"])
