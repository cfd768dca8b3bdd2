"""Where a result may be written: ``--json`` replaces nothing but an earlier result."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mindcv_shufflenet.cli.verbs import VERBS
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.storage.run_directory import is_run_file

# Arguments and options that name a file or a folder, which the command reads or writes.
_PATHS = (
    "config", "source", "target", "output", "images", "image_path", "cam",
    "data_dir", "ckpt_path", "ckpt_save_dir",
)  # fmt: skip


def check_target(path: str | None, arguments: Mapping[str, Any]) -> None:
    """Look at the place of a result before the work is done. Devices and pipes are written through.

    Args:
        path: of the result; None or ``-`` is no file.
        arguments: the other arguments and options of the command, by name.

    Raises:
        UserError: it cannot be written, would replace a file that is no earlier result, or is another path of the
            command too.
    """
    if path in (None, "-"):
        return
    target = Path(path)
    if is_run_file(target.name):
        raise UserError(f"--json {path} is the name of a file of a run; give another, such as result.json")
    if target.exists() and not target.is_file() and not target.is_dir():  # a device, a pipe
        return
    if path.endswith(os.sep) or target.is_dir() or not os.access(target.absolute().parent, os.W_OK):
        raise UserError(f"cannot write {path}: give --json a file in a folder that is there and can be written")
    if target.exists() and not _is_result(target):
        raise UserError(f"{path} is there already and is no earlier result: give --json another name")
    for name, other in _other_paths(arguments):
        if target.resolve() == Path(other).resolve():
            raise UserError(f"--json {path} is the file of {name} too: give --json another name")


def _other_paths(arguments: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield names and paths of a command's arguments, and what is written beside them."""
    for name in _PATHS:
        value = arguments.get(name) or []
        yield from ((name, path) for path in ([value] if isinstance(value, str) else value))
    if target := arguments.get("target"):
        yield "target", f"{target}.json"  # the metadata of a .pth


def _is_result(path: Path) -> bool:
    """Whether a file is empty, or holds what some verb has written with ``--json``."""
    try:
        content = path.read_bytes()
        found = json.loads(content) if content else None
    except (OSError, ValueError, RecursionError):
        return False
    return not content or (isinstance(found, dict) and any(found.keys() >= verb.result_keys for verb in VERBS.values()))
