"""Options of the precision in which the network computes."""

from typing import Literal

from mindcv_shufflenet.options.group import OptionGroup
from mindcv_shufflenet.options.option import ABSENT, Needs, option

_AmpLevel = Literal["O0", "O1", "O2", "O3"]
_WORKS = ("O0", "O2", "O3")


def _on(engine: str) -> Needs:
    """Need a runtime."""
    return Needs(f"the engine {engine}", lambda options, _: options.chosen_engine == engine)


class PrecisionOptions(OptionGroup):
    """precision"""

    amp_level: _AmpLevel = option(
        "O0", "mixed precision: O0 float32 ... O3 float16 throughout", read_by="train", works=_WORKS
    )
    val_amp_level: _AmpLevel = option(
        "O0", "the same for validation", read_by="validate", works=_WORKS, needs=_on("mindspore")
    )
    precision: Literal["fp32", "bf16"] = option(
        "fp32", "in which OpenVINO computes floats; bf16 is faster where the processor multiplies it fast",
        read_by="validate predict verify", of="command", mindcv=ABSENT, needs=_on("openvino"),
    )  # fmt: skip
    amp_cast_list: list[str] | None = option(None, "operations to cast", read_by="train", works=(None,))
    loss_scale_type: Literal["fixed", "dynamic", "auto"] = option(
        "fixed", "kind of loss scale", read_by="train", works=("fixed",)
    )
    loss_scale: float = option(
        1.0, "factor of the loss, taken out of the gradients again", read_by="train", ge=0.001, le=2**32
    )
    drop_overflow_update: bool = option(
        False, "leave out an update whose gradients overflow", read_by="train", works=(False,)
    )
