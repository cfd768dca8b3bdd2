"""Where a result may be written: ``--json`` replaces nothing but an earlier result."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from mindcv_shufflenet.cli.verbs import VERBS
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.storage.run_directory import is_run_file


def check_target(path: str | None, others: Iterable[tuple[str, str]]) -> None:
    """Look at the place of a result before the work is done. Devices and pipes are written through.

    Args:
        path: of the result; None or ``-`` is no file.
        others: name and path of each other argument and option of the command that is a path.

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
    for name, other in others:
        if target.resolve() == Path(other).resolve():
            raise UserError(f"--json {path} is the file of {name} too: give --json another name")


def _is_result(path: Path) -> bool:
    """Whether a file is empty, or holds what some verb has written with ``--json``."""
    try:
        content = path.read_bytes()
        found = json.loads(content) if content else None
    except (OSError, ValueError, RecursionError):
        return False
    return not content or (isinstance(found, dict) and any(found.keys() >= verb.result_keys for verb in VERBS.values()))
