"""The losses against numpy, for indices and for shares of classes."""

from typing import get_args

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.options.schema.loss import LossOptions
from mindcv_shufflenet.training.losses.create import LOSSES, create_loss

RNG = np.random.default_rng(3)
LOGITS = RNG.standard_normal((5, 4)).astype(np.float32) * 3
LABEL = np.array([0, 3, 1, 1, 2], np.int32)
SHARES = RNG.dirichlet(np.ones(4), 5).astype(np.float32)


def terms(loss: str, target: np.ndarray) -> np.ndarray:
    logits = LOGITS.astype(np.float64)
    if loss == "CE":
        return -(target * (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))).sum(axis=1)
    sigmoid = 1 / (1 + np.exp(-logits))
    return -(target * np.log(sigmoid) + (1 - target) * np.log(1 - sigmoid))


@pytest.mark.usefixtures("pynative")
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("label", [LABEL, SHARES], ids=["indices", "shares"])
@pytest.mark.parametrize("loss", ["CE", "BCE"])
def test_loss(loss: str, label: np.ndarray, smoothing: float, reduction: str) -> None:
    cell = create_loss(parse_config({"loss": loss, "label_smoothing": smoothing, "reduction": reduction}))
    target = (np.eye(4)[label] if label.ndim == 1 else label) * (1 - smoothing) + smoothing / 4
    value = cell(Tensor(LOGITS), Tensor(label))
    assert value.dtype == ms.float32
    assert float(value.asnumpy()) == pytest.approx(getattr(np, reduction)(terms(loss, target)), rel=1e-5)


@pytest.mark.usefixtures("pynative")
@pytest.mark.parametrize("loss", ["CE", "BCE"])
def test_float16_logits_are_summed_in_float32(loss: str) -> None:
    value = create_loss(parse_config({"loss": loss}))(Tensor(LOGITS, ms.float16), Tensor(LABEL))
    assert value.dtype == ms.float32
    assert float(value.asnumpy()) == pytest.approx(terms(loss, np.eye(4)[LABEL]).mean(), rel=1e-2)


def test_the_losses_are_the_options() -> None:
    assert set(LOSSES) == set(get_args(LossOptions.model_fields["loss"].annotation))
