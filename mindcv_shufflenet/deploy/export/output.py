"""Where an exported file or package may be written, looked at before anything is computed."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from mindcv_shufflenet.deploy.export.form import Form
from mindcv_shufflenet.deploy.export.package import FOLDER_FILES
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.storage.files import is_writable


def check_output(output: Path, form: Form, overwrite: bool) -> None:
    """Refuse a place for the output.

    Raises:
        UserError: its name does not fit the form, something is there that is not replaced, or it cannot be written.
    """
    kind: Literal["a folder", "a file"] = "a file" if form.suffix else "a folder"
    if not output.name.lower().endswith(form.suffix):
        what = f"--package {form.package}" if form.package else f"--format {form.format}"
        raise UserError(f"{output} does not fit {what}: give --output a name that ends in {form.suffix}")
    if output.exists() and output.is_dir() != (not form.suffix):
        raise UserError(f"{output} is there already and is not {kind}: give --output another name")
    if output.exists() and not overwrite:
        raise UserError(f"{output} is there already; give another name, or --overwrite")
    if output.is_dir() and (others := sorted({path.name for path in output.iterdir()} - FOLDER_FILES)):
        raise UserError(
            f"{output} is not replaced, since it holds {others[0]}, which is of no package: give --output another name"
        )
    folder = next(parent for parent in output.absolute().parents if parent.exists())
    if not is_writable(folder):
        raise UserError(f"cannot write {output}: {folder} is no folder that can be written; choose another")


def check_sources(output: Path, sources: Mapping[str, str | os.PathLike[str] | None]) -> None:
    """Refuse an output that would replace what it is made of, as a file or as the folder that holds it.

    Args:
        output: the file or package.
        sources: the paths that are read, by the names of their options; None or empty: it is not given.

    Raises:
        UserError: naming the option.
    """
    target = output.resolve()
    for name, path in sources.items():
        if path and (source := Path(path).resolve()).is_relative_to(target):
            what = "is" if source == target else "holds"
            raise UserError(f"{output} {what} what --{name} names and would be replaced: give --output another name")
