"""One training step: forward, backward, update."""

from collections.abc import Callable

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from mindcv_shufflenet.config import Config
from mindcv_shufflenet.train.losses import CrossEntropy
from mindcv_shufflenet.train.optim import create_optimizer


class TrainStep(nn.Cell):
    """Computes the loss of a batch and updates the network.

    Args:
        network: maps images, and a dropout mask if there is one, to logits.
        loss: maps logits and labels to a scalar.
        optimizer: updates the network's parameters from their gradients.
        loss_scale: factor of the loss during the backward pass, so that small float16 gradients do not vanish.
        max_gradient_norm: limit of the global norm of the gradients; None: no limit.

    Inputs: images ``[N, C, H, W] float32``, labels ``[N] int32``, dropout mask ``[N, num_features] float32`` or None.
    Outputs: the loss, and how many images were classified correctly before the update.
    """

    def __init__(
        self,
        network: nn.Cell,
        loss: nn.Cell,
        optimizer: nn.Optimizer,
        loss_scale: float = 1.0,
        max_gradient_norm: float | None = None,
    ) -> None:
        super().__init__(auto_prefix=False)
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.loss_scale = loss_scale
        self.max_gradient_norm = max_gradient_norm
        self.gradients = ms.value_and_grad(self.forward, None, optimizer.parameters, has_aux=True)
        self.set_train()

    def forward(self, image: Tensor, label: Tensor, dropout_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the scaled loss and the logits."""
        logits = self.network(image, dropout_mask)
        return self.loss(logits, label) * self.loss_scale, logits

    def construct(self, image: Tensor, label: Tensor, dropout_mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        (loss, logits), gradients = self.gradients(image, label, dropout_mask)
        if self.loss_scale != 1.0:
            loss = loss / self.loss_scale
            gradients = self.unscale(gradients)
        if self.max_gradient_norm is not None:
            gradients = ops.clip_by_global_norm(gradients, self.max_gradient_norm)
        loss = ops.depend(loss, self.optimizer(gradients))
        correct = ops.equal(ops.cast(ops.argmax(logits, 1), ms.int32), label)
        return loss, ops.sum(ops.cast(correct, ms.int32))

    def unscale(self, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Take the loss scale out of the gradients."""
        unscaled: tuple[Tensor, ...] = ()
        for gradient in gradients:
            unscaled += (gradient / self.loss_scale,)
        return unscaled


def create_step(config: Config, network: nn.Cell, rates: np.ndarray) -> TrainStep:
    """Return the training step of the options.

    Args:
        config: the loss, optimizer and precision options.
        network: what is trained, in its training precision.
        rates: learning rate of each step, ``[steps]``.
    """
    return TrainStep(
        network,
        CrossEntropy(config.label_smoothing),
        create_optimizer(config, network, rates),
        config.loss_scale,
        config.clip_value if config.clip_grad else None,
    )


def mixed_precision(network: nn.Cell, level: str) -> nn.Cell:
    """Return the network computing in MindSpore's mixed precision ``O0`` (float32) to ``O3`` (float16)."""
    return network if level == "O0" else ms.amp.auto_mixed_precision(network, level)


def compiled(config: Config, cell: nn.Cell) -> Callable[..., object]:
    """Return what to call for a cell: itself in graph mode, compiled in PyNative mode unless ``jit`` is off."""
    if config.mode == 1 and config.jit:
        return ms.jit(cell)
    return cell
