"""Imports go down the house's floors, never up."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mindcv_shufflenet"
# the top floor first; modules of one floor may use each other
FLOORS = (
    "__main__ cli commands training deploy report evaluation engines graph network data models weights kernels".split()
    + "families parallel runtime storage options console lines signals errors".split()
)
MODULES = sorted(PACKAGE.rglob("*.py"))


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


@pytest.mark.parametrize("path", [path for path in MODULES if path.parts[-2] == "models"], ids=lambda path: path.name)
def test_models_know_no_data_and_no_config(path: Path) -> None:
    assert not any(name.startswith(f"{PACKAGE.name}.{room}") for name in imported(path) for room in ("data", "options"))


@pytest.mark.parametrize("name", ["cli/*.py", "options/*.py", "storage/files.py", "errors.py", "__init__.py"])
def test_what_answers_at_once_imports_no_mindspore(name: str) -> None:
    for path in PACKAGE.glob(name):
        assert not any(module.split(".")[0] == "mindspore" for module in imported(path)), path
