"""Options of the loss."""

from typing import Literal

from mindcv_shufflenet.options.bounds import BelowOne, Strength
from mindcv_shufflenet.options.group import OptionGroup
from mindcv_shufflenet.options.option import option


class LossOptions(OptionGroup):
    """loss"""

    loss: Literal["CE", "BCE"] = option(
        "CE", "CE: cross entropy; BCE: binary cross entropy", read_by="train", works=("CE",)
    )
    label_smoothing: BelowOne = option(0.0, "share of the label given to all", read_by="train")
    aux_factor: Strength = option(0.0, "weight of auxiliary outputs", read_by="train", works=(0.0,))
    reduction: Literal["mean", "sum"] = option("mean", "of the loss over a batch", read_by="train", works=("mean",))
