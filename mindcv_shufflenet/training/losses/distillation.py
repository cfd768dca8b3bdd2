"""Distillation: a student learns from the logits of a teacher, beside the labels.

The logits ``[N, num_classes]`` of both are divided by a temperature T and compared in float32. The result is multiplied
by T^2, so that its gradients keep their size when T changes.
"""

from collections.abc import Callable

import mindspore as ms
from mindspore import Tensor, nn, ops

from mindcv_shufflenet.options.config import Config

# How the names of a teacher's parameters begin in a training step.
TEACHER = "teacher."
# Taken from the logit of a class, this leaves the class a probability of 0 in float32.
_EXCLUDED = 1e4


class Hinton(nn.Cell):
    """``alpha * T^2 * KL(teacher || student)``, beside ``1 - alpha`` of the loss.

    Source: Hinton et al. 2015, "Distilling the Knowledge in a Neural Network", arXiv:1503.02531, section 2.

    Args:
        alpha: share of the teacher.
        temperature: T.

    Inputs: logits of student and teacher ``[N, num_classes] float32``, and labels as a loss takes them.
    Output: a term of each image ``[N] float32``.
    """

    def __init__(self, alpha: float, temperature: float) -> None:
        super().__init__()
        self.alpha = alpha
        self.temperature = temperature
        self.loss_share = 1 - alpha

    def construct(self, student: Tensor, teacher: Tensor, _label: Tensor) -> Tensor:
        log_student = ops.log_softmax(student / self.temperature, -1)
        log_teacher = ops.log_softmax(teacher / self.temperature, -1)
        return self.alpha * self.temperature**2 * divergence(log_teacher, log_student)


class Decoupled(nn.Cell):
    """``T^2 * (alpha * KL_target + beta * KL_others)``, beside the whole loss.

    ``KL_target`` compares the probabilities of the target class and of all others together; ``KL_others`` compares
    those of the other classes among themselves. The target class of a mixed image is the one with the largest share.
    Source: Zhao et al. 2022, "Decoupled Knowledge Distillation", arXiv:2203.08679, equations 6 and 7.

    Args:
        alpha: weight of the target class.
        beta: weight of the other classes.
        temperature: T.

    Inputs and output: those of :class:`Hinton`.
    """

    loss_share = 1.0

    def __init__(self, alpha: float, beta: float, temperature: float) -> None:
        super().__init__()
        self.alpha = alpha
        self.beta = beta
        self.temperature = temperature

    def construct(self, student: Tensor, teacher: Tensor, label: Tensor) -> Tensor:
        if label.ndim == 2:
            label = ops.cast(ops.argmax(label, 1), ms.int32)
        target = ops.one_hot(label, student.shape[1], Tensor(1.0, ms.float32), Tensor(0.0, ms.float32))
        pair_student, others_student = decouple(student / self.temperature, target)
        pair_teacher, others_teacher = decouple(teacher / self.temperature, target)
        of_target = divergence(pair_teacher, pair_student)
        of_others = divergence(others_teacher, others_student)
        return self.temperature**2 * (self.alpha * of_target + self.beta * of_others)


def decouple(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Split a distribution into target class and others.

    Args:
        logits: ``[N, num_classes]``.
        target: one-hot, likewise.

    Returns:
        The log-probabilities of the target class and of all others together ``[N, 2]``, and those of the others among
        themselves ``[N, num_classes]``, where the target class has none.
    """
    log_others = ops.log_softmax(logits - _EXCLUDED * target, -1)
    of_target = ops.sum(logits * target, -1, True)
    # the logarithm of the sum of the others' exponentials, the same from each of them; MindSpore's log differs in the
    # last bit from process to process
    of_others = ops.sum(ops.exp(log_others) * (logits - log_others), -1, True)
    return ops.log_softmax(ops.concat((of_target, of_others), 1), -1), log_others


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence of q from p, ``[N]``, of log-probabilities ``[N, num_classes]``."""
    return ops.sum(ops.exp(log_p) * (log_p - log_q), -1)


class Distillation(nn.Cell):
    """Adds what a student has to learn from its teacher to its loss.

    Args:
        teacher: maps the student's images to logits ``[N, num_classes]``; no gradient reaches it.
        kd: compares the logits, as :class:`Hinton`; its ``loss_share`` is the factor of the loss.
        reduction: over the images: ``mean`` or ``sum``.

    Inputs: the loss ``[]``, the student's logits ``[N, num_classes]``, labels, and the teacher's logits.
    Output: a scalar.
    """

    def __init__(self, teacher: nn.Cell, kd: nn.Cell, reduction: str = "mean") -> None:
        super().__init__(auto_prefix=False)
        self.teacher = teacher
        self.kd = kd
        self.is_mean = reduction == "mean"
        for parameter in teacher.get_parameters():
            parameter.name = TEACHER + parameter.name
            parameter.requires_grad = False

    def construct(self, loss: Tensor, logits: Tensor, label: Tensor, teacher: Tensor) -> Tensor:
        terms = self.kd(ops.cast(logits, ms.float32), ops.cast(ops.stop_gradient(teacher), ms.float32), label)
        return self.kd.loss_share * loss + (ops.mean(terms) if self.is_mean else ops.sum(terms))


def _hinton(config: Config) -> nn.Cell:
    return Hinton(0.9 if config.kd_alpha is None else config.kd_alpha, config.kd_temperature)


def _decoupled(config: Config) -> nn.Cell:
    return Decoupled(1.0 if config.kd_alpha is None else config.kd_alpha, config.kd_beta, config.kd_temperature)


# By the name of the option ``kd``.
KD: dict[str, Callable[[Config], nn.Cell]] = {"hinton": _hinton, "decoupled": _decoupled}


def create_distillation(config: Config, teacher: nn.Cell | None) -> Distillation | None:
    """Return what adds the teacher's part to the loss; None without a teacher."""
    return Distillation(teacher, KD[config.kd](config), config.reduction) if teacher is not None else None
