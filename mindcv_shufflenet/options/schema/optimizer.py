"""Options of the optimizer."""

from typing import Annotated, Literal, Self

from pydantic import model_validator

from mindcv_shufflenet.options.bounds import BelowOne, DecayFactor, OneOf
from mindcv_shufflenet.options.group import OptionGroup
from mindcv_shufflenet.options.names import FURTHER_OPTIMIZERS, OPTIMIZERS
from mindcv_shufflenet.options.option import given, option


class OptimizerOptions(OptionGroup):
    """optimizer"""

    opt: Annotated[str, OneOf((*OPTIMIZERS, *FURTHER_OPTIMIZERS))] = option(
        "momentum", "optimizer", read_by="train", works=OPTIMIZERS, mindcv="adam", is_common=True
    )
    momentum: BelowOne = option(
        0.9, "momentum of sgd and momentum", read_by="train", needs=given("opt", "sgd", "momentum")
    )
    weight_decay: float = option(4e-5, "L2 penalty; decoupled for adamw", read_by="train", mindcv=1e-6, ge=0, le=10)
    weight_decay_filter: Literal["disable", "auto", "norm_and_bias"] = option(
        "auto", "no decay for: nothing (disable), BatchNorm (auto), BatchNorm and bias (norm_and_bias)",
        read_by="train", mindcv="disable",
    )  # fmt: skip
    use_nesterov: bool = option(False, "Nesterov's momentum", read_by="train")
    eps: float = option(
        1e-10, "term that keeps the denominator of adam and adamw from zero", read_by="train",
        needs=given("opt", "adam", "adamw"), ge=1e-20, le=1,
    )  # fmt: skip
    layer_decay: DecayFactor | None = option(
        None, "learning rate decay from layer to layer", read_by="train", works=(None,)
    )

    @model_validator(mode="after")
    def _nesterov_has_a_momentum(self) -> Self:
        if self.use_nesterov and self.opt in ("sgd", "momentum") and self.momentum == 0:
            raise ValueError("use_nesterov needs a momentum above 0")
        if self.use_nesterov and self.opt == "adamw":
            raise ValueError("use_nesterov is for sgd, momentum and adam; adamw has no such form")
        return self
