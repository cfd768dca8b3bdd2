"""The options of one command: gathered, checked as a whole, and with an error that says what to do.

The options themselves stand in ``schema.py``.
"""

import glob
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import ValidationError, ValidationInfo, field_validator, model_validator

from mindcv_shufflenet import schema
from mindcv_shufflenet.errors import UserError, nearest
from mindcv_shufflenet.option_types import leaf_types

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
        """Accept ``filter_bias_and_bn`` of mindcv's older recipes, which ``weight_decay_filter`` replaced."""
        if "filter_bias_and_bn" not in values:
            return values
        values = dict(values)
        filtered = values.pop("filter_bias_and_bn")
        if not isinstance(filtered, bool):
            raise ValueError(f"filter_bias_and_bn is {filtered!r}: it takes True or False")
        return {"weight_decay_filter": "norm_and_bias" if filtered else "auto"} | values

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
        """Return what is written to a run's ``config.yaml``: every option but those that say what a command does."""
        return self.model_dump(mode="json", exclude=set(ACTIONS))


def parse_config(values: dict[str, Any]) -> Config:
    """Check ``values`` against the schema.

    Raises:
        UserError: an unknown name (with the nearest right one), or a value that is not allowed (with what is).
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise UserError(_explain(error.errors(include_url=False)[0], values)) from None


def find_recipe(name: str) -> str:
    """Return the file of a recipe that is given by its path, or by the name of one in the repository's ``configs/``."""
    if not Path(name).exists():
        for path in (Path(__file__).parents[1] / "configs").glob(f"*/{glob.escape(name.removesuffix('.yaml'))}.yaml"):
            return str(path)
    return name


def load_yaml(path: str | Path) -> dict[str, Any]:
    """Read the options of a YAML recipe, unchecked.

    Raises:
        UserError: the file is missing, is not YAML, or is not a table of options.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise UserError(f"cannot read the recipe {path}: {reason}; give the path of a YAML file to -c") from None
    try:
        values = yaml.load(text, _UniqueKeys)  # a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark else ""
        raise UserError(
            f"{path} is not valid YAML{place}: {getattr(error, 'problem', None) or 'see the file'}"
        ) from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise UserError(f"{path} must hold options as `name: value` lines")
    return {name.replace("-", "_"): value for name, value in values.items()}


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a name that stands twice; YAML itself takes the last one without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value).replace("-", "_")
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{name} stands there twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


def unknown_option(name: str) -> str:
    """Return the message for an option that does not exist."""
    return f"unknown option {name}{nearest(name, list(Config.model_fields))}; --help lists them all"


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
    return f"{name}={values[name]}: {message}"


def _spell(values: tuple[Any, ...]) -> str:
    return ", ".join(str(value) for value in values)
