"""Distillation losses and their gradients against PyTorch's own operations, and the teacher in a step."""

from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn
from scipy.special import log_softmax

from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.options.tables import options_of
from mindcv_shufflenet.parallel.collectives import OneRank
from mindcv_shufflenet.training.losses.auxiliary import AuxiliaryLoss
from mindcv_shufflenet.training.losses.cross_entropy import CrossEntropy
from mindcv_shufflenet.training.losses.distillation import KD, TEACHER, create_distillation
from mindcv_shufflenet.training.record.state import arrays_of
from mindcv_shufflenet.training.step import TrainStep
from mindcv_shufflenet.training.teacher import Renormalised

pytestmark = pytest.mark.usefixtures("pynative")

N, CLASSES, FEATURES = 6, 5, 7
RNG = np.random.default_rng(0)
STUDENT, OF_TEACHER = (RNG.normal(size=(N, CLASSES)) * 3 for _ in range(2))
LABEL = np.array([0, 1, 2, 3, 4, 1], np.int32)
MIXED = 0.7 * np.eye(CLASSES)[LABEL] + 0.3 * np.eye(CLASSES)[LABEL[::-1]]
X = RNG.normal(size=(N, FEATURES)).astype(np.float32)


def divergence(log_p: np.ndarray, log_q: np.ndarray) -> np.ndarray:
    return (np.exp(log_p) * (log_p - log_q)).sum(-1)


def expected(student: np.ndarray, label: np.ndarray, kd: str, alpha: float, beta: float, t: float) -> float:
    """The published formulas, in float64 and image by image."""
    target = label if label.ndim == 2 else np.eye(CLASSES)[label]
    cross_entropy = -(target * log_softmax(student, -1)).sum(-1)
    if kd == "hinton":
        kl = divergence(log_softmax(OF_TEACHER / t, -1), log_softmax(student / t, -1))
        return float((alpha * t**2 * kl + (1 - alpha) * cross_entropy).mean())
    terms = []
    for image in range(N):
        c = int(target[image].argmax())
        p, q = (np.exp(log_softmax(logits[image] / t)) for logits in (OF_TEACHER, student))
        of_target = p[c] * np.log(p[c] / q[c]) + (1 - p[c]) * np.log((1 - p[c]) / (1 - q[c]))
        p, q = (np.delete(x, c) / (1 - x[c]) for x in (p, q))
        terms.append(t**2 * (alpha * of_target + beta * (p * np.log(p / q)).sum()))
    return float((cross_entropy + terms).mean())


