"""Cross entropies: from logits ``[N, num_classes]`` and labels to a scalar in nats, computed in float32.

Labels are ``[N] int32``, or ``[N, num_classes] float32``, the share of each class. ``label_smoothing`` of them is
spread evenly over all classes (Szegedy et al. 2015, arXiv:1512.00567, section 7). ``reduction`` is ``mean`` or ``sum``,
over what the loss has a term for.
"""

import mindspore as ms
from mindspore import Tensor, nn, ops


class _Smoothed(nn.Cell):
    """A loss against smoothed labels."""

    def __init__(self, label_smoothing: float = 0.0, reduction: str = "mean") -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self.reduction = reduction


class CrossEntropy(_Smoothed):
    """Cross entropy of the softmax, one term an image."""

    def construct(self, logits: Tensor, label: Tensor) -> Tensor:
        logits = ops.cast(logits, ms.float32)
        return ops.cross_entropy(logits, label, reduction=self.reduction, label_smoothing=self.label_smoothing)


class BinaryCrossEntropy(_Smoothed):
    """Cross entropy of each class's sigmoid, one term for each image and class."""

    def construct(self, logits: Tensor, label: Tensor) -> Tensor:
        logits = ops.cast(logits, ms.float32)
        classes = logits.shape[1]
        if label.ndim == 1:
            label = ops.one_hot(label, classes, Tensor(1.0, ms.float32), Tensor(0.0, ms.float32))
        target = label * (1 - self.label_smoothing) + self.label_smoothing / classes
        ones = ops.ones_like(logits)
        return ops.binary_cross_entropy_with_logits(logits, target, ones, ones, self.reduction)
