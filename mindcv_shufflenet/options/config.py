"""The options of one command: gathered, checked as a whole, and with an error that says what to do.

The options themselves stand in ``schema.py``.
"""

import glob
import os
import reprlib
from collections.abc import Collection
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError, ValidationInfo, field_validator, model_validator

from mindcv_shufflenet.errors import UserError, nearest
from mindcv_shufflenet.options import schema
from mindcv_shufflenet.options.synonyms import RECIPES_OF_MINDCV, SYNONYMS
from mindcv_shufflenet.options.types import leaf_types, parse_value
from mindcv_shufflenet.options.yaml_text import read_table

# Options of the schema that the suite does not act on yet, and the values that ask for nothing of it.
NOT_BUILT: dict[str, tuple[Any, ...]] = {
    "auto_augment": (None,),
    "aug_splits": (0,),
    "drop_path_rate": (None, 0.0),
    "ema": (False,),
    "ema_decay": (0.9999,),
    "gradient_accumulation_steps": (1,),
    "opt": ("sgd", "momentum", "adam", "adamw"),
    "layer_decay": (None,),
    "scheduler": (
        "constant", "cosine_decay", "exponential_decay", "linear_decay", "polynomial_decay", "step_decay",
        "multi_step_decay",
    ),
    "loss": ("CE",),
    "aux_factor": (0.0,),
    "reduction": ("mean",),
    "amp_level": ("O0", "O2", "O3"),
    "val_amp_level": ("O0", "O2", "O3"),
    "amp_cast_list": (None,),
    "loss_scale_type": ("fixed",),
    "drop_overflow_update": (False,),
}  # fmt: skip

# What a command does now, not what a run is: not written to the run's config.yaml.
ACTIONS = ("overwrite", "resume_opt", "random_weights", "dataset_download")


