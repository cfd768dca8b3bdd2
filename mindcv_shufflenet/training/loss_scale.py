"""Loss scale: a factor of the loss during the backward pass, so that small float16 gradients do not vanish.

Source: Micikevicius et al. 2017, arXiv:1710.03740, section 3.2.
"""

from typing import NamedTuple

from mindspore import amp

from mindcv_shufflenet.options.config import Config

# A dynamic scale is doubled after so many updates without an overflow, and halved after one with it, as in mindcv.
_WINDOW, _FACTOR = 2000, 2
# Where MindSpore's own mixed precision begins, at the level at which it scales.
_AUTO_LEVEL, _AUTO_SCALE = "O2", 2.0**24


class LossScale(NamedTuple):
    """How a training scales its loss.

    Attributes:
        scaler: scales the loss and takes the scale out of the gradients; None: there is no scale.
        drops_overflow: leave out an update whose gradients are not finite.
    """

    scaler: amp.LossScaler | None = None
    drops_overflow: bool = False


def create_loss_scale(config: Config) -> LossScale:
    """Return the loss scale of the options.

    ``fixed`` keeps ``loss_scale``; ``dynamic`` begins there and always leaves out an update that overflows; ``auto`` is
    what MindSpore does by itself: dynamic at ``amp_level=O2``, no scale at the others.
    """
    if config.loss_scale_type == "auto":
        return _dynamic(_AUTO_SCALE) if config.amp_level == _AUTO_LEVEL else LossScale()
    if config.loss_scale_type == "dynamic":
        return _dynamic(config.loss_scale)
    scaler = amp.StaticLossScaler(config.loss_scale) if config.loss_scale != 1 else None
    return LossScale(scaler, config.drop_overflow_update)


def _dynamic(scale: float) -> LossScale:
    return LossScale(amp.DynamicLossScaler(scale, _FACTOR, _WINDOW), drops_overflow=True)
