"""ShuffleNetV1's weights: each layout into every other, the names of four projects, arrays for each group."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mindspore import Tensor, nn

from mindcv_shufflenet.deploy.conversion import convert
from mindcv_shufflenet.families.shufflenet_v1 import FAMILY, LAYOUTS
from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.weights.checkpoint import save_checkpoint
from mindcv_shufflenet.weights.layout import reachable
from mindcv_shufflenet.weights.names import recognise, translate
from tests.families.reference import random_arrays
from tests.small import MODEL_V1
from tests.weights.networks import arrays_of, logits, random_network, read_arrays, same

X1_0 = "shufflenet_v1_g{}_x1_0"


pytestmark = pytest.mark.usefixtures("pynative")


def unbiased(model: str, **options: Any) -> nn.Cell:
    """A network whose logits survive the loss of the classifier's bias."""
    network = random_network(model, num_classes=9, **options)
    if network.classifier.has_bias:
        network.classifier.bias.set_data(Tensor(np.zeros(9, np.float32)))
    return network


def check_conversion(model: str, source: str, target: str, folder: Path) -> tuple[nn.Cell, str]:
    """Convert and compare logits; return the network of the target, and the notes."""
    network = unbiased(model, layout=source)
    arrays = translate(arrays_of(network), network.plan.layers, source)
    there, here = folder / "source.npz", folder / "target.ckpt"
    np.savez(there, **arrays)
    notes = convert(there, here, model=model, layout=target, overwrite=True).notes
    converted = create_model(model, num_classes=9, checkpoint_path=here).set_train(False)
    assert converted.options["layout"] == target
    expected = logits(network)
    assert np.abs(logits(converted) - expected).max() < 1e-5 * np.abs(expected).max()
    return converted, "\n".join(notes)


@pytest.mark.parametrize(("source", "target"), [*itertools.permutations(LAYOUTS, 2)])
def test_each_layout_becomes_every_other(source: str, target: str, tmp_path: Path) -> None:
    converted, notes = check_conversion(MODEL_V1, source, target, tmp_path)
    assert converted.options["channel_shuffle"] == LAYOUTS[target].channel_shuffle  # with three groups it is no matter
    assert converted.options["pool"] == LAYOUTS[source].pool
    assert "channel_shuffle stays" not in notes
    assert ("pool stays as in the source" in notes) == (LAYOUTS[source].pool != LAYOUTS[target].pool)


@pytest.mark.parametrize(("source", "target"), [("imgclsmob", "mindcv"), ("megvii", "mmpretrain")])
def test_the_view_of_the_channels_stays_where_no_order_makes_up_for_it(
    source: str, target: str, tmp_path: Path
) -> None:
    view = LAYOUTS[source].channel_shuffle
    converted, notes = check_conversion("shufflenet_v1_g8_x1_0", source, target, tmp_path)
    assert converted.options["channel_shuffle"] == view
    assert "channel_shuffle stays as in the source; other programs do not read it from the file" in notes
    assert f"give them channel_shuffle={view}" in notes


@pytest.mark.parametrize(
    ("model", "is_one"),
    [
        ("shufflenet_v1_g1_x0_25", True),
        ("shufflenet_v1_g2_x1_0", True),
        ("shufflenet_v1_g3_x0_25", True),
        ("shufflenet_v1_g4_x1_0", False),
        ("shufflenet_v1_g8_x0_5", False),
        ("shufflenet_v1_g8_x2_0", True),
    ],
)
def test_which_variants_have_one_view_of_the_channels(model: str, is_one: bool) -> None:
    """A view can change if the channels of a group go to all groups in equal parts: not 17 channels to 4 groups."""
    source, target = FAMILY.resolve(model, {"layout": "megvii"}), FAMILY.resolve(model, {"layout": "imgclsmob"})
    same_size = FAMILY.resolve(model, {"layout": "mindcv", "pool": "pad"})
    assert reachable(model, source, same_size)
    assert reachable(model, source, same_size | {"channel_shuffle": "interleave"}) == is_one
    assert reachable(model, source, target) == is_one


