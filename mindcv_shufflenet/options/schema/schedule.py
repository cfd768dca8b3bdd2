"""Options of the learning rate's schedule."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from mindcv_shufflenet.options.bounds import Count, DecayFactor, Epochs, Fraction, LearningRate, OneOf
from mindcv_shufflenet.options.group import OptionGroup
from mindcv_shufflenet.options.names import SCHEDULES, readers
from mindcv_shufflenet.options.option import Needs, given, option


def _schedules(name: str) -> Needs:
    """Need one of the schedules that read an option."""
    return given("scheduler", *readers(name, SCHEDULES))


class ScheduleOptions(OptionGroup):
    """schedule"""

    scheduler: Annotated[str, OneOf(tuple(SCHEDULES))] = option(
        "cosine_decay", "course of the learning rate after the warm-up", read_by="train"
    )
    lr: LearningRate = option(0.001, "highest learning rate", read_by="train", is_common=True)
    min_lr: LearningRate = option(
        1e-6, "where cosine_decay, linear_decay and one_cycle end; the lowest learning rate of cyclic",
        read_by="train", needs=_schedules("min_lr"),
    )  # fmt: skip
    warmup_epochs: Epochs = option(
        3, "epochs in which the learning rate rises linearly to where the schedule begins", read_by="train"
    )
    warmup_factor: Fraction = option(
        0.0, "the warm-up starts at this share of where it ends", read_by="train", needs=given("warmup_epochs")
    )
    decay_epochs: Annotated[Epochs, Field(ge=1)] | None = option(
        None, "epochs of linear_decay and of each cycle of cosine_decay, null: to the end of the training; period of"
        " step_decay", read_by="train", mindcv=100, needs=_schedules("decay_epochs"),
    )  # fmt: skip
    decay_rate: float = option(
        0.9, "factor of step, multi-step and exponential decay; polynomial's power", read_by="train",
        needs=_schedules("decay_rate"), ge=1e-4, le=10,
    )  # fmt: skip
    multi_step_decay_milestones: list[Count] = option(
        [30, 60, 90], "epochs after the warm-up at which multi_step_decay acts", read_by="train",
        needs=_schedules("multi_step_decay_milestones"),
    )  # fmt: skip
    lr_epoch_stair: bool = option(False, "change the learning rate each epoch instead of each step", read_by="train")
    num_cycles: Count = option(1, "cycles of cosine_decay and cyclic", read_by="train", needs=_schedules("num_cycles"))
    cycle_decay: DecayFactor = option(
        1.0, "factor of the learning rate from cycle to cycle of cosine_decay", read_by="train",
        needs=_schedules("cycle_decay"),
    )  # fmt: skip

    @model_validator(mode="after")
    def _decay_is_one(self) -> Self:
        if self.scheduler == "step_decay" and self.decay_epochs is None:
            raise ValueError("scheduler=step_decay needs decay_epochs, its period, such as --decay_epochs 30")
        if self.scheduler in ("exponential_decay", "step_decay", "multi_step_decay") and self.decay_rate > 1:
            raise ValueError(f"decay_rate={self.decay_rate:g} would raise the learning rate: it must be at most 1")
        return self
