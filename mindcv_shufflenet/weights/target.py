"""Where a command may write weights: in no place of a run's own files."""

from pathlib import Path

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.storage.run_directory import RunDirectory
from mindcv_shufflenet.weights.formats import check_suffix


def check_target(target: Path, overwrite: bool) -> None:
    """Look at the place of a weights file before the work is done.

    Args:
        target: the file to write.
        overwrite: whether one that is there may be replaced.

    Raises:
        UserError: the suffix is not that of a weights file, a run writes a file of this name, or it is there already.
    """
    check_suffix(target)
    if RunDirectory(target.parent).writes(target.name):
        raise UserError(f"{target} is the name of a file of the run in {target.parent}: give another name")
    if target.exists() and not overwrite:
        raise UserError(f"{target} is there already; give another name, or --overwrite")
