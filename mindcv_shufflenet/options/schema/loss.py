"""Options of the loss."""

from typing import Literal

from mindcv_shufflenet.options.bounds import BelowOne, Strength
from mindcv_shufflenet.options.group import OptionGroup
from mindcv_shufflenet.options.option import option


class LossOptions(OptionGroup):
    """loss"""

    loss: Literal["CE", "BCE", "JSD"] = option(
        "CE", "CE: cross entropy of the softmax; BCE: binary cross entropy of each class; JSD: CE of the first split"
        " and the Jensen-Shannon divergence of all aug_splits", read_by="train",
    )  # fmt: skip
    label_smoothing: BelowOne = option(0.0, "share of the label given to all", read_by="train")
    aux_factor: Strength = option(
        0.0, "weight of auxiliary outputs, of networks that have some while they train", read_by="train"
    )
    reduction: Literal["mean", "sum"] = option("mean", "of the loss over a batch", read_by="train")
