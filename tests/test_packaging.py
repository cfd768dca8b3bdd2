"""The wheel: built from the repository, installed beside the dependencies, used in an empty folder."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
SHORT = "--num_samples 64 --epoch_size 1 --warmup_epochs 0 --decay_epochs 1 --image_resize 16".split()

Run = Callable[..., str]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of what lies in the repository now; setuptools would leave its own files in there."""
    folder = tmp_path_factory.mktemp("wheel")
    own = shutil.ignore_patterns(".*", "*.egg-info", "build", "dist", "ckpt", "__pycache__")
    shutil.copytree(ROOT, folder / "source", symlinks=True, ignore=own)
    build: list[str | Path] = ["wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", folder]
    subprocess.run([*PIP, *build, folder / "source"], check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs' folder of an environment with the wheel, which is lent the packages of this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    subprocess.run([*PIP, "--python", folder, "install", "--no-index", "--no-deps", wheel], check=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (packages / "lent.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    return folder / "bin"


@pytest.fixture
def run(environment: Path, tmp_path: Path) -> Run:
    """Run a program of the environment in an empty folder and return its output."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    def call(program: str, *words: str) -> str:
        done = subprocess.run(
            [environment / program, *words], cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


def test_the_wheel_holds_the_package_and_its_data_and_nothing_else(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    assert {name.partition("/")[0].partition("-")[0] for name in inside} == {"mindcv_shufflenet"}
    files = {path for path in (ROOT / "mindcv_shufflenet").rglob("*") if path.is_file()}
    own = {path.relative_to(ROOT).as_posix() for path in files if path.parent.name != "__pycache__"}
    recipes = {f"mindcv_shufflenet/{path.relative_to(ROOT)}" for path in (ROOT / "configs").rglob("*.yaml")}
    assert recipes
    assert "mindcv_shufflenet/py.typed" in own
    assert {name for name in inside if ".dist-info/" not in name} == own | recipes


def test_it_is_used_from_an_empty_folder(run: Run, tmp_path: Path) -> None:
    own = run("python", "-c", "import mindcv_shufflenet; print(mindcv_shufflenet.__file__)")
    assert not Path(own).is_relative_to(ROOT)
    assert "train" in run("shufflenet", "--help")
    assert "shufflenet_v2_x1_0" in run("shufflenet", "models")
    printed = run("shufflenet", "train", "-c", "digits", *SHORT, "--ckpt_save_dir", "run")
    assert "64 images in 1 step" in printed
    assert "stem: cifar" in (tmp_path / "run" / "config.yaml").read_text()  # from the recipe


@pytest.mark.parametrize("name", ["shufflenetv2/digits", "configs/shufflenetv2/digits.yaml"])
def test_recipes_have_their_names_everywhere(name: str, run: Run) -> None:
    printed = run("python", "-c", f"from mindcv_shufflenet.options.recipes import *; print(read_recipe({name!r}))")
    assert "'dataset': 'digits'" in printed
