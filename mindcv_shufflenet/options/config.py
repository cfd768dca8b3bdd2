"""The options of one command, checked as a whole, with errors that say what to do.

The options themselves stand in ``schema/``.
"""

import os
import reprlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError, ValidationInfo, model_validator

from mindcv_shufflenet.errors import UserError, nearest
from mindcv_shufflenet.options.annotations import parse_value
from mindcv_shufflenet.options.group import Purpose
from mindcv_shufflenet.options.model_name import ModelName
from mindcv_shufflenet.options.names import traits_of
from mindcv_shufflenet.options.option import option_of
from mindcv_shufflenet.options.schema.augmentation import AugmentationOptions
from mindcv_shufflenet.options.schema.data import DataOptions
from mindcv_shufflenet.options.schema.distillation import DistillationOptions
from mindcv_shufflenet.options.schema.loss import LossOptions
from mindcv_shufflenet.options.schema.model import ModelOptions
from mindcv_shufflenet.options.schema.optimizer import OptimizerOptions
from mindcv_shufflenet.options.schema.precision import PrecisionOptions
from mindcv_shufflenet.options.schema.run import RunOptions
from mindcv_shufflenet.options.schema.schedule import ScheduleOptions
from mindcv_shufflenet.options.schema.system import SystemOptions
from mindcv_shufflenet.options.synonyms import SYNONYMS