class Config(
    schema.PrecisionOptions,
    schema.LossOptions,
    schema.ScheduleOptions,
    schema.OptimizerOptions,
    schema.RunOptions,
    schema.ModelOptions,
    schema.AugmentationOptions,
    schema.DataOptions,
    schema.SystemOptions,
):
    """The resolved options of one command. Fields cannot be changed; ``replace`` gives a changed copy."""

    @model_validator(mode="before")
    @classmethod
    def _older_names(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Accept what mindcv's older recipes have with the meaning that it had there.

        ``weight_decay_filter`` replaced ``filter_bias_and_bn``, and ``cosine_decay`` ``warmup_cosine_decay``. Nothing
        read ``save_checkpoint``: checkpoints were always saved, as they are here.
        """
        values = dict(values)
        if "filter_bias_and_bn" in values:
            filtered = _switch(values, "filter_bias_and_bn")
            values = {"weight_decay_filter": "norm_and_bias" if filtered else "auto"} | values
        if "save_checkpoint" in values and not _switch(values, "save_checkpoint"):
            raise ValueError("save_checkpoint is False, and a run always saves its weights: leave it out")
        if values.get("scheduler") == "warmup_cosine_decay":
            values["scheduler"] = "cosine_decay"
        return values

    @field_validator("data_dir", "ckpt_path", "ckpt_save_dir")
    @classmethod
    def _home(cls, path: str) -> str:
        """Expand ``~``, which the shell leaves alone in ``--data_dir=~/data`` and YAML everywhere."""
        if "\0" in path or any(0xD800 <= ord(letter) < 0xE000 for letter in path):
            raise ValueError("a path cannot hold such characters")
        try:
            return str(Path(path).expanduser()) if path.startswith("~") else path
        except RuntimeError:
            raise ValueError("there is no such user; write the path in full") from None

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean_as_number(cls, value: Any, info: ValidationInfo) -> Any:
        """``lr: true`` is a slip, although Python would read it as 1."""
        if isinstance(value, bool) and info.field_name and bool not in leaf_types(cls.model_fields[info.field_name]):
            raise ValueError("it does not take True or False")
        return value

    @field_validator("*")
    @classmethod
    def _held_by_float32(cls, value: Any) -> Any:
        """Refuse numbers that float32, in which networks compute, takes for 0 or infinity."""
        for number in value if isinstance(value, list | tuple) else [value]:
            if isinstance(number, float) and number != 0 and not 1e-37 <= abs(number) <= 1e38:
                raise ValueError("it must be 0, or from 1e-37 to 1e38 in size, which float32 holds")
        return value

    @model_validator(mode="after")
    def _agree(self) -> Self:
        """Hold what concerns more than one option."""
        for name in ("scale", "ratio", "re_scale", "re_ratio"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} is ({low:g}, {high:g}): the first must not be above the second")
        for name in ("mean", "std"):
            if len(getattr(self, name)) != self.in_channels:
                raise ValueError(
                    f"{name} has {len(getattr(self, name))} numbers and in_channels is {self.in_channels}:"
                    f" give one number a channel, such as --{name} {' '.join(['127.5'] * self.in_channels)}"
                )
            values = getattr(self, name)
            if 0 < max(values) <= 1 and not (name == "std" and min(values) == 1):
                times_255 = " ".join(f"{255 * value:g}" for value in values)
                raise ValueError(
                    f"{name}={values} is for images of 0..1, and these have 0..255: give --{name} {times_255}"
                )
        if self.crop_padding is not None and self.crop_padding >= self.image_resize:
            raise ValueError(
                f"crop_padding={self.crop_padding} shifts an image of image_resize={self.image_resize} out of sight:"
                f" use at most {self.image_resize - 1}"
            )
        for name in ("mixup", "cutmix"):
            if 0 < getattr(self, name) < 0.001:
                raise ValueError(f"{name}={getattr(self, name):g} is too small: it must be 0, or at least 0.001")
        if self.scheduler == "step_decay" and self.decay_epochs is None:
            raise ValueError("scheduler=step_decay needs decay_epochs, its period, such as --decay_epochs 30")
        if self.scheduler in ("exponential_decay", "step_decay", "multi_step_decay") and self.decay_rate > 1:
            raise ValueError(f"decay_rate={self.decay_rate:g} would raise the learning rate: it must be at most 1")
        if isinstance(self.color_jitter, list) and len(self.color_jitter) == 4 and self.color_jitter[3] > 0.5:
            raise ValueError(f"color_jitter's hue is {self.color_jitter[3]:g}: it must be at most 0.5")
        if self.resize_backend == "pillow" and self.interpolation == "area":
            raise ValueError("interpolation=area: Pillow has no such resize; use bilinear, nearest or bicubic")
        if self.use_nesterov and self.opt in ("sgd", "momentum") and self.momentum == 0:
            raise ValueError("use_nesterov needs a momentum above 0")
        if self.use_nesterov and self.opt == "adamw":
            raise ValueError("use_nesterov is for sgd, momentum and adam; adamw has no such form")
        if self.aug_repeats > 1 and not self.shuffle:
            raise ValueError("aug_repeats needs shuffle: without it the same images would be left out of each epoch")
        if self.random_weights and self.ckpt_path:
            raise ValueError("random_weights and ckpt_path are both given; leave one out")
        if self.reset_classifier and not self.ckpt_path and not self.pretrained:
            raise ValueError("reset_classifier is for the weights of ckpt_path or pretrained, and neither is given")
        if self.overwrite and self.resume_opt:
            raise ValueError("overwrite begins a run anew and resume_opt goes on with one: give only one of them")
        if self.ckpt_save_policy == "top_k" and not self.val_while_train:
            raise ValueError("ckpt_save_policy=top_k ranks by val_top1 and so needs val_while_train")
        for name, allowed in NOT_BUILT.items():
            if (value := getattr(self, name)) not in allowed:
                raise ValueError(f"{name}={value} is not built yet; what works is {_spell(allowed)}")
        return self

    @property
    def network(self) -> str:
        """The name of the network, without the tag of its weights."""
        return self.model.partition(".")[0]

    @property
    def crops_resized(self) -> bool:
        """Whether training crops a random area and resizes it, rather than shifting the image."""
        return self.train_crop == "resized" or (self.train_crop == "auto" and self.dataset != "cifar10")

    def replace(self, **changes: Any) -> "Config":
        """Return a copy with some options changed, validated again."""
        return parse_config(self.model_dump() | changes)

    def recipe(self) -> dict[str, Any]:
        """Return every option but those that say what a command does."""
        return self.model_dump(mode="json", exclude=set(ACTIONS))

    def record(self) -> dict[str, Any]:
        """Return what a run keeps of its options: the recipe, whose data and first weights are found from anywhere."""
        recipe = self.recipe()
        if self.dataset != "digits":  # which lie in no folder
            recipe["data_dir"] = os.path.abspath(self.data_dir)
        if self.ckpt_path and "://" not in self.ckpt_path:
            recipe["ckpt_path"] = os.path.abspath(self.ckpt_path)
        return recipe


def parse_config(values: dict[str, Any]) -> Config:
    """Check ``values`` against the schema.

    Raises:
        UserError: an unknown name (with the nearest right one), or a value that is not allowed (with what is).
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise UserError(_explain(error.errors(include_url=False)[0], values)) from None


def read_recipe(name: str) -> tuple[dict[str, Any], list[str]]:
    """Read a recipe that is given by its path, or by our or mindcv's name of one in the repository's ``configs/``.

    Returns:
        Its options, unchecked, and a line if another recipe is read in the place of mindcv's.

    Raises:
        UserError: as :func:`load_yaml`.
    """
    recipes = Path(__file__).parents[2] / "configs"
    title = Path(name).name.removesuffix(".yaml")
    ours = RECIPES_OF_MINDCV.get(title, name.removesuffix(".yaml"))
    found = None if Path(name).exists() else next(recipes.glob(f"*/{glob.escape(ours)}.yaml"), None)
    told = [f"{name} is mindcv's name; {found.name} is read"] if found and found.stem != title else []
    return load_yaml(found or name), told


def load_yaml(path: str | Path) -> dict[str, Any]:
    """Read the options of a YAML recipe, each as its text would be read on the command line, unchecked.

    Raises:
        UserError: the file is missing, is not YAML, or is not a table of options.
    """
    fields = Config.model_fields
    return {
        name: parse_value(fields[name], value) if name in fields else value for name, value in read_table(path).items()
    }


def unknown_option(name: str, names: Collection[str] = ()) -> str:
    """Return the message for an option that does not exist, with the nearest of ``names``, or of the schema's."""
    known = SYNONYMS.get(name.replace("-", "_").lower())
    return f"unknown option {name}{nearest(known or name, names or Config.model_fields)}; --help all lists them"


def _explain(error: Any, values: dict[str, Any]) -> str:
    """Put the first finding of pydantic into one line of ours."""
    message = error["msg"].removeprefix("Value error, ").replace("Input should be", "it must be")
    if not error["loc"]:
        return message
    name = str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        return unknown_option(name)
    if len(error["loc"]) > 1:
        bound = f" ({message})" if error["type"].startswith(("greater", "less")) else ""
        message = f"it takes {Config.model_fields[name].description}{bound}"
    return f"{name}={_SHORT.repr(values[name])}: {message}"


class _Short(reprlib.Repr):
    """Spells a value in at most some 100 characters, texts without quotation marks."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlong = 2, 60

    def repr_str(self, text: str, _: int) -> str:
        return text if len(text) <= 100 else f"{text[:50]}...{text[-20:]}"


_SHORT = _Short()


def _switch(values: dict[str, Any], name: str) -> bool:
    """Take a switch that is no option of the schema out of a table."""
    value = values.pop(name)
    try:
        return TypeAdapter(bool).validate_python(value)
    except ValidationError:
        raise ValueError(f"{name} is {value!r}: it takes True or False") from None


def _spell(values: tuple[Any, ...]) -> str:
    return ", ".join(str(value) for value in values)
