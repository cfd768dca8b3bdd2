"""Weights into a network: what fits, what starts anew, what is refused."""

from pathlib import Path

import numpy as np
import pytest

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.weights.formats import write_arrays
from mindcv_shufflenet.weights.load import load_weights, read_weights
from tests.weights.networks import arrays_of, logits, random_network, same


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "net.npz"
    write_arrays(arrays_of(random_network(), "megvii"), path)
    return path


def test_another_projects_names_go_in_and_are_told(path: Path) -> None:
    network = random_network(seed=1)
    other = f"{path} was trained with pool=pad, and the network has pool=same"
    assert load_weights(network, path) == [f"{path}: megvii's names, layout megvii", other]
    assert load_weights(random_network(seed=1, pool="pad"), path) == [f"{path}: megvii's names, layout megvii"]
    assert same(arrays_of(network), arrays_of(random_network()))
    weights = read_weights(path)
    assert (weights.project, weights.layout, weights.unfolded) == ("megvii", "megvii", False)
    assert weights.network_options == {"layout": "megvii", "pool": "pad", "se": False}


def test_a_new_classifier_is_asked_for(path: Path) -> None:
    network = random_network(seed=1, num_classes=10, pool="pad")
    before = arrays_of(network)
    with pytest.raises(
        UserError, match=r"classifier.weight is \(1000, 1024\) there and \(10, 1024\) here; .*--reset_c"
    ):
        load_weights(network, path)
    assert same(arrays_of(network), before)
    notes = load_weights(network, path, reset_classifier=True)
    assert notes[-1] == "the classifier starts anew; all other weights are the checkpoint's"
    got, source = arrays_of(network), arrays_of(random_network())
    assert np.array_equal(got["classifier.weight"], before["classifier.weight"])
    assert all(np.array_equal(got[name], source[name]) for name in got if name != "classifier.weight")


def test_a_backbone_is_enough_where_that_is_said(path: Path, tmp_path: Path) -> None:
    backbone = tmp_path / "backbone.npz"
    arrays = arrays_of(random_network(), "megvii")
    write_arrays({k: v for k, v in arrays.items() if not k.startswith(("conv_last", "classifier"))}, backbone)
    network = random_network(seed=1, pool="pad")
    before = arrays_of(network)
    with pytest.raises(UserError, match=r"lacks conv_last\.0\.weight .and 5 more.*--allow_missing PATTERN"):
        load_weights(network, backbone)
    with pytest.raises(UserError, match=r"allow_missing=conv_lost\.\* matches no parameter"):
        load_weights(network, backbone, allow_missing=["conv_lost.*"])
    assert same(arrays_of(network), before)
    notes = load_weights(network, backbone, allow_missing=["conv_last.*", "classifier.weight"])
    assert "left as drawn: conv_last.0.weight" in notes[-1]
    assert np.array_equal(arrays_of(network)["conv_last.0.weight"], before["conv_last.0.weight"])
    assert np.array_equal(arrays_of(network)["features.3.branch_main.6.beta"], arrays["features.3.branch_main.6.bias"])


def test_a_feature_extractor_takes_a_backbone_whole(shared: Path) -> None:
    pytest.importorskip("torch", reason="the extra [torch] is not installed")
    extractor = create_model("shufflenet_v2_x0_5.megvii_in1k", features_only=True)
    assert load_weights(extractor, shared / "weights" / "shufflenetv2_x0_5_backbone.pth")


def test_a_feature_extractor_leaves_the_head_out(path: Path) -> None:
    extractor = create_model("shufflenet_v2_x0_5.megvii_in1k", features_only=True)
    load_weights(extractor, path)
    expected = arrays_of(random_network())
    assert all(np.array_equal(p.asnumpy(), expected[p.name]) for p in extractor.get_parameters())


def test_both_shapes_and_layouts_are_told(path: Path) -> None:
    with pytest.raises(
        UserError, match=r"net.npz does not fit the network: features.0.branch_main.0.weight is .*its model, its layout"
    ):
        load_weights(random_network("shufflenet_v2_x1_0"), path)
    with pytest.raises(UserError, match="weights of layout megvii and the network is of layout torchvision"):
        load_weights(random_network(layout="torchvision"), path)


def test_the_torchvision_layout_computes_what_its_onnx_file_does(shared: Path) -> None:
    """Both published forms of one network agree."""
    found = []
    for name in ("shufflenetv2_x1_0_torchvision_keys.npz", "shufflenet-v2-12-int8.onnx"):
        network = create_model("shufflenet_v2_x1_0.tv_in1k").set_train(False)
        assert load_weights(network, shared / "weights" / name)
        found.append(logits(network))
    assert np.abs(found[0] - found[1]).max() < 1e-4
