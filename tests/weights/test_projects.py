"""Projects that write a grouped convolution as a list, that have other parts, or more outputs than classes."""

from collections.abc import Iterator

import numpy as np
import pytest
from mindspore import nn

from mindcv_shufflenet import create_model, families
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.families.base import OWN, Family, Layer, Plan, Project
from mindcv_shufflenet.families.builder import Builder
from mindcv_shufflenet.models import base, layers
from mindcv_shufflenet.weights.formats import write_arrays
from mindcv_shufflenet.weights.load import load_weights, read_weights
from mindcv_shufflenet.weights.names import Arrays, recognise, translate
from tests.weights.networks import arrays_of, random_network, same


def describe(groups: int, *, in_channels: int, num_classes: int) -> list[Layer]:
    net = Builder(in_channels)
    names = {"listed": ("body.0.convs.{group}",), "detector": ("backbone.conv1",)}
    x = net.conv(0, 12, "body.0", names, groups=groups)
    x = net.stage(net.relu(net.norm(x, "body.1", {"detector": ("backbone.bn1",)})), "stem")
    net.dense(net.mean(x), num_classes, "classifier", {}, bias=True)
    return net.layers


class GroupedNet(base.Network):
    def __init__(self, plan: Plan, drop_rate: float | None = None) -> None:
        super().__init__(plan, drop_rate)
        conv = layers.conv2d(plan.in_channels, 12, 1, groups=plan.variant)
        self.body = nn.SequentialCell(conv, layers.batch_norm(12), nn.ReLU())
        self.classifier = self.create_classifier(plan.num_classes)
        self.stages = ((self.body,),)


FAMILY = Family(
    "Grouped",
    f"{__name__}:GroupedNet",
    {"grouped_3": 3},
    describe,
    projects={
        "listed": Project("Listed", is_torch=False),
        "detector": Project("Detector", other_parts=("head.",)),
    },
    aliases={"grouped3": "grouped_3"},
    classes_of_outputs={8: 7},
)


@pytest.fixture(autouse=True)
def grouped() -> Iterator[None]:
    families.register(FAMILY)
    yield
    del families.FAMILIES[FAMILY.title]


@pytest.fixture
def arrays(grouped: None) -> Arrays:
    return arrays_of(random_network("grouped_3", num_classes=7))


def test_a_grouped_convolution_is_read_from_a_list_and_written_as_one(arrays: Arrays) -> None:
    listed = translate(arrays, FAMILY.describe("grouped_3"), "listed")
    parts = [listed[f"body.0.convs.{group}.weight"] for group in range(3)]
    np.testing.assert_array_equal(np.concatenate(parts), arrays["body.0.weight"])
    assert "body.1.moving_mean" in listed
    found = recognise(listed, "file")
    assert (found.project, same(found.arrays, arrays)) == ("listed", True)
    assert recognise(arrays, "file").project == OWN
    del listed["body.0.convs.1.weight"]
    with pytest.raises(UserError, match=r"body\.0\.weight has 3 groups of one shape, and the file holds"):
        recognise(listed, "file")


def test_other_parts_of_a_program_are_left_out_and_told(arrays: Arrays, tmp_path) -> None:
    named = translate(arrays, FAMILY.describe("grouped_3"), "detector")
    parts = {"head.0.weight": np.zeros((3, 3), np.float32), "head.0.bias": np.zeros(3, np.float32)}
    write_arrays(named | parts, tmp_path / "whole.npz")
    weights = read_weights(tmp_path / "whole.npz")
    assert (weights.project, same(weights.arrays, arrays)) == ("detector", True)
    assert "head.0.weight (and 1 more) of other parts of it are left out" in weights.notes[0]
    with pytest.raises(UserError, match="it has 2 names and none is known"):
        recognise(parts, "file")


def test_outputs_behind_the_classes_are_left_out_where_they_are_not_asked_for(tmp_path) -> None:
    eight = random_network("grouped_3", num_classes=8)
    write_arrays(arrays_of(eight), tmp_path / "eight.npz")
    weights = read_weights(tmp_path / "eight.npz")
    assert (weights.outputs, weights.num_classes) == (8, 7)
    seven = random_network("grouped3", seed=1, num_classes=7)
    assert "has 8 outputs, of which 7 are classes; the others are left out" in load_weights(seven, weights)[0]
    np.testing.assert_array_equal(seven.classifier.weight.asnumpy(), eight.classifier.weight.asnumpy()[:7])
    np.testing.assert_array_equal(seven.classifier.bias.asnumpy(), eight.classifier.bias.asnumpy()[:7])
    assert load_weights(create_model("grouped_3", num_classes=8), weights) == []
    with pytest.raises(UserError, match="its num_classes is 7 and 6 is asked for"):
        load_weights(create_model("grouped_3", num_classes=6), weights)
