"""Training losses."""

import mindspore as ms
from mindspore import Tensor, nn, ops


class CrossEntropy(nn.Cell):
    """Mean cross entropy in float32 against labels of which ``label_smoothing`` is spread evenly over all classes.

    Inputs: logits ``[N, num_classes]``, labels ``[N] int32`` or ``[N, num_classes] float32``, the share of each class.
    Output: a scalar, in nats.
    Source: Szegedy et al. 2015, arXiv:1512.00567, section 7.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def construct(self, logits: Tensor, label: Tensor) -> Tensor:
        return ops.cross_entropy(ops.cast(logits, ms.float32), label, label_smoothing=self.label_smoothing)
