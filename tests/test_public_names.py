"""The package's own names: lazy, typed, and the same in every list."""

import ast
import subprocess
import sys
from pathlib import Path

import mindcv_shufflenet

SOURCE = ast.parse(Path(mindcv_shufflenet.__file__).read_text())


def typed() -> dict[str, str]:
    """The names that a type checker sees, each with the module that it comes from."""
    block = next(node for node in SOURCE.body if isinstance(node, ast.If))
    assert isinstance(block.test, ast.Name)
    assert block.test.id == "TYPE_CHECKING"
    lines = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in lines for alias in node.names}


def test_every_name_is_there_typed_and_listed() -> None:
    names = typed()
    assert sorted([*names, "__version__"]) == sorted(mindcv_shufflenet.__all__) == dir(mindcv_shufflenet)
    for name, module in names.items():
        assert getattr(mindcv_shufflenet, name) is getattr(sys.modules[module], name)


def test_no_name_hides_a_room() -> None:
    rooms = {path.stem for path in Path(mindcv_shufflenet.__file__).parent.iterdir()}
    assert not rooms & set(mindcv_shufflenet.__all__)


def test_importing_the_package_imports_nothing_of_it() -> None:
    program = "import sys, mindcv_shufflenet; print([name for name in sys.modules if name.startswith('mindcv_s')])"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "['mindcv_shufflenet']"
