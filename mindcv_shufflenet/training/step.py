"""One training step: forward, backward, what the ranks average, update."""

from collections.abc import Callable
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import ParameterTuple, Tensor, nn, ops

from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.parallel.collectives import MeanOverRanks, WaitForAll
from mindcv_shufflenet.parallel.sync_batch_norm import SyncBatchNorm
from mindcv_shufflenet.training.losses import CrossEntropy
from mindcv_shufflenet.training.optim import create_optimizer


class TrainStep(nn.Cell):
    """Computes the loss of a batch and updates the network.

    Args:
        network: maps images, and a dropout mask if there is one, to logits.
        loss: maps logits and labels to a scalar.
        optimizer: updates the network's parameters from their gradients.
        loss_scale: factor of the loss during the backward pass, so that small float16 gradients do not vanish.
        max_gradient_norm: limit of the global norm of the gradients; None: no limit.

    Inputs: images ``[N, C, H, W] float32``, labels ``[N] int32`` or, of mixed images, the share of each class
    ``[N, num_classes] float32``, dropout mask ``[N, num_features] float32`` or None.
    Outputs: the loss, and how many images were classified correctly before the update: as the class with the largest
    share.
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
        return self.update(loss, gradients), ops.sum(self.hits(logits, label))

    def hits(self, logits: Tensor, label: Tensor) -> Tensor:
        """Return 1 for each image that is classified correctly, ``[N] int32``."""
        if label.ndim == 2:
            label = ops.cast(ops.argmax(label, 1), ms.int32)
        return ops.cast(ops.equal(ops.cast(ops.argmax(logits, 1), ms.int32), label), ms.int32)

    def update(self, loss: Tensor, gradients: tuple[Tensor, ...]) -> Tensor:
        """Let the optimizer use the gradients of the scaled loss, and return the loss itself."""
        if self.loss_scale != 1.0:
            loss = loss / self.loss_scale
            gradients = self.unscale(gradients)
        if self.max_gradient_norm is not None:
            gradients = ops.clip_by_global_norm(gradients, self.max_gradient_norm)
        return ops.depend(loss, self.optimizer(gradients))

    def unscale(self, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Take the loss scale out of the gradients."""
        unscaled: tuple[Tensor, ...] = ()
        for gradient in gradients:
            unscaled += (gradient / self.loss_scale,)
        return unscaled


class DataParallelStep(TrainStep):
    """A training step of several ranks, each with its own images and all with the same weights.

    What the ranks have computed is averaged before the update, by one all-reduce: the gradients, BatchNorm's moving
    statistics, the loss and the hits, and whether anybody wants to stop, so that all stop after the same step.

    Args:
        ranks: how many there are.
        wait: gives its input when all ranks have come to it.
        network: as in :class:`TrainStep`.
        loss: the same.
        optimizer: the same.
        others: the same; the norm is that of the averaged gradients.

    Inputs: images, labels and dropout mask of this rank as in :class:`TrainStep`, then a vote ``[] float32``: 1 to stop
    after this step, else 0.
    Outputs: the loss and the number of images classified correctly, over the images of all ranks, and the share of the
    ranks that voted to stop, all ``[] float32``.
    """

    def __init__(
        self, ranks: int, wait: nn.Cell, network: nn.Cell, loss: nn.Cell, optimizer: nn.Optimizer, *others: Any
    ) -> None:
        super().__init__(network, loss, optimizer, *others)
        self.ranks = ranks
        self.wait = wait
        self.map = ops.HyperMap()
        self.statistics = ParameterTuple([weight for weight in network.get_parameters() if not weight.requires_grad])
        shared = (*optimizer.parameters, *self.statistics)
        self.mean = MeanOverRanks([parameter.shape for parameter in shared] + [()] * 3, ranks)

    # a step of several ranks also takes and gives the vote
    def construct(  # type: ignore[override]
        self, image: Tensor, label: Tensor, dropout_mask: Tensor | None, vote: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        image = ops.depend(image, self.wait(vote))
        (loss, logits), gradients = self.gradients(image, label, dropout_mask)
        correct = ops.cast(ops.sum(self.hits(logits, label)), ms.float32)
        statistics = ops.depend(self.statistics, gradients)  # as the forward pass has left them
        means = self.mean(gradients + statistics + (loss, correct, vote))
        trained = len(gradients)
        loss, correct, stop = means[-3:]
        loss = ops.depend(loss, self.map(ops.assign, self.statistics, means[trained:-3]))
        return self.update(loss, means[:trained]), correct * self.ranks, stop


def create_step(config: Config, network: nn.Cell, rates: np.ndarray, ranks: int = 1) -> TrainStep:
    """Return the training step of the options.

    Args:
        config: the loss, optimizer and precision options.
        network: what is trained, in its training precision.
        rates: learning rate of each step, ``[steps]``.
        ranks: how many ranks do a step together.
    """
    parts = (
        network,
        CrossEntropy(config.label_smoothing),
        create_optimizer(config, network, rates),
        config.loss_scale,
        config.clip_value if config.clip_grad else None,
    )
    if ranks == 1:
        return TrainStep(*parts)
    return DataParallelStep(ranks, WaitForAll() if config.device_target == "CPU" else nn.Identity(), *parts)


def mixed_precision(network: nn.Cell, level: str) -> nn.Cell:
    """Return the network computing in MindSpore's mixed precision ``O0`` (float32) to ``O3`` (float16)."""
    if level == "O0":
        return network
    network = ms.amp.auto_mixed_precision(network, level)
    for _, cell in network.cells_and_names():
        if isinstance(cell, SyncBatchNorm):  # whose moving statistics would not move in float16
            cell.to_float(ms.float32)
    return network


def compiled(config: Config, cell: nn.Cell) -> Callable[..., object]:
    """Return what to call for a cell: itself in graph mode, compiled in PyNative mode unless ``jit`` is off."""
    if config.mode == 1 and config.jit:
        return ms.jit(cell)
    return cell
