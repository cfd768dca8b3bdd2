"""The loss of AugMix: cross entropy of the clean images, and agreement of their views."""

import math

import mindspore as ms
from mindspore import Tensor, nn, ops


class JensenShannon(nn.Cell):
    """Cross entropy of the first view, plus ``weight`` times the Jensen-Shannon divergence of all views.

    The divergence is the mean of the Kullback-Leibler divergences of each view's distribution from their mean. It is
    computed in float32, one term an image, as the cross entropy is.

    Args:
        splits: views of an image.
        label_smoothing: of the cross entropy.
        reduction: ``mean`` or ``sum``, over the images.
        weight: of the divergence.

    Inputs: logits ``[splits * N, num_classes]``, the first view of all images first; labels ``[splits * N] int32`` or
    ``[splits * N, num_classes] float32``.
    Output: a scalar, in nats.
    Source: Hendrycks et al. 2020, arXiv:1912.02781, section 3, with the weight of its section 4.
    """

    def __init__(
        self, splits: int, label_smoothing: float = 0.0, reduction: str = "mean", weight: float = 12.0
    ) -> None:
        super().__init__()
        self.splits = splits
        self.label_smoothing = label_smoothing
        self.reduction = reduction
        self.weight = weight

    def construct(self, logits: Tensor, label: Tensor) -> Tensor:
        logits = ops.cast(logits, ms.float32)
        count = logits.shape[0] // self.splits
        loss = ops.cross_entropy(
            logits[:count], label[:count], reduction=self.reduction, label_smoothing=self.label_smoothing
        )
        log_shares = ops.log_softmax(logits, -1).reshape(self.splits, count, -1)
        # log(share / mean share); MindSpore's log differs in the last bit from process to process
        log_ratios = ops.log_softmax(log_shares, 0) + math.log(self.splits)
        divergence = (ops.exp(log_shares) * log_ratios).sum(-1).mean(0)
        return loss + self.weight * (divergence.mean() if self.reduction == "mean" else divergence.sum())
