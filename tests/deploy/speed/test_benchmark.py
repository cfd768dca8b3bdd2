"""``benchmark`` from Python, and what it times."""

import math
from pathlib import Path

import onnx
import pytest

import mindcv_shufflenet as zoo
from mindcv_shufflenet.deploy.speed import contenders
from mindcv_shufflenet.deploy.speed.contenders import find_contenders, find_subjects
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.graph.interface import Interface
from mindcv_shufflenet.graph.model import onnx_model
from mindcv_shufflenet.models.catalogue import describe
from mindcv_shufflenet.options.names import ENGINES, PRECISIONS
from mindcv_shufflenet.runtime.processor import Processor
from tests.small import MODEL

X0_5 = "shufflenet_v2_x0_5"


def test_networks_are_timed_in_turn() -> None:
    options = {"image_resize": 32, "num_classes": 7}
    result = zoo.benchmark(MODEL, options, engines=["onnxruntime"], batch_sizes=[1, 4], repeats=3, seconds=0.02)
    assert [one.contender.batch_size for one in result.measurements] == [1, 4]
    cost = describe(MODEL, image_size=32, num_classes=7).cost
    for one in result.measurements:
        assert len(one.speeds) == 3
        assert one.latency(50) <= one.latency(95) <= one.latency(99)
        seconds = sum(one.latencies) / 1000
        assert seconds >= 3 * 0.02
        mean = one.contender.batch_size * len(one.latencies) / seconds
        assert min(one.speeds) <= mean <= max(one.speeds)
        assert one.contender.subject.cost == cost
        share = result.share_of_peak(one)
        assert share
        assert math.isclose(share / 100 * result.peak, 2 * cost.multiply_adds * one.images_per_second)
    assert 1e9 < result.peak < 1e14


def test_patterns_names_and_files_are_found(pynative: None, tmp_path: Path) -> None:
    network = zoo.create_model(MODEL, num_classes=7)
    path = tmp_path / "own.onnx"
    onnx.save(onnx_model(network, Interface(48)), path)
    found = find_subjects(["shufflenet_v2_x0*", f"{X0_5}.tv_in1k", str(path), X0_5], None, {})
    assert [one.name for one in found] == [X0_5, f"{X0_5}.tv_in1k", "own.onnx"]
    assert [one.image_size for one in found] == [224, 224, 48]
    assert [one.top1 for one in found] == [60.53, 60.552, None]
    assert found[1].cost
    assert found[1].cost.parameters == 1_366_792  # as torchvision tells
    with pytest.raises(UserError, match=r"takes images of 48 pixels"):
        find_subjects([str(path)], 64, {})
    with pytest.raises(UserError, match=r"--stem is for a network, and .*own.onnx is a file"):
        find_subjects([str(path)], None, {"stem": "cifar"})


def test_a_published_score_is_of_the_published_options() -> None:
    for size, options in ((192, {}), (None, {"num_classes": 10})):
        assert find_subjects([X0_5], size, options)[0].top1 is None


def test_nothing_to_time_is_a_mistake() -> None:
    with pytest.raises(UserError, match="no model matches shufflenet_v2_x0_4 .did you mean"):
        zoo.benchmark("shufflenet_v2_x0_4")
    for keywords, message in (
        ({"models": []}, "no models are given"),
        ({"models": X0_5, "engines": ["onnxruntim"]}, r"unknown engine onnxruntim \(did you mean onnxruntime"),
        ({"models": X0_5, "batch_sizes": [4, 0]}, "must be a whole number above 0"),
        ({"models": X0_5, "seconds": -1}, "seconds=-1: it must be above 0"),
        ({"models": X0_5, "options": {"image_resize": 192}, "needs_top1": True}, "none .* has a published top-1"),
        ({"models": X0_5, "options": {"image_resize": 3}}, "image_resize"),
    ):
        with pytest.raises(UserError, match=message):
            zoo.benchmark(**keywords)


def test_engines_compute_in_the_precisions_that_they_have(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(contenders, "processor", lambda: Processor("a processor", ("AMX-BF16",)))
    subjects = find_subjects([X0_5], None, {})
    with caplog.at_level("INFO", "mindcv_shufflenet"):
        found = find_contenders(subjects, [*ENGINES], PRECISIONS, [1])
    assert {engine: [one.precision for one in found if one.engine == engine] for engine in ENGINES} == {
        "mindspore": ["fp32"],
        "onnxruntime": ["fp32", "int8"],
        "openvino": ["fp32", "bf16", "int8"],
    }
    assert f"{X0_5} is not timed in bf16, int8 on mindspore" in caplog.messages
    with pytest.raises(UserError, match="onnxruntime cannot compute in bf16: give --engine openvino"):
        find_contenders(subjects, ["onnxruntime"], ["bf16"], [1])
    monkeypatch.setattr(contenders, "processor", lambda: Processor("an old one", ("AVX2",)))
    with pytest.raises(UserError, match="an old one has no instructions for bf16"):
        find_contenders(subjects, ["openvino"], ["bf16"], [1])


def test_files_are_timed_in_their_own_precision() -> None:
    (network,) = find_subjects([X0_5], None, {})
    whole = network._replace(file=Path("a.onnx"))
    quantized = whole._replace(is_quantized=True)
    found = find_contenders([whole, quantized], ["onnxruntime"], ["fp32", "int8"], [1])
    assert [(one.subject, one.precision) for one in found] == [(whole, "fp32"), (quantized, "int8")]
    with pytest.raises(UserError, match="the files are in float32: export them with --int8"):
        find_contenders([whole], ["onnxruntime"], ["int8"], [1])
    with pytest.raises(UserError, match="which MindSpore does not run"):
        find_contenders([whole], ["mindspore"], ["fp32"], [1])
