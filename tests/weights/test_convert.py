"""Layouts into each other, exactly, and BatchNorm that was folded."""

import ast
import sys
from pathlib import Path

import numpy as np
import pytest
from mindspore import Tensor

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.weights import convert
from mindcv_shufflenet.weights.convert import change_layout, find_layout, unfold
from tests.weights.networks import arrays_of, logits, random_network, same

NAMES = [f"shufflenet_v2_x{width}" for width in ("0_5", "1_0", "1_5", "2_0")]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("layout", ["megvii", "torchvision"])
def test_the_layout_is_read_off_the_weights(name: str, layout: str) -> None:
    arrays = arrays_of(random_network(name, layout=layout))
    assert find_layout(arrays, "mindspore") == layout
    assert find_layout(arrays, layout) == layout
    backbone = {name: value for name, value in arrays.items() if not name.startswith("classifier")}
    assert find_layout(backbone, "mindspore") == (None if name == NAMES[0] else layout)


def test_x0_5_becomes_the_other_layout_and_computes_the_same() -> None:
    source = random_network(layout="torchvision")
    source.classifier.bias.set_data(Tensor(np.zeros(1000, np.float32)))
    arrays, notes = change_layout(arrays_of(source), "torchvision", "megvii")
    target = random_network(seed=1, layout="megvii", pool="pad")
    for parameter in target.get_parameters():
        parameter.set_data(Tensor(arrays[parameter.name]))
    assert np.abs(logits(source) - logits(target)).max() < 1e-5 * np.abs(logits(source)).max()
    assert "bias" in notes[0]
    back, _ = change_layout(arrays, "megvii", "torchvision")
    assert same(back, arrays_of(source))


@pytest.mark.parametrize("name", NAMES[1:])
def test_other_widths_are_refused_with_the_reason(name: str) -> None:
    arrays = arrays_of(random_network(name))
    with pytest.raises(UserError, match="stride-2 blocks have other shapes there; only x0.5 converts"):
        change_layout(arrays, "megvii", "torchvision")
    with pytest.raises(UserError, match=r"weights without features\.4\.branch_proj"):
        del arrays["features.4.branch_proj.2.weight"]
        change_layout(arrays, "megvii", "torchvision")


@pytest.mark.parametrize("width", [48, 96, 192, 116, 232, 464, 176, 352, 704, 244, 488, 976])
def test_the_two_shuffles_are_one_under_another_numbering(width: int) -> None:
    """Each channel is paired with one that is made by the same branch and taken by the same block."""
    for repeats in (4, 8):
        torchvision, megvii = (convert._trace(layout, repeats, width) for layout in ("torchvision", "megvii"))
        pairs = convert._same_channels(torchvision, megvii)
        assert sorted(pairs) == sorted(pairs.values()) == list(range(width // 2 * (repeats + 1)))
        for ours, theirs in zip(megvii.taken, torchvision.taken, strict=True):
            assert {pairs[channel] for channel in ours} == set(theirs)
        assert {pairs[channel] for channel in megvii.left} == set(torchvision.left)


def test_a_folded_batch_norm_stands_beside_its_convolution_again() -> None:
    network = random_network(layout="torchvision")
    arrays = arrays_of(network)
    folded = {}
    for name, value in arrays.items():
        layer, _, parameter = name.rpartition(".")
        if parameter != "weight" or value.ndim != 4:
            continue
        parent, _, position = layer.rpartition(".")
        gamma, beta, mean, variance = (
            arrays[f"{parent}.{int(position) + 1}.{own}"] for own in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        scale = gamma / np.sqrt(variance + 1e-5)
        folded[name] = value * scale[:, None, None, None]
        folded[f"{layer}.bias"] = beta - mean * scale
    folded |= {name: arrays[name] for name in ("classifier.weight", "classifier.bias")}
    unfolded, changed = unfold(folded)
    assert changed
    assert unfolded.keys() == arrays.keys()
    expected = logits(network)
    for parameter in network.get_parameters():
        parameter.set_data(Tensor(unfolded[parameter.name]))
    assert np.abs(logits(network) - expected).max() < 1e-5 * np.abs(expected).max()
    biased = dict(arrays)  # a bias beside a complete BatchNorm
    biased["conv_last.0.bias"] = np.full(1024, 0.5, np.float32)
    unfolded, changed = unfold(biased)
    assert not changed
    assert np.array_equal(unfolded["conv_last.1.moving_mean"], arrays["conv_last.1.moving_mean"] - np.float32(0.5))
    lacking = {name: value for name, value in arrays.items() if name != "conv_last.1.gamma"}
    unfolded, changed = unfold(lacking)  # what is missing stays missing
    assert not changed
    assert same(unfolded, lacking)
    again, changed = unfold(arrays)
    assert not changed
    assert same(again, arrays)


def test_numpy_is_all_it_needs() -> None:
    for path in (Path(convert.__file__), Path(sys.modules["mindcv_shufflenet.weights.names"].__file__ or "")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            own = {"mindcv_shufflenet.errors", "mindcv_shufflenet.weights.names"}
            assert all(n in own or n.split(".")[0] in sys.stdlib_module_names | {"numpy"} for n in names)
