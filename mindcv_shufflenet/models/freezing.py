"""Frozen parts of a network: training leaves their weights and their BatchNorm statistics as they are."""

from collections.abc import Sequence

from mindcv_shufflenet.models.base import Network
from mindcv_shufflenet.models.batch_norm import batch_norms, freeze_statistics
from mindcv_shufflenet.models.parts import frozen_names


def freeze(network: Network, parts: Sequence[str]) -> None:
    """Freeze parts of a network.

    Their parameters get no gradient. A BatchNorm whose scale and shift are frozen normalises by its moving statistics,
    in training too, and keeps them.

    Args:
        network: changed in place.
        parts: of it, as :func:`models.parts.frozen_names` takes them.

    Raises:
        UserError: a part is not there, or nothing would be trained. The network is untouched then.
    """
    frozen = frozen_names(network.plan, parts)
    for weight in network.trainable_params():
        weight.requires_grad = weight.name not in frozen
    for norm in batch_norms(network):
        if not (norm.gamma.requires_grad or norm.beta.requires_grad):
            freeze_statistics(norm)
