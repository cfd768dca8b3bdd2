"""The notebooks of ``examples/``: how they are committed, and that they run from top to bottom."""

import re
import runpy
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
MOST_BYTES = 300_000
CHINESE = r"[\u4e00-\u9fff]"

# The small network trains without compiling anything.
TRAINING = """{
    "model": MODEL, "stem": "cifar", "image_resize": 16, "crop_pct": 1.0, "epoch_size": 1, "lr": 0.01,
    "warmup_epochs": 0, "mode": 1, "jit": False, "num_parallel_workers": 1, "ckpt_save_dir": "run",
"""


def cells(path: Path, kind: str) -> list[nbformat.NotebookNode]:
    """The cells of a notebook that are ``code`` or ``markdown``."""
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def texts(cell: nbformat.NotebookNode) -> list[str]:
    """What a cell has printed or shows as text."""
    shown = [output.get("text") or output.get("data", {}) for output in cell.outputs]
    return [text for one in shown for text in ([one] if isinstance(one, str) else [*one.values()])]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_committed_as_it_ran(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert path.stat().st_size < MOST_BYTES
    assert {*notebook.metadata} == {"kernelspec", "language_info"}
    code = cells(path, "code")
    assert [cell.execution_count for cell in code] == [*range(1, len(code) + 1)]
    assert ["parameters" in cell.metadata.get("tags", ()) for cell in code] == [True, *[False] * (len(code) - 1)]
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert sum("image/png" in output.get("data", {}) or "image/jpeg" in output.get("data", {}) for output in outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_tells_nothing_of_the_machine_that_ran_it(path: Path) -> None:
    for cell in cells(path, "code"):
        for text in (cell.source, *(text for text in texts(cell) if re.search(r"\s", text))):  # a picture has no space
            assert not re.findall(r"(?:^|[\s=\"'(:])(?:/\w+/|~/|[A-Z]:\\)\S*", text)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_text_is_there_in_english_and_in_chinese(path: Path) -> None:
    for cell in cells(path, "markdown"):
        paragraphs = cell.source.split("\n\n")
        middle = len(paragraphs) // 2
        english, chinese = paragraphs[:middle], paragraphs[middle:]
        assert not any(re.search(CHINESE, paragraph) for paragraph in english)
        assert all(re.search(CHINESE, paragraph) for paragraph in chinese)
        marks = [[re.findall("^#*", paragraph) for paragraph in half] for half in (english, chinese)]
        assert marks[0] == marks[1]


def test_the_pages_name_every_notebook_and_links_are_there() -> None:
    for page in ("README.md", "README_CN.md"):
        text = (ROOT / "examples" / page).read_text(encoding="utf-8")
        assert sorted(re.findall(r"\((\w+)\.ipynb\)", text)) == [path.stem for path in NOTEBOOKS]
    for path in NOTEBOOKS:
        links = [
            link for cell in cells(path, "markdown") for link in re.findall(r"\]\((?!https?:)([^)]+)\)", cell.source)
        ]
        assert [link for link in links if not (path.parent / link).is_file()] == []


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of a kernel that neither reads nor writes the user's settings."""
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def run(name: str, folder: Path, parameters: str, checks: str) -> None:
    """Run a notebook with other parameters, and then a cell that checks what it has computed."""
    notebook = nbformat.read(ROOT / "examples" / f"{name}.ipynb", as_version=4)
    first = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    first.source = parameters
    notebook.cells.append(nbformat.v4.new_code_cell(checks))
    runpy.run_path(str(ROOT / "docs" / "run_notebooks.py"))["run"](notebook, folder)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert [output for output in outputs if output.get("name") == "stderr"] == []


def test_tour(folder: Path) -> None:
    parameters = f"""
from tests.small import MODEL
options = {TRAINING} "dataset": "digits", "batch_size": 64, "num_samples": 64, "train_crop": "padded"}}
"""
    checks = """
assert result.epochs == len(log) == 1
assert b"confusion" in result.report.read_bytes()
assert matrix.sum() == 360
assert abs(100 * matrix.trace() / 360 - report.top1) < 1e-9
assert [one.topk[0].index for one in predictions] == [int(one.label) for one in predictions]
assert heat.shape == (2, 2)
assert features.shape == (500, 1024)
"""
    run("tour", folder, parameters, checks)


def test_finetune(folder: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(20):
        path = folder / "pictures" / ("val" if number < 8 else "train") / ("ant", "bee")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (24, 20, 3), np.uint8)).save(path)
    parameters = f"""
import mindspore as ms
import mindcv_shufflenet as zoo
from tests.small import MODEL
ms.save_checkpoint(zoo.create_model(MODEL, stem="cifar", num_classes=5), "small.ckpt")
photos, weights = "pictures", {{"ckpt_path": "small.ckpt"}}
options = {TRAINING} "dataset": "folder", "data_dir": photos, "batch_size": 4, "reset_classifier": True}}
"""
    checks = """
assert [split.images for split in stats.splits.values()] == [12, 8]
assert findings.is_clean
assert result.report.is_file()
assert figures.images == len(answers) == 8
assert abs(figures.top1 - 100 * (1 - len(wrong) / len(answers))) < 1e-9
assert difference < 1e-5
assert file(images[0]).label == answers[0][1].label
"""
    run("finetune", folder, parameters, checks)


def test_evaluate(folder: Path, imagenet_sample: Path, shared: Path) -> None:
    parameters = f"""
model, engine = "shufflenet_v2_x1_0.tv_in1k", "onnxruntime"
weights = {{"ckpt_path": "{shared}/weights/shufflenetv2_x1_0_torchvision_keys.npz"}}
imagenet = "{imagenet_sample}"
"""
    checks = """
assert (found.images, round(found.top1), round(found.top5)) == (100, 80, 96)
assert len(scores) == 5
assert np.abs(views["pillow"].astype(int) - views["opencv"]).max() > 20
assert predictor(china).label.startswith("palace")
"""
    run("evaluate", folder, parameters, checks)


def test_speed(folder: Path) -> None:
    parameters = """
models, options, engines, precisions = "shufflenet_v2_x0_5", {}, ["onnxruntime"], ["fp32"]
batch_size, repeats, seconds = 8, 2, 0.01
"""
    checks = """
assert [one.contender.batch_size for one in result.measurements] == [8]
assert min(speeds) > 0
assert top1 == [60.53]
"""
    run("speed", folder, parameters, checks)
