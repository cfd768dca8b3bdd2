"""Layouts into each other, exactly, and BatchNorm that was folded."""

import ast
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mindspore import Tensor

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.families import find_family
from mindcv_shufflenet.weights import layout, names, relabel
from mindcv_shufflenet.weights.layout import change_options, find_options, unfold
from tests.weights.networks import X0_5, arrays_of, logits, random_network, same


def options(layout: str) -> dict[str, str]:
    return {"layout": layout, "pool": "pad"}


NAMES = [f"shufflenet_v2_x{width}" for width in ("0_5", "1_0", "1_5", "2_0")]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("layout", ["megvii", "torchvision"])
def test_the_layout_is_read_off_the_weights(name: str, layout: str) -> None:
    arrays = arrays_of(random_network(name, layout=layout))
    family = find_family(name)
    assert find_options(arrays, family, NAMES, "mindspore") == {"layout": layout, "se": False}
    assert find_options(arrays, family, NAMES, layout) == {"layout": layout, "se": False}
    backbone = {name: value for name, value in arrays.items() if not name.startswith("classifier")}
    expected = {} if name == NAMES[0] else {"layout": layout}
    assert find_options(backbone, family, NAMES, "mindspore") == expected | {"se": False}


def test_x0_5_becomes_the_other_layout_and_computes_the_same() -> None:
    source = random_network(layout="torchvision")
    source.classifier.bias.set_data(Tensor(np.zeros(1000, np.float32)))
    arrays, notes = change_options(arrays_of(source), X0_5, options("torchvision"), options("megvii"))
    target = random_network(seed=1, layout="megvii", pool="pad")
    for parameter in target.get_parameters():
        parameter.set_data(Tensor(arrays[parameter.name]))
    assert np.abs(logits(source) - logits(target)).max() < 1e-5 * np.abs(logits(source)).max()
    assert "bias" in notes[0]
    back, _ = change_options(arrays, X0_5, options("megvii"), options("torchvision"))
    assert same(back, arrays_of(source))
    part = {name: value for name, value in arrays_of(source).items() if "branch_proj" not in name}
    changed, _ = change_options(part, X0_5, options("torchvision"), options("megvii"))
    assert same(changed, {name: value for name, value in arrays.items() if "branch_proj" not in name})


@pytest.mark.parametrize("name", NAMES[1:])
def test_other_widths_are_refused_with_the_reason(name: str) -> None:
    arrays = arrays_of(random_network(name))
    reason = (
        rf"layout megvii cannot become torchvision in {name}: features\.0\.branch_proj\.2\.weight and \d+ more have"
        r" another shape there; only shufflenet_v2_x0_5, se_shufflenet_v2_x0_5 convert\. Leave --layout megvii"
    )
    with pytest.raises(UserError, match=reason):
        change_options(arrays, name, options("megvii"), options("torchvision"))


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
    unfolded, changed = unfold(folded, network.plan.layers)
    assert changed
    assert unfolded.keys() == arrays.keys()
    expected = logits(network)
    for parameter in network.get_parameters():
        parameter.set_data(Tensor(unfolded[parameter.name]))
    assert np.abs(logits(network) - expected).max() < 1e-5 * np.abs(expected).max()
    biased = dict(arrays)  # a bias beside a complete BatchNorm
    biased["conv_last.0.bias"] = np.full(1024, 0.5, np.float32)
    unfolded, changed = unfold(biased, network.plan.layers)
    assert not changed
    assert np.array_equal(unfolded["conv_last.1.moving_mean"], arrays["conv_last.1.moving_mean"] - np.float32(0.5))
    lacking = {name: value for name, value in arrays.items() if name != "conv_last.1.gamma"}
    unfolded, changed = unfold(lacking, network.plan.layers)  # what is missing stays missing
    assert not changed
    assert same(unfolded, lacking)
    again, changed = unfold(arrays, network.plan.layers)
    assert not changed
    assert same(again, arrays)


def test_numpy_is_all_it_needs() -> None:
    rooms = tuple(f"mindcv_shufflenet.{room}" for room in ("errors", "families", "lines", "weights."))
    for path in (Path(module.__file__ or "") for module in (layout, relabel, names)):
        for node in ast.walk(ast.parse(path.read_text())):
            imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            imported += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert all(n.startswith(rooms) or n.split(".")[0] in sys.stdlib_module_names | {"numpy"} for n in imported)


def test_squeeze_and_excitation_goes_along() -> None:
    there, here = (dict[str, Any](layout=name, pool="pad", se=True) for name in ("torchvision", "megvii"))
    source = random_network(**there)
    source.classifier.bias.set_data(Tensor(np.zeros(1000, np.float32)))
    arrays, _ = change_options(arrays_of(source), X0_5, there, here)
    target = random_network(seed=1, **here)
    for parameter in target.get_parameters():
        parameter.set_data(Tensor(arrays[parameter.name]))
    assert np.abs(logits(source) - logits(target)).max() < 1e-5 * np.abs(logits(source)).max()
    back, _ = change_options(arrays, X0_5, here, there)
    assert same(back, arrays_of(source))


def test_shortcuts_bind_the_channels_to_their_layout() -> None:
    """A channel keeps what each block has added to it, and in eight blocks the two shuffles send channels through
    other sets of blocks."""
    there, here = (dict[str, Any](layout=name, pool="pad", residual=True) for name in ("torchvision", "megvii"))
    arrays = arrays_of(random_network(**there))
    with pytest.raises(UserError, match=rf"weights of {X0_5} cannot become weights with layout=megvii: no order of"):
        change_options(arrays, X0_5, there, here)