# One parameter of each unit, in the projects' own code: mindcv 0.3.1, Megvii, mmpretrain, imgclsmob.
EXAMPLES = {
    "first_conv.1.gamma": ("first_conv.1.gamma", "first_conv.1.weight", "backbone.conv1.bn.weight",
                           "features.init_block.bn.weight"),
    "features.5.branch_main_1.0.weight": ("features.5.branch_main_1.0.convs.2.weight",
                                          "features.5.branch_main_1.0.weight",
                                          "backbone.layers.1.1.g_conv_1x1_compress.conv.weight",
                                          "features.stage2.unit2.compress_conv1.weight"),
    "features.0.branch_main_1.0.weight": ("features.0.branch_main_1.0.convs.0.weight",
                                          "features.0.branch_main_1.0.weight",
                                          "backbone.layers.0.0.g_conv_1x1_compress.conv.weight",
                                          "features.stage1.unit1.compress_conv1.weight"),
    "features.5.branch_main_2.0.weight": ("features.5.branch_main_2.0.weight", "features.5.branch_main_1.3.weight",
                                          "backbone.layers.1.1.depthwise_conv3x3_bn.conv.weight",
                                          "features.stage2.unit2.dw_conv2.weight"),
    "features.15.branch_main_2.3.moving_mean": ("features.15.branch_main_2.3.moving_mean",
                                                "features.15.branch_main_2.1.running_mean",
                                                "backbone.layers.2.3.g_conv_1x1_expand.bn.running_mean",
                                                "features.stage3.unit4.expand_bn3.running_mean"),
    "classifier.weight": ("classifier.weight", "classifier.0.weight", "head.fc.weight", "output.weight"),
}  # fmt: skip


def test_every_parameter_has_the_name_that_its_project_gave_it() -> None:
    layers = FAMILY.describe(X1_0.format(3))
    arrays = random_arrays(layers)
    for own, names in EXAMPLES.items():
        for project, name in zip(LAYOUTS, names, strict=True):
            assert name in translate({own: arrays[own]}, layers, project)


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 8])
def test_names_are_recognised_and_come_back(groups: int) -> None:
    model = X1_0.format(groups)
    for layout in LAYOUTS:
        layers = FAMILY.describe(model, layout=layout)
        arrays = random_arrays(layers)
        named = translate(arrays, layers, layout)
        found = recognise(named, "file")
        assert (found.project, found.family) == (layout, FAMILY)
        assert model in found.models
        assert same(found.arrays, arrays)


def test_arrays_for_each_group_are_joined_and_divided(tmp_path: Path) -> None:
    """mindcv 0.3.1 and newer have one convolution a group; the first 1x1 convolution is a list of one."""
    network = random_network(MODEL_V1)
    save_checkpoint(network, tmp_path / "own.ckpt")
    convert(tmp_path / "own.ckpt", tmp_path / "list.ckpt", model=MODEL_V1, keys="mindcv")
    listed = read_arrays(tmp_path / "list.ckpt")
    own = arrays_of(network)["features.1.branch_main_2.2.weight"]
    assert "features.1.branch_main_2.2.weight" not in listed
    for group in range(3):
        part = listed[f"features.1.branch_main_2.2.convs.{group}.weight"]
        assert np.array_equal(part, own[group * len(own) // 3 : (group + 1) * len(own) // 3])
    assert "features.0.branch_main_1.0.convs.0.weight" in listed
    assert same(arrays_of(create_model(MODEL_V1, checkpoint_path=tmp_path / "list.ckpt")), arrays_of(network))
    convert(tmp_path / "list.ckpt", tmp_path / "back.ckpt", model=MODEL_V1, keys="mindspore")
    assert same(read_arrays(tmp_path / "back.ckpt"), arrays_of(network))


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 8])
def test_networks_of_imgclsmob_load_under_their_own_names(groups: int, tmp_path: Path) -> None:
    """``pip install --no-deps pytorchcv==0.0.74`` beside PyTorch."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    theirs = pytest.importorskip("pytorchcv.models.shufflenet", reason="pytorchcv is not installed")
    network = getattr(theirs, f"shufflenet_g{groups}_w1")().eval()
    shapes = {name: value.shape for name, value in network.state_dict().items() if value.ndim}
    rng = np.random.default_rng(0)
    for name, shape in shapes.items():
        value = rng.normal(size=shape) * (0.3 if len(shape) == 1 else (2 / np.prod(shape[1:])) ** 0.5)
        is_positive = name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight"))
        network.state_dict()[name].copy_(torch.from_numpy(np.abs(value) + 0.5 if is_positive else value))
    torch.save(network.state_dict(), tmp_path / "net.pth")
    image = rng.normal(size=(2, 3, 224, 224)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(image)).numpy()
    here = create_model(X1_0.format(groups), checkpoint_path=tmp_path / "net.pth").set_train(False)
    assert np.abs(here(Tensor(image)).asnumpy() - expected).max() < 1e-5 * np.abs(expected).max()


def test_the_layout_that_is_asked_for_is_that_of_the_target(tmp_path: Path) -> None:
    """A bare checkpoint of mindcv's tells no layout; it is the family's default."""
    network = unbiased(MODEL_V1)
    np.savez(tmp_path / "bare.npz", **arrays_of(network))
    convert(tmp_path / "bare.npz", tmp_path / "megvii.npz", model=MODEL_V1, layout="megvii")
    converted = create_model(MODEL_V1, num_classes=9, checkpoint_path=tmp_path / "megvii.npz").set_train(False)
    assert converted.options["layout"] == "megvii"
    np.testing.assert_allclose(logits(converted), logits(network), rtol=1e-4, atol=1e-5)
