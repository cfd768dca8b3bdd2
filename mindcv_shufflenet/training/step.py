"""One training step: gradients, reduce over the ranks, unscale and clip, update."""

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.parallel.collectives import create_reduce
from mindcv_shufflenet.training.losses import CrossEntropy
from mindcv_shufflenet.training.optim import create_optimizer


class TrainStep(nn.Cell):
    """Computes the loss of a batch and updates the network.

    Several ranks each have their own images and all the same weights, which they update alike.

    Args:
        network: maps images, and a dropout mask if there is one, to logits.
        loss: maps logits and labels to a scalar.
        optimizer: updates the network's parameters from their gradients.
        reduce: makes the gradients and figures of this rank those of all (:mod:`parallel.collectives`).
        loss_scale: factor of the loss during the backward pass, so that small float16 gradients do not vanish.
        max_gradient_norm: limit of the global norm of the reduced gradients; None: no limit.

    Inputs: images ``[N, C, H, W] float32``, labels ``[N] int32`` or, of mixed images, the share of each class
    ``[N, num_classes] float32``, dropout mask ``[N, num_features] float32`` or None, and a vote ``[] float32``: 1 to
    stop after this step, else 0.
    Outputs, over the images of all ranks and all ``[] float32``: the loss; how many images were classified correctly
    before the update, as the class with the largest share; and the share of the ranks that voted to stop.
    """

    def __init__(
        self,
        network: nn.Cell,
        loss: nn.Cell,
        optimizer: nn.Optimizer,
        reduce: nn.Cell,
        loss_scale: float = 1.0,
        max_gradient_norm: float | None = None,
    ) -> None:
        super().__init__(auto_prefix=False)
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.reduce = reduce
        self.loss_scale = loss_scale
        self.max_gradient_norm = max_gradient_norm
        self.gradients = ms.value_and_grad(self.forward, None, optimizer.parameters, has_aux=True)
        self.set_train()

    def construct(
        self, image: Tensor, label: Tensor, dropout_mask: Tensor | None, vote: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        image = self.reduce.start(image, vote)
        (loss, logits), gradients = self.gradients(image, label, dropout_mask)
        gradients, loss, correct, stop = self.reduce(gradients, loss, self.correct(logits, label), vote)
        if self.loss_scale != 1.0:
            loss = loss / self.loss_scale
            gradients = self.unscale(gradients)
        if self.max_gradient_norm is not None:
            gradients = ops.clip_by_global_norm(gradients, self.max_gradient_norm)
        return ops.depend(loss, self.optimizer(gradients)), correct, stop

    def forward(self, image: Tensor, label: Tensor, dropout_mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the scaled loss and the logits."""
        logits = self.network(image, dropout_mask)
        return self.loss(logits, label) * self.loss_scale, logits

    def correct(self, logits: Tensor, label: Tensor) -> Tensor:
        """Return how many images are classified correctly, ``[] float32``."""
        if label.ndim == 2:
            label = ops.cast(ops.argmax(label, 1), ms.int32)
        hits = ops.cast(ops.equal(ops.cast(ops.argmax(logits, 1), ms.int32), label), ms.int32)
        return ops.cast(ops.sum(hits), ms.float32)

    def unscale(self, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Divide the gradients by the loss scale."""
        unscaled: tuple[Tensor, ...] = ()
        for gradient in gradients:
            unscaled += (gradient / self.loss_scale,)
        return unscaled


def create_step(config: Config, network: nn.Cell, rates: np.ndarray, ranks: int = 1) -> TrainStep:
    """Return the training step of the options.

    Args:
        config: the loss, optimizer and precision options.
        network: what is trained, in its training precision.
        rates: learning rate of each step, ``[steps]``.
        ranks: how many ranks do a step together.
    """
    optimizer = create_optimizer(config, network, rates)
    return TrainStep(
        network,
        CrossEntropy(config.label_smoothing),
        optimizer,
        create_reduce(network, optimizer.parameters, config.device_target, ranks),
        config.loss_scale,
        config.clip_value if config.clip_grad else None,
    )
