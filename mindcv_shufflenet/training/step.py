"""One training step: gradients, reduce over the ranks, unscale, accumulate, clip, update, average."""

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, amp, nn, ops

from mindcv_shufflenet.models.batch_norm import moving_statistics
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.parallel.collectives import create_reduce
from mindcv_shufflenet.training.accumulation import Accumulator
from mindcv_shufflenet.training.ema import MovingAverage
from mindcv_shufflenet.training.loss_scale import LossScale, create_loss_scale
from mindcv_shufflenet.training.losses.auxiliary import main_logits
from mindcv_shufflenet.training.losses.create import create_loss
from mindcv_shufflenet.training.losses.distillation import Distillation, create_distillation
from mindcv_shufflenet.training.optimizers.create import HYPERPARAMETERS, create_optimizer


class TrainStep(nn.Cell):
    """Computes the loss of a batch and updates the network.

    Several ranks each have their own images and all the same weights, which they update alike.

    Args:
        network: maps images, and masks of dropout and stochastic depth if there are any, to logits.
        loss: maps what the network returns, and labels, to a scalar.
        optimizer: updates the network's parameters from their gradients.
        reduce: makes the gradients and figures of this rank those of all (:mod:`parallel.collectives`).
        loss_scale: scales the loss, and says what an overflow does.
        max_gradient_norm: limit of the global norm of the gradients of an update; None: no limit.
        accumulator: adds up the gradients of several batches; None: each batch is an update.
        average: follows the weights; None: there is no average.
        distillation: adds the teacher's part to the loss; None: there is no teacher.

    Inputs: images ``[N, C, H, W] float32``, labels ``[N] int32`` or, of mixed images, the share of each class
    ``[N, num_classes] float32``, dropout mask ``[N, num_features] float32`` or None, mask of the residual branches
    ``[N, branches] float32`` or None, a vote ``[] float32``: 1 to stop after this step, else 0; and whether this step
    ends with an update.
    Outputs, over the images of all ranks and all ``[] float32``: the loss; how many images were classified correctly
    before the update, as the class with the largest share; the share of the ranks that voted to stop; and 1 if the
    update was left out, since its gradients were not finite, else 0.
    """

    def __init__(
        self,
        network: nn.Cell,
        loss: nn.Cell,
        optimizer: nn.Optimizer,
        reduce: nn.Cell,
        loss_scale: LossScale | None = None,
        max_gradient_norm: float | None = None,
        accumulator: Accumulator | None = None,
        average: MovingAverage | None = None,
        distillation: Distillation | None = None,
    ) -> None:
        super().__init__(auto_prefix=False)
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.reduce = reduce
        self.scaler, self.drops_overflow = loss_scale or LossScale()
        self.max_gradient_norm = max_gradient_norm
        self.accumulator = accumulator
        self.average = average
        self.distillation = distillation
        if isinstance(self.scaler, amp.DynamicLossScaler):  # it is no cell: what it changes is part of the state
            self.scale_value, self.finite_updates = self.scaler.scale_value, self.scaler.counter
        self.gradients = ms.value_and_grad(self.forward, None, optimizer.parameters, has_aux=True)
        self.set_train()

    def state_parameters(self) -> dict[str, Parameter]:
        """Return by name what training changes: weights, BatchNorm statistics, moments, sums, counters, loss scale.

        The teacher and the hyperparameters of the optimizer are left out, since they follow from the options.
        """
        teacher = [] if self.distillation is None else self.distillation.teacher.get_parameters()
        fixed = {*HYPERPARAMETERS, *(parameter.name for parameter in teacher)}
        return {parameter.name: parameter for parameter in self.get_parameters() if parameter.name not in fixed}

    def construct(
        self,
        image: Tensor,
        label: Tensor,
        dropout_mask: Tensor | None,
        path_mask: Tensor | None,
        vote: Tensor,
        is_update: bool = True,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        image = self.reduce.start(image, vote)
        teacher = None if self.distillation is None else self.distillation.teacher(image)
        (_, loss, logits), gradients = self.gradients(image, label, dropout_mask, path_mask, teacher)
        gradients, loss, correct, stop = self.reduce(gradients, loss, self.count_correct(logits, label), vote)
        if self.scaler is not None:
            gradients = self.scaler.unscale(gradients)
        if self.accumulator is not None:
            loss = ops.depend(loss, self.accumulator.add(gradients, image.shape[0]))
        skipped = ops.zeros((), ms.float32)
        if is_update:
            if self.accumulator is not None:
                gradients = self.accumulator.take(loss)
            skipped = self.update_unless_overflow(gradients)
            if self.accumulator is not None:
                loss = ops.depend(loss, self.accumulator.clear(skipped))
        return ops.depend(loss, skipped), correct, stop, skipped

    def forward(
        self,
        image: Tensor,
        label: Tensor,
        dropout_mask: Tensor | None,
        path_mask: Tensor | None,
        teacher: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the scaled loss, the loss, and the logits; ``teacher`` are the teacher's."""
        outputs = self.network(image, dropout_mask, path_mask)
        loss, logits = self.loss(outputs, label), main_logits(outputs)
        if self.distillation is not None:
            loss = self.distillation(loss, logits, label, teacher)
        return loss if self.scaler is None else self.scaler.scale(loss), loss, logits

    def count_correct(self, logits: Tensor, label: Tensor) -> Tensor:
        """Return how many images are classified correctly, ``[] float32``."""
        if label.ndim == 2:
            label = ops.cast(ops.argmax(label, 1), ms.int32)
        hits = ops.cast(ops.equal(ops.cast(ops.argmax(logits, 1), ms.int32), label), ms.int32)
        return ops.cast(ops.sum(hits), ms.float32)

    def update_unless_overflow(self, gradients: tuple[Tensor, ...]) -> Tensor:
        """Update weights and average; return 1 if that is left out because of an overflow, else 0, ``[] float32``."""
        skipped = ops.zeros((), ms.float32)
        if not self.drops_overflow:
            return ops.depend(skipped, self.clip_and_update(gradients))
        is_finite = amp.all_finite(gradients)
        skipped = ops.depend(skipped, self.scaler.adjust(is_finite) if self.scaler is not None else is_finite)
        if is_finite:
            skipped = ops.depend(skipped, self.clip_and_update(gradients))
        else:  # the schedule goes on
            skipped = ops.depend(skipped + 1, ops.assign_add(self.optimizer.global_step, 1))
        return skipped

    def clip_and_update(self, gradients: tuple[Tensor, ...]) -> Tensor:
        """Clip the gradients, update weights and average; return a tensor that depends on the update."""
        if self.max_gradient_norm is not None:
            gradients = ops.clip_by_global_norm(gradients, self.max_gradient_norm)
        done = ops.depend(ops.zeros((), ms.float32), self.optimizer(gradients))
        return done if self.average is None else self.average(done)


def create_step(
    config: Config,
    network: nn.Cell,
    rates: np.ndarray,
    ranks: int = 1,
    average: nn.Cell | None = None,
    teacher: nn.Cell | None = None,
) -> TrainStep:
    """Return the training step of the options.

    Args:
        config: the loss, optimizer and precision options.
        network: what is trained, in its training precision.
        rates: learning rate of each update, ``[updates]``.
        ranks: how many ranks do a step together.
        average: the network's inference twin, whose weights become the average of the trained ones; None: no average.
        teacher: maps images to logits that the network learns too; None: there is no teacher.
    """
    optimizer = create_optimizer(config, network, rates)
    accumulates = config.gradient_accumulation_steps > 1
    return TrainStep(
        network,
        create_loss(config),
        optimizer,
        create_reduce(optimizer.parameters, moving_statistics(network), config.device_target, ranks),
        create_loss_scale(config),
        config.clip_value if config.clip_grad else None,
        Accumulator(optimizer.parameters, config.reduction) if accumulates else None,
        MovingAverage(network, average, config.ema_decay) if average is not None else None,
        create_distillation(config, teacher),
    )
