"""Parameter names of all projects that have ShuffleNetV2."""

import numpy as np
import pytest

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.families import find_family
from mindcv_shufflenet.families.base import OWN
from mindcv_shufflenet.weights.names import parameter_shapes, recognise, translate
from tests.weights.networks import X0_5, arrays_of, random_network, same

FAMILY = find_family(X0_5)
PROJECTS = (OWN, *FAMILY.projects)
LAYERS = FAMILY.describe(X0_5)


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    return arrays_of(random_network(layout="torchvision"))


@pytest.mark.parametrize("project", PROJECTS)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_names_are_recognised_and_come_back(arrays: dict[str, np.ndarray], project: str, prefix: str) -> None:
    named = {f"{prefix}{name}": value for name, value in translate(arrays, LAYERS, project).items()}
    found = recognise(named, "file")
    assert (found.project, found.family.title) == (project, "ShuffleNetV2")
    assert same(found.arrays, arrays)


def test_blocks_that_are_numbered_by_stage_are_recognised() -> None:
    """As in backbones of detectors: stage2.0 to stage2.3, stage3.0 to stage3.7, stage4.0 to stage4.3."""
    arrays = arrays_of(random_network())
    named = {}
    for name, value in translate(arrays, LAYERS, "megvii").items():
        _, index, rest = name.split(".", 2) if name.startswith("features.") else ("", "-1", name)
        stage = next((stage for stage, end in ((2, 4), (3, 12), (4, 16)) if int(index) < end), 0)
        first = {2: 0, 3: 4, 4: 12}[stage]
        named[f"stage{stage}.{int(index) - first}.{rest}" if int(index) >= 0 else name] = value
    assert "stage3.7.branch_main.0.weight" in named
    found = recognise(named, "file")
    assert found.project == "megvii"
    assert same(found.arrays, arrays)
    with pytest.raises(UserError, match=r"has features\.4\.branch_main\.0\.weight twice, under several names"):
        recognise(named | {"features.4.branch_main.0.weight": arrays["features.4.branch_main.0.weight"] + 1}, "file")


def test_every_parameter_has_the_name_that_its_project_gave_it(arrays: dict[str, np.ndarray]) -> None:
    """Names out of the projects' own published code, one of each kind."""
    examples = {
        "features.4.branch_proj.3.moving_variance": (
            "features.4.branch_proj.3.running_var",
            "stage3.0.branch1.3.running_var",
            "backbone.layers.1.0.branch1.1.bn.running_var",
            "backbone.stage3.0.branch1.3.running_var",
            "base_net.stage3.0.branch1.3.running_var",
        ),
        "features.15.branch_main.3.weight": (
            "features.15.branch_main.3.weight",
            "stage4.3.branch2.3.weight",
            "backbone.layers.2.3.branch2.1.conv.weight",
            "backbone.stage4.3.branch2.3.weight",
            "base_net.stage4.3.branch2.3.weight",
        ),
        "first_conv.1.gamma": (
            "first_conv.1.weight",
            "conv1.1.weight",
            "backbone.conv1.bn.weight",
            "backbone.conv1.1.weight",
            "base_net.input_block.0.1.weight",
        ),
        "conv_last.1.beta": (
            "conv_last.1.bias",
            "conv5.1.bias",
            "backbone.layers.3.bn.bias",
            "backbone.stage4.conv5.1.bias",
            "base_net.conv5.1.bias",
        ),
        "classifier.weight": (
            "classifier.0.weight",
            "fc.weight",
            "head.fc.weight",
            "backbone.fc.weight",
            "base_net.fc.weight",
        ),
    }
    for own, names in examples.items():
        for project, name in zip(FAMILY.projects, names, strict=True):
            assert name in translate({own: arrays[own]}, LAYERS, project)


def test_a_published_file_is_read_whole(shared) -> None:
    published = dict(np.load(shared / "weights" / "shufflenetv2_x1_0_torchvision_keys.npz"))
    found = recognise(published | {"conv1.1.num_batches_tracked": np.array(1)}, "file")
    assert found.project == "torchvision"
    assert same(translate(found.arrays, LAYERS, "torchvision"), published)


def test_unknown_names_are_listed(arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(
        UserError, match=r"file holds no .*ShuffleNetV2.* weights: it has 1 name and none is known \(layer1\.0\.conv1"
    ):
        recognise({"layer1.0.conv1.weight": np.zeros(1)}, "file")
    with pytest.raises(UserError, match="it is empty"):
        recognise({}, "file")
    with pytest.raises(UserError, match=r"file has mindspore's names .* 1 that are not: ema\.decay; take them out"):
        recognise(arrays | {"ema.decay": np.zeros(1)}, "file")


@pytest.mark.parametrize(
    ("name", "shape"), [("fc.weight", (10, 1024, 1, 1)), ("conv1.0.weight", (3,)), ("conv1.1.bias", ())]
)
def test_what_cannot_be_a_parameter_is_refused(
    arrays: dict[str, np.ndarray], name: str, shape: tuple[int, ...]
) -> None:
    named = translate(arrays, LAYERS, "torchvision") | {name: np.zeros(shape, np.float32)}
    with pytest.raises(UserError, match=r"has the shape .* and should have \d dimension"):
        recognise(named, "file")


def test_a_name_under_two_prefixes_is_refused(arrays: dict[str, np.ndarray]) -> None:
    named = translate(arrays, LAYERS, "torchvision")
    with pytest.raises(UserError, match=r"has conv1\.0\.weight twice, under several prefixes"):
        recognise(named | {"module.conv1.0.weight": named["conv1.0.weight"]}, "file")


def test_the_layers_are_those_of_the_model_that_fits_best() -> None:
    """Models share their names; what a folded BatchNorm becomes depends on the model's epsilon."""
    for model, epsilon in (("shufflenet_v2_k16", 1e-3), ("shufflenet_v2_x2_0", 1e-5)):
        layers = FAMILY.describe(model)
        arrays = {name: np.zeros(shape, np.float32) for name, shape in parameter_shapes(layers).items()}
        found = recognise(arrays, "file")
        assert (model in found.models, found.layers) == (True, layers)
        assert layers[2].epsilon == epsilon
