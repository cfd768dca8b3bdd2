"""Imports go down the floors of docs/architecture.md, and folders do not import each other in a circle."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mindcv_shufflenet"
# the top floor first; modules of one floor may use each other
FLOORS = (
    "__main__ cli commands diagnosis fitting sweeps training averaging deploy report evaluation engines".split()
    + "graph network data models weights kernels families parallel runtime storage options".split()
    + "console lines signals errors".split()
)
MODULES = sorted(PACKAGE.rglob("*.py"))
# folders inside the folder of a floor, such as data/datasets
INNER_FOLDERS = sorted({path.parent for path in MODULES if len(path.relative_to(PACKAGE).parts) == 3})


def imported(path: Path) -> set[str]:
    """The full names of what a file imports, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def floor(name: str) -> int | None:
    """The floor of a dotted name inside the package."""
    parts = name.split(".")
    return FLOORS.index(parts[1]) if parts[0] == PACKAGE.name and len(parts) > 1 and parts[1] in FLOORS else None


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_imports_from_a_higher_floor(path: Path) -> None:
    relative = path.relative_to(PACKAGE.parent).with_suffix("")
    own = floor(".".join(relative.parts))
    if own is None:
        assert path.parent == PACKAGE
        assert path.name == "__init__.py"
        return
    for name in imported(path):
        other = floor(name)
        assert other is None or other >= own, f"{relative} imports {name}"


def units(path: Path) -> set[Path]:
    """The inner folder or the file of this package that an imported name belongs to; none for another package's."""
    upwards = [path, *path.parents]
    inner = {folder for folder in upwards if folder in INNER_FOLDERS}
    return inner or {file for file in (folder.with_suffix(".py") for folder in upwards[:2]) if file in MODULES}


def reached(start: Path) -> set[Path]:
    """The inner folders and the files that a folder imports, and those that these import in turn."""
    found: set[Path] = set()
    waiting = [start]
    while waiting:
        current = waiting.pop()
        files = current.glob("*.py") if current in INNER_FOLDERS else [current]
        paths = {PACKAGE.parent.joinpath(*name.split(".")) for file in files for name in imported(file)}
        new = {unit for path in paths for unit in units(path)} - {current} - found
        found |= new
        waiting += new
    return found


@pytest.mark.parametrize("folder", INNER_FOLDERS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_folder_is_in_a_circle_of_imports(folder: Path) -> None:
    assert folder not in reached(folder)


@pytest.mark.parametrize("path", [path for path in MODULES if path.parts[-2] == "models"], ids=lambda path: path.name)
def test_models_know_no_data_and_no_config(path: Path) -> None:
    assert not any(name.startswith(f"{PACKAGE.name}.{room}") for name in imported(path) for room in ("data", "options"))


@pytest.mark.parametrize(
    "name", ["cli/*.py", "options/*.py", "families/*.py", "storage/files.py", "errors.py", "__init__.py"]
)
def test_what_answers_at_once_imports_no_mindspore(name: str) -> None:
    for path in PACKAGE.glob(name):
        assert not any(module.split(".")[0] == "mindspore" for module in imported(path)), path
