"""Options of the optimizer."""

from typing import Annotated, Literal, Self

from pydantic import model_validator

from mindcv_shufflenet.options.bounds import BelowOne, DecayFactor, OneOf
from mindcv_shufflenet.options.group import OptionGroup
from mindcv_shufflenet.options.names import OPTIMIZERS, readers
from mindcv_shufflenet.options.option import Needs, given, option


def _optimizers(name: str) -> Needs:
    """Need one of the optimizers that read an option."""
    return given("opt", *readers(name, OPTIMIZERS))


class OptimizerOptions(OptionGroup):
    """optimizer"""

    opt: Annotated[str, OneOf(tuple(OPTIMIZERS))] = option(
        "momentum", "optimizer", read_by="train", mindcv="adam", is_common=True
    )
    momentum: BelowOne = option(
        0.9, "momentum of sgd, momentum and rmsprop", read_by="train", needs=_optimizers("momentum")
    )
    weight_decay: float = option(
        4e-5, "L2 penalty; adamw, lion, adan and lamb shrink the weights by it beside the gradient (decoupled)",
        read_by="train", mindcv=1e-6, ge=0, le=10,
    )  # fmt: skip
    weight_decay_filter: Literal["disable", "auto", "norm_and_bias"] = option(
        "auto", "no decay for: nothing (disable), BatchNorm (auto), BatchNorm and bias (norm_and_bias)",
        read_by="train", mindcv="disable",
    )  # fmt: skip
    use_nesterov: bool = option(False, "Nesterov's momentum, in sgd, momentum and adam", read_by="train")
    eps: float = option(
        1e-10, "term that keeps the denominator of adam, adamw, nadam, adan, rmsprop and lamb from zero",
        read_by="train", needs=_optimizers("eps"), ge=1e-20, le=1,
    )  # fmt: skip
    layer_decay: DecayFactor | None = option(
        None, "factor of the learning rate from each layer or block to the one before it; the classifier has lr;"
        " null: all have it", read_by="train",
    )  # fmt: skip

    @model_validator(mode="after")
    def _nesterov_has_a_momentum(self) -> Self:
        if not self.use_nesterov:
            return self
        *others, last = readers("use_nesterov", OPTIMIZERS)
        if self.opt not in (*others, last):
            raise ValueError(f"use_nesterov is for {', '.join(others)} and {last}; {self.opt} has no such form")
        if "momentum" in OPTIMIZERS[self.opt] and self.momentum == 0:
            raise ValueError("use_nesterov needs a momentum above 0")
        return self
