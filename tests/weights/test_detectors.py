"""Backbones in the files of detectors and pose estimators, by the names that these have in their source."""

from pathlib import Path

import numpy as np
import pytest
from mindspore import Tensor

from mindcv_shufflenet.deploy.conversion import convert
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.families.shufflenet_v2 import FAMILY, Variant
from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.weights.formats import write_arrays
from mindcv_shufflenet.weights.load import load_weights, read_weights
from mindcv_shufflenet.weights.names import Arrays, parameter_shapes
from tests.families.comparison import assert_close, images
from tests.families.reference import maps
from tests.small import MODEL
from tests.weights.networks import arrays_of, random_network

HEADS = {
    "nanodet": ("fpn.reduce.weight", "head.distribution_project.project", "aux_fpn.x.weight", "aux_head.x.weight"),
    "openpifpaf": ("head_nets.0.conv.weight",),
}

# A small network as each project has them; openpifpaf's is a smaller shufflenet_v2_k16.
MODELS = {"nanodet": MODEL, "openpifpaf": "shufflenet_v2_k_of_test"}
POSE = Variant((1, 1, 1), (16, 48, 96, 192, 192), has_pool=False, kernel=5, epsilon=1e-3)


@pytest.fixture(autouse=True)
def pose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILY.variants, MODELS["openpifpaf"], POSE)


def backbone_of(project: str, seed: int = 0) -> tuple[Arrays, Arrays]:
    """The backbone of a small network under MindSpore's names and under a project's."""
    options = FAMILY.projects[project].options
    network = random_network(MODELS[project], seed, **options)
    own = {name: value for name, value in arrays_of(network).items() if not name.startswith("classifier")}
    theirs = {name: value for name, value in arrays_of(network, project).items() if ".fc." not in name}
    return own, theirs


@pytest.mark.parametrize("project", HEADS)
def test_a_whole_checkpoint_fills_the_stages(
    project: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, pynative: None
) -> None:
    own, theirs = backbone_of(project)
    path = tmp_path / "net.npz"
    heads = {name: np.ones((2, 2, 1, 1), np.float32) for name in HEADS[project]}
    write_arrays(theirs | heads, path)
    with caplog.at_level("INFO", "mindcv_shufflenet"):
        network = create_model(MODELS[project], features_only=True, checkpoint_path=path).set_train(False)
    assert f"{HEADS[project][0]}{f' (and {len(heads) - 1} more)' * (len(heads) > 1)} of other parts" in caplog.text
    assert network.options["activation"] == ("leaky_relu" if project == "nanodet" else "relu")
    image = images()
    layers = network.plan.layers
    classifier = {name: np.zeros(shape) for name, shape in parameter_shapes(layers).items() if name not in own}
    outputs = maps(layers, own | classifier, image)
    expected = [output for layer, output in zip(layers, outputs, strict=True) if layer.stage]
    for got, wanted in zip(network(Tensor(image)), expected, strict=True):
        assert_close(got.asnumpy(), wanted)


def test_the_average_of_nanodets_weights_is_a_set_of_its_own(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    (own, trained), (mean, averaged) = backbone_of("nanodet"), backbone_of("nanodet", seed=1)
    path = tmp_path / "model_last.ckpt"
    names = {f"model.{name}": value for name, value in trained.items()}
    names |= {f"avg_model.{name}": value for name, value in averaged.items()}
    torch.save({"state_dict": {name: torch.from_numpy(value) for name, value in names.items()}}, path)
    for key, expected in ((None, own), ("state_dict.avg_model", mean)):
        weights = read_weights(path, key)
        assert (weights.project, weights.layout) == ("nanodet", "torchvision")
        assert all(np.array_equal(weights.arrays[name], value) for name, value in expected.items())
    assert "state_dict is taken, not state_dict.avg_model; --ckpt_key" in read_weights(path).notes[0]


def test_a_classifier_is_not_in_a_backbone(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    stages = {name: value for name, value in backbone_of("nanodet")[1].items() if "conv5" not in name}
    write_arrays(stages, path)
    with pytest.raises(UserError, match=r"lacks conv_last\.0\.weight \(and 6 more\); it has all of the stages, and"):
        create_model(MODEL, checkpoint_path=path)
    network = random_network(MODEL, **FAMILY.projects["nanodet"].options)
    assert any("left as drawn" in note for note in load_weights(network, path, allow_missing=["c*"]))


def test_a_backbone_without_its_pool_is_not_taken_for_one_with_it(tmp_path: Path) -> None:
    """Openpifpaf's ordinary backbones are torchvision's without the max pool; the stem's name tells."""
    theirs = {name.replace("input_block.0", "conv1"): value for name, value in backbone_of("openpifpaf")[1].items()}
    write_arrays(theirs, tmp_path / "net.npz")
    with pytest.raises(UserError, match=r"has openpifpaf's names .* 5 that are not: base_net\.conv1\.0\.weight"):
        read_weights(tmp_path / "net.npz")


def test_what_a_projects_names_would_tell_otherwise_is_in_the_file(tmp_path: Path, pynative: None) -> None:
    """A network with ReLU under NanoDet's names, which stand for a leaky one."""
    network = random_network(MODEL, num_classes=5, layout="torchvision")
    np.savez(tmp_path / "relu.npz", **arrays_of(network))
    conversion = convert(tmp_path / "relu.npz", tmp_path / "nanodet.npz", model=MODEL, keys="nanodet")
    assert "activation stays as in the source" in conversion.notes[-1]
    assert read_weights(tmp_path / "nanodet.npz").network_options["activation"] == "relu"
