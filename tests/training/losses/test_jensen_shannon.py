"""The loss of AugMix, computed again by scipy."""

import mindspore as ms
import numpy as np
import pytest
from scipy.special import log_softmax, rel_entr, softmax

from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.training.losses.create import create_loss
from mindcv_shufflenet.training.losses.jensen_shannon import JensenShannon


@pytest.mark.usefixtures("pynative")
@pytest.mark.parametrize("form", ["indices", "shares"])
def test_the_loss_is_the_papers(form: str) -> None:
    logits = np.random.default_rng(0).normal(0, 3, (3, 4, 5)).astype(np.float32)
    label = np.array([0, 1, 4, 4], np.int32)
    shares = softmax(logits, -1)
    smoothed = 0.9 * np.eye(5)[label] + 0.1 / 5
    terms = -(smoothed * log_softmax(logits[0], -1)).sum(-1) + 12 * rel_entr(shares, shares.mean(0)).sum(-1).mean(0)
    labels = np.tile(label, 3) if form == "indices" else np.tile(np.eye(5, dtype=np.float32)[label], (3, 1))
    for reduction, expected in (("mean", terms.mean()), ("sum", terms.sum())):
        options = {"loss": "JSD", "aug_splits": 3, "auto_augment": "augmix", "label_smoothing": 0.1}
        loss = create_loss(parse_config(options | {"reduction": reduction}))
        assert float(loss(ms.Tensor(logits.reshape(12, 5)), ms.Tensor(labels))) == pytest.approx(expected, rel=1e-5)


@pytest.mark.usefixtures("pynative")
def test_views_that_agree_cost_nothing_and_certain_ones_have_gradients() -> None:
    """A share that float32 takes for 0 gives no NaN."""
    logits = np.tile(np.array([[200.0, 0.0, -200.0]], np.float32), (3, 1))
    loss = JensenShannon(3)
    label = ms.Tensor(np.zeros(3, np.int32))
    assert float(loss(ms.Tensor(logits), label)) == pytest.approx(0, abs=1e-6)
    logits[1] = logits[1, ::-1]
    gradient = ms.grad(loss)(ms.Tensor(logits), label).asnumpy()
    assert np.isfinite(gradient).all()


@pytest.mark.usefixtures("pynative")
def test_it_repeats_bit_for_bit() -> None:
    """MindSpore's log of these 30 numbers does not, since the first launches of a process share them out otherwise."""
    values = np.random.default_rng(0).normal(0, 3, (9, 10)).astype(np.float32)
    loss, label = JensenShannon(3), ms.Tensor(np.zeros(9, np.int32))
    of_logits = ms.value_and_grad(loss)
    results = [of_logits(ms.Tensor(values) + 0, label) for _ in range(30)]
    assert len({value.asnumpy().tobytes() + gradient.asnumpy().tobytes() for value, gradient in results}) == 1
