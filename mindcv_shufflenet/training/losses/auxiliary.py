"""The loss of a network that has auxiliary outputs while it trains."""

from mindspore import Tensor, nn


class AuxiliaryLoss(nn.Cell):
    """The loss of the logits, and ``factor`` times that of each auxiliary output.

    Args:
        loss: maps logits and labels to a scalar.
        factor: mindcv's ``aux_factor``; 0: auxiliary outputs do not count.

    Inputs: what a network returns, logits ``[N, num_classes]`` or a tuple of them and auxiliary logits of that shape;
    and labels. Output: a scalar.
    """

    def __init__(self, loss: nn.Cell, factor: float = 0.0) -> None:
        super().__init__()
        self.loss = loss
        self.factor = factor

    def construct(self, outputs: Tensor | tuple[Tensor, ...], label: Tensor) -> Tensor:
        total = self.loss(main_logits(outputs), label)
        if self.factor > 0 and isinstance(outputs, tuple):
            for auxiliary in outputs[1:]:
                total += self.factor * self.loss(auxiliary, label)
        return total


def main_logits(outputs: Tensor | tuple[Tensor, ...]) -> Tensor:
    """Return the logits ``[N, num_classes]`` among what a network returns."""
    return outputs[0] if isinstance(outputs, tuple) else outputs
