"""README and docs: every command line and Python block runs here, shortened, or is listed with the reason why not."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mindcv_shufflenet as zoo
from mindcv_shufflenet import cli
from mindcv_shufflenet.cli.verb import spell
from mindcv_shufflenet.cli.verbs import VERBS, find_verb
from mindcv_shufflenet.cli.words import parse
from tests.pages import PAGES, ROOT, commands, fenced

SCRIPTS = {verb.script: name for name, verb in VERBS.items() if verb.script}

# Words that shorten a command of a verb. Nothing is compiled, since the steps are few.
SHORTER = {
    "train": "--ckpt_save_dir run --overwrite --epoch_size 1 --num_samples 8 --batch_size 4 --image_resize 32"
    " --crop_pct 1 --no-val_while_train --amp_level O0 --mode 1 --no-jit --num_parallel_workers 1 --no-report",
    "validate": "--batch_size 4 --val_amp_level O0 --mode 1 --num_parallel_workers 1",
    "predict": "--mode 1",
    **dict.fromkeys(("data_prepare", "data_stats", "data_check", "report"), "--num_parallel_workers 1"),
    "data_show": "--num_parallel_workers 1 --batch_size 4",
    "export": "--image_resize 64 --overwrite --num_parallel_workers 1",
    "benchmark": "--repeats 1 --seconds 0.01",
}
# Names in the pages, and what the folder of the test has for them.
PLACES = {"/path/to/imagenet": "."}
# Fixtures that a command or a Python block needs, by what is in it.
NEEDS = {
    ".pth": "torch_files",
    "--data_dir packed": "packed",
    ".onnx": "exported",
    "openvino": "openvino",
    "ckpt2": "second_run",
}
# Commands that are read and checked as far as their options go. What is in the command, and why it does not run.
ONLY_PARSED = {
    "--pretrained": "fetches weights; tests/cli/test_finetune.py fetches them from a local server",
    "--image_path=./dog.jpg": "fetches weights",
    "--teacher shufflenet_v2_x2_0": "fetches weights",
    "predict bird.jpg photos/ --model": "fetches weights",
    "verify": "fetches weights or needs real ones; tests/cli/test_verify.py has them",
    "mpirun": "several ranks; tests/cli/test_mpirun.py starts them",
    "msrun": "several ranks; tests/cli/test_msrun.py starts them",
    "x2_0-best.ckpt": "its run on ImageNet is not here",
    "ckpt/config.yaml": "its run on ImageNet is not here",
    "shufflenet_v2_x0_3": "a variant that the reader adds",
    "export --ckpt_path x1_0.ckpt": "docs/deploy.md has the same",
    "--model NAME": "names a table's rows; make demo has the same training",
    "shufflenet sweep": "starts trainings; tests/cli/test_sweep.py does",
    "shufflenet fit": "takes minutes; tests/cli/test_fit.py does it",
    "shufflenet selftest": "tests/diagnosis/test_selftest.py runs it",
    "shufflenet average": "needs a run of several epochs; tests/averaging/test_average.py has one",
    "--data_dir DIR": "names a table's row; docs/train.md has the same training",
}
# Commands that are not looked at any further, and why.
NOT_RUN = {
    "make ": "installs the requirements; CI runs it",
    "benchmarks/": "measures for minutes",
    "infer_onnx.py": "tests/test_infer_onnx.py runs it",
    "classify.py": "tests/cli/test_fit.py runs it",
    "notebook": "installs and starts Jupyter; tests/test_examples.py runs the notebooks",
    "...": "a part of a command",
}
# Python blocks that do not run, by what is in them, and why.
BLOCKS_NOT_RUN = {
    "zoo.verify(": "needs published weights; tests/cli/test_verify.py has them",
    "zoo.fit(": "takes minutes; tests/cli/test_fit.py does it",
    "zoo.selftest(": "tests/diagnosis/test_selftest.py calls it",
}
# Pages whose Python blocks do not run, and why.
PAGES_NOT_RUN = {"docs/adding-a-model.md": "parts of a family; tests/test_toy_family.py has the whole one and runs it"}
# What is replaced in a Python block before it runs, as regular expressions.
SHORTER_PYTHON = {
    r"(create_model\(.*)pretrained=True": r"\1pretrained=False",  # fetches weights
    r'"epoch_size": \d+': '"epoch_size": 1, "num_samples": 128, "mode": 1, "jit": False',
    r"evaluate\(\{": 'evaluate({"mode": 1, ',
}


def reason(text: str, reasons: dict[str, str]) -> str | None:
    """Why a text is in a list."""
    return next((why for part, why in reasons.items() if part in text), None)


def split_command(command: str) -> tuple[str, list[str]]:
    """The verb of a command of this program, behind a launcher or not, and the words that follow it."""
    words = shlex.split(command)
    for position, word in enumerate(words):
        if word in SCRIPTS:
            return SCRIPTS[word], words[position + 1 :]
        if word == "shufflenet":
            return find_verb(words[position + 1 :])
    raise AssertionError(f"{command}: run it, or add it to NOT_RUN with the reason")


ENGLISH = [page for page in PAGES if not page.endswith("_CN.md")]
ALL_COMMANDS = [command for page in ENGLISH for command in commands(page)]
OURS = {page: [command for command in commands(page) if not reason(command, NOT_RUN)] for page in ENGLISH}
RUN = list(
    dict.fromkeys(command for page in ENGLISH for command in OURS[page] if not reason(command, ONLY_PARSED))
)  # each once


def photo(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 48, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def save(path: str, model: str, only: str = "", **options: Any) -> None:
    """Save a network with random weights, or those parameters whose names begin with ``only``."""
    import mindspore as ms

    network = zoo.create_model(model, **options)
    entries = [{"name": one.name, "data": one} for one in network.get_parameters() if one.name.startswith(only)]
    ms.save_checkpoint(entries, path)


def write_recipes() -> None:
    """Put the recipes of the pages into the present folder."""
    Path("configs").symlink_to(ROOT / "configs")
    Path("ckpt").mkdir()
    for name in ("recipe.yaml", "ckpt/config.yaml"):
        Path(name).write_text("dataset: folder\ndata_dir: photos\nnum_classes: 10\n")


def run(verb: str, words: str | list[str]) -> None:
    status = cli.main(words.split() if isinstance(words, str) else words, verb=verb)
    assert status == 0, f"shufflenet {verb} {words} ends with {status}"


def provide(text: str, request: pytest.FixtureRequest) -> None:
    """Set up the fixtures that a command or a block needs."""
    for part, fixture in NEEDS.items():
        if part in text:
            request.getfixturevalue(fixture)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that has what the pages speak of: photos, a small ImageNet, recipes, weights, a run."""
    folder = tmp_path_factory.mktemp("docs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("bird.jpg", "a.jpg", "digit.png"):
            photo(Path(name), seed=0)
        Path("damaged.jpg").write_bytes(b"no image")
        for seed in range(12):
            photo(Path("photos", ("ant", "bee")[seed % 2], f"{seed}.jpg"), seed)
            photo(Path("val" if seed < 4 else "train", ("n01440764", "n01443537")[seed % 2], f"{seed}.JPEG"), seed)
        cifar = Path("data", "cifar-10-batches-bin")
        cifar.mkdir(parents=True)
        for name in (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"):
            with open(cifar / name, "wb") as file:
                file.truncate(10_000 * 3073)  # black images of the first class
        write_recipes()
        save("model.ckpt", "shufflenet_v2_x1_0", num_classes=10)
        save("x.ckpt", "shufflenet_v2_x1_0")
        save("shufflenet_v2_x1_0-0da4b7fa.ckpt", "shufflenet_v2_x1_0")
        save("x0_5.ckpt", "shufflenet_v2_x0_5")
        save("tv.ckpt", "shufflenet_v2_x1_0", layout="torchvision")
        run("convert", "tv.ckpt x1_0.npz --model shufflenet_v2_x1_0")
        run("train", f"--model shufflenet_v2_x1_0 --dataset folder --data_dir photos {SHORTER['train']}"
            " --ckpt_save_dir ckpt --val_while_train")  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def torch_files(folder: Path) -> None:
    """The weights files that PyTorch writes."""
    pytest.importorskip("torch")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        save("tv1_5.ckpt", "shufflenet_v2_x1_5", layout="torchvision")
        save("part.ckpt", "shufflenet_v2_x0_5", only="f")  # first_conv and features
        run("convert", "tv.ckpt shufflenetv2_x1-5666bf0f80.pth --model shufflenet_v2_x1_0")
        run("convert", "tv1_5.ckpt shufflenetv2_x1_5-3c479a10.pth --model shufflenet_v2_x1_5")
        run("convert", "part.ckpt backbone.pth --model shufflenet_v2_x0_5 --allow_missing conv_last.* classifier.*")


@pytest.fixture(scope="module")
def packed(folder: Path) -> None:
    """The packed ImageNet."""
    run(
        "data_prepare",
        f"{folder}/packed --dataset imagenet --data_dir {folder} {SHORTER['data_prepare']} --short_side 256",
    )


@pytest.fixture(scope="module")
def exported(folder: Path) -> None:
    """Exported files: of weights, and of the run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run("export", "--model shufflenet_v2_x1_0 --ckpt_path x.ckpt --output x.onnx")
        run("export", f"--ckpt_path ckpt/shufflenet_v2_x1_0-best.ckpt --output x1_0.onnx {SHORTER['export']}")
        shutil.copy("x1_0.onnx", "x1_0-int8.onnx")  # another command of the pages writes it, in int8


@pytest.fixture(scope="module")
def second_run(folder: Path) -> None:
    """A run to compare with the first one."""
    shutil.copytree(folder / "ckpt", folder / "ckpt2")


@pytest.fixture
def openvino() -> None:
    """A runtime that is not installed everywhere."""
    pytest.importorskip("openvino")


@pytest.mark.parametrize("page", ENGLISH)
def test_options_of_every_command_are_valid(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_recipes()
    for command in OURS[page]:
        verb, words = split_command(command)
        parse(f"shufflenet {spell(verb)}", verb, words)


@pytest.mark.compiles
@pytest.mark.slow
@pytest.mark.parametrize("command", RUN, ids=str)
def test_command(command: str, folder: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    provide(command, request)
    verb, words = split_command(command)
    words = [PLACES.get(word, word) for word in words]
    run(verb, words if "--resume_opt" in words else [*words, *SHORTER.get(verb, "").split()])


@pytest.mark.compiles
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[] if page == "README.md" else pytest.mark.slow)
        for page in ENGLISH
        if fenced(page, "python") and page not in PAGES_NOT_RUN
    ],
)
def test_python_blocks(
    page: str, folder: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks of a page run one after the other, as the cells of a notebook."""
    import mindspore as ms

    monkeypatch.chdir(folder)
    ms.set_context(mode=ms.PYNATIVE_MODE)  # which compiles nothing
    names: dict[str, Any] = {}
    for block in fenced(page, "python"):
        if not reason(block, BLOCKS_NOT_RUN):
            provide(block, request)
            for pattern, shorter in SHORTER_PYTHON.items():
                block = re.sub(pattern, shorter, block)
            exec(compile(block, page, "exec"), names)


def test_lists_have_nothing_that_is_gone() -> None:
    blocks = "\n".join(block for page in ENGLISH for block in fenced(page, "python"))
    assert [part for part in (*ONLY_PARSED, *NOT_RUN) if part not in "\n".join(ALL_COMMANDS)] == []
    assert [page for page in PAGES_NOT_RUN if not fenced(page, "python")] == []
    assert [part for part in BLOCKS_NOT_RUN if part not in blocks] == []
    assert [pattern for pattern in SHORTER_PYTHON if not re.search(pattern, blocks)] == []
