"""Where a result may be written: it replaces nothing but an earlier one."""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from mindcv_shufflenet.cli.verbs import VERBS
from mindcv_shufflenet.errors import UserError


def check_target(
    option: str, path: str | None, given: Iterable[tuple[str, str]], is_earlier: Callable[[Path], bool]
) -> None:
    """Look at the place of a result before the work is done. Devices and pipes are written through.

    Args:
        option: the option that tells the place.
        path: the path of the result; None or ``-`` is no file.
        given: name and path of each argument and option of the command that is a path.
        is_earlier: whether a file is an earlier result.

    Raises:
        UserError: it cannot be written, would replace a file that is no earlier result, or is another path of the
            command too.
    """
    if path in (None, "-"):
        return
    from mindcv_shufflenet.storage.files import is_writable  # --help need not wait for these
    from mindcv_shufflenet.storage.run_directory import is_run_file

    target = Path(path)
    if is_run_file(target.name):
        raise UserError(f"--{option} {path} is the name of a file of a run; give another, such as result.{option}")
    if target.exists() and not target.is_file() and not target.is_dir():  # a device, a pipe
        return
    if path.endswith(os.sep) or target.is_dir() or not is_writable(target.absolute().parent):
        raise UserError(f"cannot write {path}: give --{option} a file in a folder that is there and can be written")
    if target.exists() and not is_earlier(target):
        raise UserError(f"{path} is there already and is no earlier result: give --{option} another name")
    for name, other in given:
        if name != option and target.resolve() == Path(other).resolve():
            raise UserError(f"--{option} {path} is the file of {name} too: give --{option} another name")


def is_result(path: Path) -> bool:
    """Return whether a file is empty, or holds what some verb has written with ``--json``."""
    try:
        content = path.read_bytes()
        found = json.loads(content) if content else None
    except (OSError, ValueError, RecursionError):
        return False
    return not content or (isinstance(found, dict) and any(found.keys() >= verb.result_keys for verb in VERBS.values()))
