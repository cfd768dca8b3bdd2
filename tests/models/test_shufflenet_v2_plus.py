"""ShuffleNetV2+: its blocks against numpy, Megvii's names, and what is drawn at the start."""

import numpy as np
import pytest
from mindspore import Tensor

from mindcv_shufflenet.families.shufflenet_v2_plus import XCEPTION, Stage
from mindcv_shufflenet.models.registry import build
from mindcv_shufflenet.models.shufflenet_v2_plus import Block, SqueezeExcitation
from mindcv_shufflenet.weights.names import recognise
from tests.weights.networks import arrays_of, random_network, randomise, same

SMALL = "shufflenet_v2_plus_small"


pytestmark = pytest.mark.usefixtures("pynative")


def normalised(x: np.ndarray, arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    gamma, beta, mean, variance = (
        arrays[f"{name}.{part}"].reshape(-1, *(1,) * (x.ndim - 2))
        for part in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta


def test_squeeze_and_excitation_equals_numpy() -> None:
    cell = randomise(SqueezeExcitation(8), 1)
    arrays = {parameter.name: parameter.asnumpy() for parameter in cell.get_parameters()}
    x = np.random.default_rng(0).normal(size=(2, 8, 5, 5)).astype(np.float32)
    means = x.mean(axis=(2, 3))
    squeezed = np.maximum(normalised(means @ arrays["squeeze.weight"][:, :, 0, 0].T, arrays, "norm"), 0)
    gate = np.clip(squeezed @ arrays["excite.weight"][:, :, 0, 0].T + 3, 0, 6) / 6
    np.testing.assert_allclose(cell(Tensor(x)).asnumpy(), x * gate[:, :, None, None], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(cell(Tensor(means)).asnumpy(), means * gate, rtol=1e-4, atol=1e-5)


def test_the_xception_block_equals_numpy() -> None:
    """Every second channel passes; the others go through three pairs of depthwise and pointwise convolution."""
    cell = randomise(Block(8, 8, 1, XCEPTION, Stage((XCEPTION,), "hard_swish", False)), 1)
    arrays = {parameter.name: parameter.asnumpy() for parameter in cell.get_parameters()}
    x = np.random.default_rng(0).normal(size=(2, 8, 6, 6)).astype(np.float32)
    main = x[:, 1::2]
    for place in (0, 5, 10):
        padded = np.pad(main, [(0, 0), (0, 0), (1, 1), (1, 1)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))  # type: ignore[call-overload]
        main = np.einsum("nchwij,cij->nchw", windows, arrays[f"branch_main.{place}.weight"][:, 0])
        main = normalised(main, arrays, f"branch_main.{place + 1}")
        main = np.einsum("nchw,oc->nohw", main, arrays[f"branch_main.{place + 2}.weight"][:, :, 0, 0])
        main = normalised(main, arrays, f"branch_main.{place + 3}")
        main = main * np.clip(main + 3, 0, 6) / 6
    expected = np.concatenate((x[:, 0::2], main), axis=1)
    np.testing.assert_allclose(cell(Tensor(x)).asnumpy(), expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_the_blocks_are_those_of_megviis_table() -> None:
    """Megvii's list of blocks: 0, 1, 2 are kernels of 3, 5, 7, and 3 is Xception. The last two stages have SE."""
    architecture = [0, 0, 3, 1, 1, 1, 0, 0, 2, 0, 2, 1, 1, 0, 2, 0, 2, 1, 3, 2]
    shapes = {parameter.name: parameter.shape for parameter in build(SMALL).get_parameters()}
    for index, block in enumerate(architecture):
        name = f"features.{index}.branch_main"
        assert (f"{name}.12.weight" in shapes) == (block == 3)
        if block != 3:
            assert shapes[f"{name}.3.weight"][2:] == (3 + 2 * block,) * 2
        last = 12 if block == 3 else 5
        gate = f"{name}.{last + 3}.squeeze.weight"
        assert (gate in shapes) == (index >= 8)
        if index >= 8:
            channels = shapes[f"{name}.{last}.weight"][0]
            assert shapes[gate] == (channels // 4, channels, 1, 1)


def test_megviis_names_are_recognised_and_come_back() -> None:
    network = random_network(SMALL)
    theirs = arrays_of(network, "megvii")
    assert {
        "first_conv.1.running_mean", "features.8.branch_main.8.SE_opr.1.weight",
        "features.18.branch_main.15.SE_opr.2.running_var", "conv_last.0.weight", "LastSE.SE_opr.4.weight",
        "fc.0.weight", "classifier.0.weight",
    } < theirs.keys()  # fmt: skip
    assert len(theirs) == 460  # as many as Megvii's network has, without the counters
    found = recognise(theirs, "file")
    assert (found.project, found.family.title) == ("megvii", "ShuffleNetV2+")
    assert same(found.arrays, arrays_of(network))


def test_weights_start_as_in_megviis_training_code() -> None:
    arrays = arrays_of(build(SMALL))
    deviations = {"first_conv.0.weight": 0.01, "last_se.excite.weight": 0.01, "fc.0.weight": 0.01}
    deviations |= {"conv_last.0.weight": 1 / 416, "features.12.branch_main.3.weight": 1.0}
    for name, deviation in deviations.items():
        assert arrays[name].std() == pytest.approx(deviation, rel=0.15)
    assert (arrays["last_se.norm.beta"] == np.float32(0.0001)).all()