class Fixed(nn.Cell):
    """A teacher that gives the same logits whatever it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = ms.Parameter(Tensor(OF_TEACHER, ms.float32), name="logits")

    def construct(self, _x: Tensor) -> Tensor:
        return self.logits * 1.0


CASES: list[tuple[dict[str, Any], tuple[str, float, float, float]]] = [
    ({}, ("hinton", 0.9, 0, 4)),
    ({"kd_alpha": 0.3, "kd_temperature": 1.5}, ("hinton", 0.3, 0, 1.5)),
    ({"kd": "decoupled"}, ("decoupled", 1, 8, 4)),
    ({"kd": "decoupled", "kd_alpha": 2, "kd_beta": 0.5, "kd_temperature": 2}, ("decoupled", 2, 0.5, 2)),
]


@pytest.mark.parametrize(("options", "formula"), CASES)
@pytest.mark.parametrize("label", [LABEL, MIXED], ids=["labels", "mixed"])
def test_loss_and_gradient(
    options: dict[str, Any], formula: tuple[str, float, float, float], label: np.ndarray
) -> None:
    distillation = create_distillation(parse_config({"teacher": "x.ckpt", **options}), Fixed())
    assert distillation is not None
    loss = CrossEntropy()
    given = Tensor(label, ms.int32 if label.ndim == 1 else ms.float32)

    def total(logits: Tensor) -> Tensor:
        return distillation(loss(logits, given), logits, given, distillation.teacher(Tensor(X)))

    value, gradient = ms.value_and_grad(total)(Tensor(STUDENT, ms.float32))
    assert float(value.asnumpy()) == pytest.approx(expected(STUDENT, label, *formula), rel=1e-5)
    slope = np.zeros_like(STUDENT)
    for place in np.ndindex(*STUDENT.shape):
        shift = np.zeros_like(STUDENT)
        shift[place] = 1e-5
        above, below = (expected(STUDENT + sign * shift, label, *formula) for sign in (1, -1))
        slope[place] = (above - below) / 2e-5
    np.testing.assert_allclose(gradient.asnumpy(), slope, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kd", KD)
def test_certain_networks_have_finite_losses(kd: str) -> None:
    """A softmax of such logits is 0 and 1 in float32."""
    distillation = create_distillation(parse_config({"teacher": "x.ckpt", "kd": kd, "kd_temperature": 1}), Fixed())
    assert distillation is not None
    logits, label = Tensor(200 * np.eye(CLASSES)[LABEL], ms.float32), Tensor(LABEL)
    distillation.teacher.logits.set_data(-logits)
    value, gradient = ms.value_and_grad(lambda x: distillation(x.sum() * 0, x, label, distillation.teacher(x)))(logits)
    assert np.isfinite(float(value.asnumpy()))
    assert float(value.asnumpy()) > 1
    assert np.isfinite(gradient.asnumpy()).all()


def test_every_kind_of_the_schema_is_built() -> None:
    assert "kd" in options_of()
    for kd in KD:
        assert parse_config({"kd": kd}).kd == kd


class Student(nn.Cell):
    """A dense layer, and two auxiliary ones while it trains."""

    def __init__(self) -> None:
        super().__init__()
        self.dense, self.first, self.second = (nn.Dense(FEATURES, CLASSES) for _ in range(3))

    def construct(
        self, x: Tensor, _mask: Tensor | None = None, _path_mask: Tensor | None = None
    ) -> Tensor | tuple[Tensor, ...]:
        return (self.dense(x), self.first(x), self.second(x)) if self.training else self.dense(x)


@pytest.mark.parametrize("factor", [0.0, 0.4])
def test_a_step_learns_from_labels_teacher_and_auxiliary_outputs(factor: float) -> None:
    """The teacher stays as it is, and is no part of what a training state holds."""
    network, teacher = Student(), nn.SequentialCell(nn.Dense(FEATURES, CLASSES))
    fixed = teacher[0].weight.asnumpy().copy()
    distillation = create_distillation(parse_config({"teacher": "x.ckpt"}), teacher)
    optimizer = nn.SGD(network.trainable_params(), 0.1)
    loss = AuxiliaryLoss(CrossEntropy(), factor)
    step = TrainStep(network, loss, optimizer, OneRank(), distillation=distillation)
    main, first, second = (output.asnumpy().astype(np.float64) for output in network(Tensor(X)))
    kl = divergence(log_softmax(teacher(Tensor(X)).asnumpy() / 4.0, -1), log_softmax(main / 4, -1)).mean()
    terms = [-log_softmax(logits, -1)[np.arange(N), LABEL].mean() for logits in (main, first, second)]
    labels = terms[0] + factor * (terms[1] + terms[2])
    before = {name: value.copy() for name, value in arrays_of(step.state_parameters()).items()}
    value, correct, _ = step(Tensor(X), Tensor(LABEL), None, None, Tensor(0.0, ms.float32))[:3]
    assert float(value.asnumpy()) == pytest.approx(0.9 * 16 * kl + 0.1 * labels, rel=1e-4)
    assert int(correct.asnumpy()) == int((main.argmax(1) == LABEL).sum())
    np.testing.assert_array_equal(teacher[0].weight.asnumpy(), fixed)
    assert {"dense.weight", "first.weight"} <= before.keys()
    names = [parameter.name for parameter in step.get_parameters()]
    assert len(names) == len({*names})
    assert {name for name in names if name.startswith(TEACHER)} == {f"{TEACHER}0.weight", f"{TEACHER}0.bias"}
    assert not any(name.startswith(TEACHER) for name in before)
    assert np.array_equal(before["first.weight"], network.first.weight.asnumpy()) == (factor == 0)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (Preprocessing(), Preprocessing(mean=(0.0,) * 3, std=(1.0,) * 3, channel_order="bgr")),
        (Preprocessing(channel_order="bgr"), Preprocessing(mean=(127.5,) * 3, std=(255.0, 127.5, 1.0))),
        (Preprocessing(), Preprocessing()),
        (Preprocessing(mean=(10.0,), std=(2.0,)), Preprocessing(mean=(4.0,), std=(1.0,))),
    ],
)
def test_the_teacher_sees_the_images_in_its_own_normalisation(given: Preprocessing, wanted: Preprocessing) -> None:
    pixels = RNG.uniform(0, 255, (2, given.channels, 3, 3))  # RGB

    def normalised(preprocessing: Preprocessing) -> np.ndarray:
        ordered = pixels[:, ::-1] if preprocessing.channel_order == "bgr" else pixels
        mean, std = (np.array(x).reshape(1, -1, 1, 1) for x in (preprocessing.mean, preprocessing.std))
        return (ordered - mean) / std

    seen = Renormalised(nn.Identity(), given, wanted)(Tensor(normalised(given), ms.float32)).asnumpy()
    np.testing.assert_allclose(seen, normalised(wanted), rtol=1e-4, atol=1e-3)