class Config(
    PrecisionOptions,
    DistillationOptions,
    LossOptions,
    ScheduleOptions,
    OptimizerOptions,
    RunOptions,
    ModelOptions,
    AugmentationOptions,
    DataOptions,
    SystemOptions,
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

    @model_validator(mode="after")
    def _normalises_each_channel(self, info: ValidationInfo) -> Self:
        verb = Purpose.of(info).verb
        for name in ("mean", "std"):
            is_read = verb is None or verb in option_of(type(self).model_fields[name]).read_by
            if is_read and len(getattr(self, name)) != self.in_channels:
                raise ValueError(
                    f"{name} has {len(getattr(self, name))} numbers and in_channels is {self.in_channels}:"
                    f" give one number a channel, such as --{name} {' '.join(['127.5'] * self.in_channels)}"
                )
        return self

    @model_validator(mode="after")
    def _normalises_bytes(self) -> Self:
        """Refuse a mean and a standard deviation of images of 0..1."""
        for name in ("mean", "std"):
            values = getattr(self, name)
            if 0 < max(values) <= 1 and not (name == "std" and min(values) == 1):
                times_255 = " ".join(f"{255 * value:g}" for value in values)
                raise ValueError(
                    f"{name}={values} is for images of 0..1, and these have 0..255: give --{name} {times_255}"
                )
        return self

    @model_validator(mode="after")
    def _repeats_are_shuffled(self) -> Self:
        if self.aug_repeats > 1 and not self.shuffle:
            raise ValueError("aug_repeats needs shuffle: without it the same images would be left out of each epoch")
        return self

    @model_validator(mode="after")
    def _compares_views(self) -> Self:
        if self.loss == "JSD" and not self.aug_splits:
            raise ValueError("loss=JSD compares views of an image: give aug_splits 3 and auto_augment augmix with it")
        return self

    @model_validator(mode="after")
    def _begins_or_goes_on(self) -> Self:
        if self.overwrite and self.resume_opt:
            raise ValueError("overwrite starts a new run and resume_opt goes on with one: give only one of them")
        return self

    @model_validator(mode="after")
    def _ranks_checkpoints_by_a_score(self) -> Self:
        if self.ckpt_save_policy == "top_k" and not self.val_while_train:
            raise ValueError("ckpt_save_policy=top_k ranks by val_top1 and so needs val_while_train")
        return self

    @model_validator(mode="after")
    def _runs_a_file_as_it_is(self) -> Self:
        if not self.model_name.is_file:
            return self
        if self.engine == "mindspore":
            raise ValueError(
                f"engine=mindspore computes weights, and {self.model} is a whole network: leave engine out, or take"
                " another one"
            )
        for name in ("ckpt_path", "pretrained", "random_weights"):
            if getattr(self, name):
                raise ValueError(f"{name} is given and {self.model} is a network with its weights: leave one out")
        return self

    @property
    def chosen_engine(self) -> str:
        """The engine that is asked for, or the one that goes with ``model``."""
        return self.engine or ("onnxruntime" if self.model_name.is_file else "mindspore")

    @property
    def model_name(self) -> ModelName:
        """The option ``model``, split into the network's name and the tag of its weights."""
        return ModelName.parse(self.model)

    @property
    def crops_resized(self) -> bool:
        """Whether training crops a random area and resizes it, rather than shifting the image."""
        crop = traits_of(self.dataset).train_crop if self.train_crop == "auto" else self.train_crop
        return crop == "resized"

    def replace(self, **changes: Any) -> "Config":
        """Return a copy with some options changed, validated again, but for the data set, which may be recorded."""
        return parse_config(self.model_dump() | changes, type(self), is_recorded=True)

    def recipe(self) -> dict[str, Any]:
        """Return every option but those that say what a command does."""
        fields = type(self).model_fields
        commands = {name for name, field in fields.items() if option_of(field).of == "command"}
        return self.model_dump(mode="json", exclude=commands)

    def record(self) -> dict[str, Any]:
        """Return what a run records of its options: the recipe, with absolute paths of its data and first weights."""
        recipe = self.recipe()
        if traits_of(self.dataset).needs_folder:
            recipe["data_dir"] = os.path.abspath(self.data_dir)
        for name in ("ckpt_path", "teacher"):
            path = getattr(self, name)
            if path and "://" not in path and (name == "ckpt_path" or os.path.exists(path)):
                recipe[name] = os.path.abspath(path)
        return recipe


def parse_config(
    values: Mapping[str, Any],
    schema: type[Config] = Config,
    *,
    is_recorded: bool = False,
    verb: str | None = None,
) -> Config:
    """Check ``values`` against the schema.

    Args:
        values: options by name.
        schema: the class of the options.
        is_recorded: whether a run directory or a weights file has them, whose program may have registered data sets.
        verb: the verb that reads them; a mean that it does not read need not fit ``in_channels``. None: any.

    Raises:
        UserError: an unknown name (with the nearest right one), or a value that is not allowed (with what is).
    """
    if not isinstance(values, Mapping):
        raise UserError(f"{type(values).__name__} is no table of options: give names and values, as a recipe has them")
    if odd := [name for name in values if not isinstance(name, str)]:
        raise UserError(f"{odd[0]!r} is no name of an option")
    try:
        return schema.model_validate(dict(values), context=Purpose(is_recorded, verb))
    except ValidationError as error:
        raise UserError(_explain(error.errors(include_url=False)[0], values, schema)) from None


def load_yaml(path: str | Path, schema: type[Config] = Config) -> dict[str, Any]:
    """Read the options of a YAML recipe, each as its text would be read on the command line, unchecked.

    Args:
        path: path of the file.
        schema: the class of the options.

    Raises:
        UserError: the file is missing, is not YAML, or is not a table of options.
    """
    from mindcv_shufflenet.options.yaml_text import read_table  # --help need not wait for yaml

    fields = schema.model_fields
    return {
        name: parse_value(fields[name], value) if name in fields else value for name, value in read_table(path).items()
    }


def unknown_option(name: str, names: Collection[str]) -> str:
    """Return the message for an option that does not exist, with the nearest of ``names``."""
    known = SYNONYMS.get(name.replace("-", "_").lower())
    return f"unknown option {name}{nearest(known or name, names)}; --help all lists them"


def _explain(error: Any, values: Mapping[str, Any], schema: type[Config]) -> str:
    """Turn pydantic's first error into one line."""
    message = error["msg"].removeprefix("Value error, ").replace("Input should be", "it must be")
    if not error["loc"]:
        return message
    name = str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        return unknown_option(name, schema.model_fields)
    if len(error["loc"]) > 1:
        bound = f" ({message})" if error["type"].startswith(("greater", "less")) else ""
        message = f"it takes {schema.model_fields[name].description}{bound}"
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
