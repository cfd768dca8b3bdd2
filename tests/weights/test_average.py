"""The mean of weights, and weights that are refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.families.shufflenet_v2 import FAMILY
from mindcv_shufflenet.storage.run_directory import Classes
from mindcv_shufflenet.weights.average import average_weights
from mindcv_shufflenet.weights.load import Weights
from mindcv_shufflenet.weights.metadata import Metadata
from tests.small import MODEL


def weights(seed: int, source: str = "a.ckpt", model: str = MODEL, classes: str = "ab", **options: Any) -> Weights:
    """Weights of two parameters and a counter."""
    rng = np.random.default_rng(seed)
    arrays = {
        "first_conv.0.weight": rng.standard_normal((4, 3)).astype(np.float32),
        "classifier.weight": rng.standard_normal((len(classes), 4)).astype(np.float32),
        "steps": np.array([seed]),
    }
    layers = FAMILY.describe(MODEL, **FAMILY.resolve(MODEL, {}))
    told = Metadata({"model": model, **options}, Classes((*classes,), {name: i for i, name in enumerate(classes)}))
    return Weights(arrays, FAMILY, layers, "mindspore", {}, source, False, told, {}, [])


def test_floats_are_the_mean_in_float64_and_whole_numbers_the_last() -> None:
    members = [weights(seed) for seed in (1, 2, 3)]
    mean = average_weights(members)
    for name in ("first_conv.0.weight", "classifier.weight"):
        expected = np.sum([one.arrays[name].astype(np.float64) for one in members], axis=0) / 3
        assert mean[name].dtype == np.float32
        np.testing.assert_array_equal(mean[name], expected.astype(np.float32))
    np.testing.assert_array_equal(mean["steps"], [3])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            lambda: weights(2, "b.ckpt", classes="abc"),
            "different classes apart: classifier.weight is .2, 4. and .3,",
        ),
        (lambda: weights(2, "b.ckpt", classes="xy"), r"trained on other classes: \('a', 'b'\) and \('x', 'y'\)"),
        (lambda: weights(2, "b.ckpt", pool="pad"), "pool is None and pad"),
        (lambda: weights(2, "b.ckpt", "shufflenet_v2_x0_5"), f"model is {MODEL} and shufflenet_v2_x0_5"),
        (lambda: weights(2, "b.ckpt")._replace(arrays={}), "of two networks: first_conv.0.weight is .4, 3. and absent"),
    ],
)
def test_weights_of_other_networks_or_classes_are_refused(other: Callable[[], Weights], message: str) -> None:
    with pytest.raises(UserError, match=f"a.ckpt and b.ckpt cannot be averaged: .*{message}"):
        average_weights([weights(1), other()])
