"""The script of docs/deploy.md that classifies with an exported file."""

import ast
import re
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mindcv_shufflenet as zoo
from mindcv_shufflenet.data.transforms import create_transform
from mindcv_shufflenet.deploy.predictor import Prediction
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.storage.run_directory import Classes
from mindcv_shufflenet.weights.formats import write_arrays
from mindcv_shufflenet.weights.metadata import Metadata
from tests.small import MODEL
from tests.weights.networks import arrays_of, random_network

SCRIPT = Path(__file__).parents[1] / "docs" / "infer_onnx.py"
NAMES = ("ant", "bee", "cat", "dog", "elk", "fox", "gnu")


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def test_it_needs_little() -> None:
    tree = ast.parse(SCRIPT.read_text())
    modules = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    modules |= {str(node.module) for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert modules - sys.stdlib_module_names == {"numpy", "onnxruntime", "PIL"}
    code = re.sub(r'""".*?"""', "", SCRIPT.read_text(), flags=re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 55


def photo(path: Path, size: tuple[int, int] = (93, 70), seed: int = 0) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), np.uint8)
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(path)
    return path


@pytest.mark.parametrize("backend", ["pillow", "opencv"])
@pytest.mark.parametrize("size", [(93, 70), (70, 95), (64, 64)])
def test_it_sees_what_the_network_was_validated_on(
    script: dict[str, Any], backend: Any, size: tuple[int, int], tmp_path: Path
) -> None:
    file, preprocessing = photo(tmp_path / "a.png", size), Preprocessing(image_resize=32, resize_backend=backend)
    found, expected = script["view"](file, preprocessing.options()), create_transform(preprocessing).view(file)
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= (0 if backend == "pillow" else 1)


@pytest.mark.parametrize(("normalize", "batch"), [(False, None), (False, 3), (True, None)])
@pytest.mark.parametrize("channel_order", ["rgb", "bgr"])
def test_its_scores_are_those_of_the_predictor(
    script: dict[str, Any],
    normalize: bool,
    batch: int | None,
    channel_order: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = {"model": MODEL, "image_resize": 32, "channel_order": channel_order, "resize_backend": "pillow"}
    metadata = Metadata(options, Classes(NAMES, {name: index for index, name in enumerate(NAMES)}))
    weights = arrays_of(random_network(MODEL, num_classes=len(NAMES)))
    write_arrays(weights, tmp_path / "net.npz", metadata.dump())
    form: dict[str, Any] = {"softmax": True, "normalize": normalize, "fixed_batch": batch}
    zoo.export({"ckpt_path": tmp_path / "net.npz"}, tmp_path / "net.onnx", **form)
    files = [photo(tmp_path / f"{seed}.png", seed=seed) for seed in range(2)]
    script["main"](str(tmp_path / "net.onnx"), *map(str, files))
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    expected: list[list[str]] = []
    predictor = zoo.Predictor(ckpt_path=tmp_path / "net.npz")
    for file in files:
        found = predictor(file)
        assert isinstance(found, Prediction)
        expected += [[str(file)], *([f"{one.score:.3f}", str(one.label)] for one in found.topk)]
    assert printed == expected
