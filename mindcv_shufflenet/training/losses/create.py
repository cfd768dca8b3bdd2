"""The loss of a training, by the options."""

from collections.abc import Callable

from mindspore import nn

from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.training.losses.auxiliary import AuxiliaryLoss
from mindcv_shufflenet.training.losses.cross_entropy import BinaryCrossEntropy, CrossEntropy
from mindcv_shufflenet.training.losses.jensen_shannon import JensenShannon

# By the name of the option ``loss``.
LOSSES: dict[str, Callable[[Config], nn.Cell]] = {
    "CE": lambda config: CrossEntropy(config.label_smoothing, config.reduction),
    "BCE": lambda config: BinaryCrossEntropy(config.label_smoothing, config.reduction),
    "JSD": lambda config: JensenShannon(config.aug_splits, config.label_smoothing, config.reduction),
}


def create_loss(config: Config) -> nn.Cell:
    """Return the loss of the options, which takes what a network returns and labels."""
    return AuxiliaryLoss(LOSSES[config.loss](config), config.aux_factor)
