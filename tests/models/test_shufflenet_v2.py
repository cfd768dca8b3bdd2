"""The network against an independent numpy computation, and its variants in both modes."""

from collections.abc import Iterator
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.models.shufflenet_v2 import Block
from mindcv_shufflenet.network import create_model
from tests.small import MODEL

RNG = np.random.default_rng(0)


def windows_of(x: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """The windows ``[N, C, H, W, *size]`` of maps."""
    return np.lib.stride_tricks.sliding_window_view(x, size, axis=(2, 3))  # type: ignore[call-overload]  # numpy's stubs know no tuple of axes


def conv(x: np.ndarray, weight: np.ndarray, stride: int, groups: int) -> np.ndarray:
    """A convolution by its definition: windows, then a sum over input channels and kernel."""
    pad = weight.shape[2] // 2
    x = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    windows = windows_of(x, weight.shape[2:])[:, :, ::stride, ::stride]
    parts = zip(np.split(windows, groups, axis=1), np.split(weight, groups), strict=True)
    return np.concatenate([np.einsum("nchwij,ocij->nohw", part, kernel) for part, kernel in parts], axis=1)


def norm(x: np.ndarray, cell: nn.BatchNorm2d) -> np.ndarray:
    """Inference BatchNorm by its definition."""
    mean, variance, gamma, beta = (
        p.asnumpy().reshape(1, -1, 1, 1) for p in (cell.moving_mean, cell.moving_variance, cell.gamma, cell.beta)
    )
    return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta


def branch(x: np.ndarray, cells: nn.SequentialCell, stride: int) -> np.ndarray:
    """Run conv, BatchNorm and ReLU cells in numpy; the only 3x3 convolution is the depthwise one."""
    for cell in cells:
        if isinstance(cell, nn.Conv2d):
            weight = cell.weight.asnumpy()
            depthwise = weight.shape[2] == 3
            x = conv(x, weight, stride if depthwise else 1, weight.shape[0] if depthwise else 1)
        else:
            x = norm(x, cell) if isinstance(cell, nn.BatchNorm2d) else np.maximum(x, 0)
    return x


def block(x: np.ndarray, cell: Block, stride: int, layout: str) -> np.ndarray:
    """Figure 3 c and d of the paper, with the shuffle where the layout has it."""
    if stride == 2:
        halves = branch(x, cell.branch_proj, 2), branch(x, cell.branch_main, 2)
    elif layout == "megvii":
        halves = x[:, 0::2], branch(x[:, 1::2], cell.branch_main, 1)
    else:
        first, second = np.split(x, 2, axis=1)
        halves = first, branch(second, cell.branch_main, 1)
    out = np.concatenate(halves, axis=1)
    if layout == "megvii":
        return out
    groups = out.reshape(out.shape[0], 2, -1, *out.shape[2:])
    return groups.transpose(0, 2, 1, 3, 4).reshape(out.shape)


def randomise_norms(network: nn.Cell) -> None:
    """Give BatchNorm statistics and factors that an identity would not survive."""
    for _, cell in network.cells_and_names():
        if isinstance(cell, nn.BatchNorm2d):
            for parameter in (cell.moving_mean, cell.beta):
                parameter.set_data(ms.Tensor(RNG.normal(0, 0.3, parameter.shape), ms.float32))
            for parameter in (cell.moving_variance, cell.gamma):
                parameter.set_data(ms.Tensor(RNG.uniform(0.5, 1.5, parameter.shape), ms.float32))


@pytest.fixture(params=[ms.GRAPH_MODE, ms.PYNATIVE_MODE], ids=["graph", "pynative"])
def mode(request: pytest.FixtureRequest) -> Iterator[int]:
    ms.set_context(mode=request.param)
    yield request.param
    ms.set_context(mode=ms.GRAPH_MODE)


@pytest.mark.parametrize("layout", ["megvii", "torchvision"])
@pytest.mark.parametrize(("stride", "channels"), [(1, (48, 48)), (2, (24, 116))])
def test_block_equals_numpy(layout: str, stride: int, channels: tuple[int, int]) -> None:
    cell = Block(*channels, stride, layout)
    randomise_norms(cell)
    cell.set_train(False)
    x = RNG.standard_normal((2, channels[0], 10, 10)).astype(np.float32)
    np.testing.assert_allclose(cell(ms.Tensor(x)).asnumpy(), block(x, cell, stride, layout), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("width", ["x0_5", "x1_0", "x1_5", "x2_0"])
def test_every_width_computes_the_same_in_both_modes(width: str) -> None:
    network = create_model(f"shufflenet_v2_{width}", num_classes=7)
    network.set_train(False)
    x = ms.Tensor(RNG.standard_normal((2, 3, 64, 64)), ms.float32)
    logits = {}
    for name, value in (("pynative", ms.PYNATIVE_MODE), ("graph", ms.GRAPH_MODE)):
        ms.set_context(mode=value)
        logits[name] = network(x).asnumpy()
    assert logits["graph"].shape == (2, 7)
    scale = np.abs(logits["graph"]).max()
    np.testing.assert_allclose(logits["graph"] / scale, logits["pynative"] / scale, atol=1e-5)


@pytest.mark.parametrize(
    ("stem", "sizes"), [("imagenet", (16, 8, 4, 2, 2)), ("cifar", (64, 32, 16, 8, 8))], ids=["imagenet", "cifar"]
)
def test_extract_features_gives_every_stage_of_one_pass(mode: int, stem: str, sizes: tuple[int, ...]) -> None:
    network = create_model(MODEL, stem=stem, in_channels=4, num_classes=3, layout="torchvision")
    network.set_train(False)
    x = ms.Tensor(RNG.standard_normal((2, 4, 64, 64)), ms.float32)
    features = network.extract_features(x)
    assert list(features) == ["stem", "stage2", "stage3", "stage4", "conv_last", "pooled"]
    channels = (16, 48, 96, 192, 1024)
    for name, size, width in zip(list(features)[:-1], sizes, channels, strict=True):
        assert features[name].shape == (2, width, size, size)
    pooled = features["pooled"].asnumpy()
    np.testing.assert_allclose(pooled, features["conv_last"].asnumpy().mean(axis=(2, 3)), rtol=1e-4, atol=1e-9)
    weight, bias = network.classifier.weight.asnumpy(), network.classifier.bias.asnumpy()
    np.testing.assert_allclose(network(x).asnumpy(), pooled @ weight.T + bias, rtol=1e-3, atol=1e-9)


def mindcv_names() -> set[str]:
    """The parameter names of mindcv's published checkpoints, from their pattern."""
    norm_parts = ("gamma", "beta", "moving_mean", "moving_variance")
    names = {"classifier.weight"}
    for stem in ("first_conv", "conv_last"):
        names |= {f"{stem}.0.weight", *(f"{stem}.1.{part}" for part in norm_parts)}
    for index in range(16):
        branches: dict[str, tuple[tuple[int, ...], ...]] = {"branch_main": ((0, 3, 5), (1, 4, 6))}
        if index in (0, 4, 12):
            branches["branch_proj"] = ((0, 2), (1, 3))
        for branch_name, (convs, norms) in branches.items():
            prefix = f"features.{index}.{branch_name}"
            names |= {f"{prefix}.{conv_index}.weight" for conv_index in convs}
            names |= {f"{prefix}.{norm_index}.{part}" for norm_index in norms for part in norm_parts}
    return names


@pytest.mark.parametrize(("layout", "pool"), [("megvii", "same"), ("megvii", "pad"), ("torchvision", "pad")])
def test_the_whole_network_equals_numpy(layout: str, pool: str) -> None:
    network = create_model("shufflenet_v2_x0_5", layout=layout, pool=pool, num_classes=4)
    randomise_norms(network)
    network.set_train(False)
    images = RNG.standard_normal((1, 3, 64, 64)).astype(np.float32)
    x = np.maximum(norm(conv(images, network.first_conv[0].weight.asnumpy(), 2, 1), network.first_conv[1]), 0)
    x = np.pad(x, [(0, 0), (0, 0), *[(1, 1) if pool == "pad" else (0, 1)] * 2])
    x = windows_of(x, (3, 3))[:, :, ::2, ::2].max(axis=(4, 5))[:, :, :16, :16]
    for index, cell in enumerate(network.features):
        x = block(x, cell, 2 if index in (0, 4, 12) else 1, layout)
    pooled = branch(x, network.conv_last, 1).mean(axis=(2, 3))
    logits = pooled @ network.classifier.weight.asnumpy().T
    if layout == "torchvision":
        logits += network.classifier.bias.asnumpy()
    np.testing.assert_allclose(
        network(ms.Tensor(images)).asnumpy(), logits, rtol=1e-3, atol=1e-3 * np.abs(logits).max()
    )


def test_parameters_have_mindcv_names_and_shapes() -> None:
    """Names of the published mindcv checkpoints: 56 convolutions, each with its BatchNorm, and one dense layer."""
    network = create_model("shufflenet_v2_x1_0")
    shapes = {parameter.name: parameter.shape for parameter in network.get_parameters()}
    assert set(shapes) == mindcv_names()
    assert len(shapes) == 56 * 5 + 1
    assert shapes["first_conv.0.weight"] == (24, 3, 3, 3)
    assert shapes["features.0.branch_proj.2.weight"] == (24, 24, 1, 1)
    assert shapes["features.0.branch_main.5.weight"] == (92, 58, 1, 1)
    assert shapes["features.15.branch_main.6.moving_variance"] == (232,)
    assert shapes["conv_last.1.gamma"] == (1024,)
    assert shapes["classifier.weight"] == (1000, 1024)


def test_initial_weights_are_the_published_training_codes() -> None:
    network = create_model("shufflenet_v2_x1_0")
    deviations = {"first_conv.0.weight": 0.01, "classifier.weight": 0.01}
    deviations |= {"features.1.branch_main.3.weight": 1.0, "conv_last.0.weight": 1 / 464}
    parameters = network.parameters_dict()
    for name, deviation in deviations.items():
        values = parameters[name].asnumpy()
        assert values.std() == pytest.approx(deviation, rel=0.1)
        assert abs(values.mean()) < deviation / 5


def test_a_dropout_mask_scales_the_pooled_features(mode: int) -> None:
    network = create_model(MODEL, stem="cifar", num_classes=5, drop_rate=0.5)
    network.set_train(False)
    x = ms.Tensor(RNG.standard_normal((2, 3, 16, 16)), ms.float32)
    mask = (RNG.random((2, network.num_features)) < 0.5) * 2.0
    pooled = network.extract_features(x)["pooled"].asnumpy()
    expected = (pooled * mask) @ network.classifier.weight.asnumpy().T
    logits = network(x, ms.Tensor(mask, ms.float32)).asnumpy()
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-9)


def test_dropout_without_a_mask_acts_in_training_alone() -> None:
    network = create_model(MODEL, stem="cifar", num_classes=5, drop_rate=0.5)
    ms.set_context(mode=ms.PYNATIVE_MODE)
    x = ms.Tensor(RNG.standard_normal((2, 3, 16, 16)), ms.float32)
    network.set_train(False)
    np.testing.assert_array_equal(network(x).asnumpy(), network(x).asnumpy())
    network.set_train(True)
    assert (network(x).asnumpy() != network(x).asnumpy()).any()


@pytest.mark.parametrize(
    ("argument", "value"),
    [("layout", "mindcv"), ("stem", "tiny"), ("pool", "valid"), ("drop_rate", 1.0), ("num_classes", 0)],
)
def test_wrong_arguments_are_named(argument: str, value: Any) -> None:
    with pytest.raises(UserError, match=argument):
        create_model("shufflenet_v2_x0_5", **{argument: value})


@pytest.mark.parametrize("stem", ["imagenet", "cifar"])
def test_the_stride_is_that_of_the_last_map(stem: str) -> None:
    network = create_model(MODEL, stem=stem).set_train(False)
    for size in (network.stride, network.stride + 1):
        last = network.forward_features(Tensor(np.zeros((1, 3, size, size), np.float32)))
        assert last.shape[2:] == (-(-size // network.stride),) * 2
