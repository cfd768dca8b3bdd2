"""Options of knowledge distillation: a trained network, the teacher, helps to train another one."""

from typing import Literal, Self

from pydantic import model_validator

from mindcv_shufflenet.options.bounds import Strength
from mindcv_shufflenet.options.group import OptionGroup
from mindcv_shufflenet.options.option import ABSENT, Needs, given, option

_DECOUPLED = Needs("teacher and kd decoupled", lambda options, _: bool(options.teacher) and options.kd == "decoupled")


class DistillationOptions(OptionGroup):
    """distillation"""

    teacher: str = option(
        "", "trained network of the same classes whose logits are learned too: MODEL or MODEL.TAG of published weights,"
        " a weights file as ckpt_path takes it, or its address", read_by="train", mindcv=ABSENT, is_path=True,
    )  # fmt: skip
    kd: Literal["hinton", "decoupled"] = option(
        "hinton", "loss against the teacher: hinton (Hinton et al. 2015), or decoupled into target class and others"
        " (Zhao et al. 2022)", read_by="train", mindcv=ABSENT, needs=given("teacher"),
    )  # fmt: skip
    kd_alpha: Strength | None = option(
        None, "hinton: share of the loss that is the teacher's (null: 0.9); decoupled: weight of the target class"
        " (null: 1)", read_by="train", mindcv=ABSENT, needs=given("teacher"),
    )  # fmt: skip
    kd_beta: Strength = option(
        8.0, "weight of the other classes in the decoupled loss", read_by="train", mindcv=ABSENT, needs=_DECOUPLED
    )
    kd_temperature: float = option(
        4.0, "by which the logits of both networks are divided", read_by="train", mindcv=ABSENT, needs=given("teacher"),
        ge=0.1, le=100,
    )  # fmt: skip

    @model_validator(mode="after")
    def _shares_the_loss(self) -> Self:
        if self.kd == "hinton" and self.kd_alpha is not None and self.kd_alpha > 1:
            raise ValueError(
                f"kd_alpha={self.kd_alpha}: with kd=hinton it is a share of the loss, at most 1; a weight goes with"
                " kd=decoupled"
            )
        return self
