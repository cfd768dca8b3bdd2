"""Options of the precision in which the network computes."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mindcv_shufflenet.options.group import OptionGroup
from mindcv_shufflenet.options.option import ABSENT, Needs, option

_AmpLevel = Literal["O0", "O1", "O2", "O3"]
_LISTED = Needs("amp_level O1 or O2", lambda c, _: c.amp_level in ("O1", "O2"))
_SCALED = Needs("loss_scale_type fixed or dynamic", lambda c, _: c.loss_scale_type != "auto")
_MAY_DROP = Needs("loss_scale_type fixed: dynamic always does", lambda c, _: c.loss_scale_type == "fixed")


def _on(engine: str) -> Needs:
    """Need a runtime."""
    return Needs(f"the engine {engine}", lambda options, _: options.chosen_engine == engine)


class PrecisionOptions(OptionGroup):
    """precision"""

    amp_level: _AmpLevel = option(
        "O0", "mixed precision: O0: float32; O1: float16 in convolutions and dense layers; O2: float16 but in norms;"
        " O3: float16", read_by="train",
    )  # fmt: skip
    cpu_precision: Literal["fp32", "bf16"] = option(
        "fp32", "of the 1x1 convolutions of a training on a CPU: bf16 multiplies numbers rounded to bfloat16 and adds"
        " the products in float32, which needs a processor with AMX; it validates so too, but validate in fp32",
        read_by="train", mindcv=ABSENT,
    )  # fmt: skip
    val_amp_level: _AmpLevel = option("O0", "the same for validation", read_by="validate", needs=_on("mindspore"))
    precision: Literal["fp32", "bf16"] = option(
        "fp32", "in which OpenVINO computes floats; bf16 is faster where the processor multiplies it fast",
        read_by="validate predict verify", of="command", mindcv=ABSENT, needs=_on("openvino"),
    )  # fmt: skip
    amp_cast_list: Annotated[list[str], Field(min_length=1)] | None = option(
        None, "MindSpore's names of the cells that O1 computes in float16, or O2 in float32: Conv2d Dense; null:"
        " MindSpore's own lists", read_by="train", needs=_LISTED,
    )  # fmt: skip
    loss_scale_type: Literal["fixed", "dynamic", "auto"] = option(
        "fixed", "fixed: loss_scale; dynamic: begins at loss_scale, doubled after 2000 updates without an overflow,"
        " halved after one; auto: dynamic at O2, none elsewhere, as MindSpore does", read_by="train",
    )  # fmt: skip
    loss_scale: float = option(
        1.0, "factor of the loss, taken out of the gradients again", read_by="train", needs=_SCALED, ge=0.001, le=2**32
    )
    drop_overflow_update: bool = option(
        False, "leave out an update whose gradients overflow", read_by="train", needs=_MAY_DROP
    )

    @model_validator(mode="after")
    def _rounds_float32(self) -> Self:
        if self.cpu_precision != "fp32" and self.amp_level != "O0":
            raise ValueError(
                f"cpu_precision={self.cpu_precision} rounds a network in float32, and amp_level is {self.amp_level}:"
                " leave one of them out"
            )
        return self

    @model_validator(mode="after")
    def _dynamic_scale_is_not_below_one(self) -> Self:
        if self.loss_scale_type == "dynamic" and self.loss_scale < 1:
            raise ValueError(f"loss_scale={self.loss_scale:g}: a dynamic scale is at least 1")
        return self
