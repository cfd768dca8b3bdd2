"""Hold out validation images if a data set has no validation split: a fixed choice, stratified by class."""

import hashlib
from pathlib import Path

import numpy as np

from mindcv_shufflenet.data.datasets.base import Request
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.storage.run_directory import SPLIT_FILE, HeldOut
from mindcv_shufflenet.storage.text import normal


def hold_out(images: list[Path], labels: np.ndarray, request: Request) -> tuple[np.ndarray, HeldOut, str]:
    """Choose the validation images among all images of a data set.

    With a run in the request, the images that it has held out stay held out, and images that were added later are for
    training. If the folder has none of the run's images, all of it is validated. Without a run the images are drawn
    class by class; a class of two or more images has at least one on either side. The draw orders files by a hash of
    the seed and the path, so few change sides when files are added.

    Returns:
        Whether each image is held out, ``[N] bool``; the choice, for the run directory; a line for the user.

    Raises:
        UserError: no class has two images, or a resumed training does not find its run's images.
    """
    names = np.array([normal(image.relative_to(request.data_dir).as_posix()) for image in images], object)
    recorded = request.held_out
    if recorded:
        chosen = np.isin(names, [normal(file) for file in recorded.files])
        if chosen.any():
            gone = len(recorded.files) - int(chosen.sum())
            told = f", of which {gone} are gone" if gone else ""
            note = f"validation images are the {len(recorded.files)} that the run holds out by its {SPLIT_FILE}{told}"
            return chosen, recorded, note
        if request.split == request.train_split:
            raise UserError(
                f"{request.data_dir} has none of the validation images of the run ({recorded.files[0]} ...): give the"
                " --data_dir that the run had"
            )
        return ~chosen, recorded, f"{request.data_dir} has no image of the run's {SPLIT_FILE}: all of it is validated"
    assert request.val_ratio is not None
    chosen = np.zeros(len(images), bool)
    for index in np.unique(labels):
        members = np.flatnonzero(labels == index)
        count = min(max(round(request.val_ratio * len(members)), 1), len(members) - 1)
        places = [_place(names[member], request.seed) for member in members]
        chosen[members[np.argsort(places)[: max(count, 0)]]] = True
    if not chosen.any():
        raise UserError(
            f"no class in {request.data_dir} has two images, so none can be held out for validation: add images, or"
            f" train on all of them with --val_split {request.train_split}"
        )
    record = HeldOut(request.val_ratio, request.seed, tuple(sorted(names[chosen].tolist())))
    note = (
        f"{request.data_dir} has no validation split; held out for it: {len(record.files)} of its {len(images)} images"
        f" (val_ratio={record.ratio:g}, seed={record.seed})"
    )
    return chosen, record, note


def _place(name: str, seed: int) -> str:
    """The sort key of a file in the draw: the first ones are held out."""
    return hashlib.sha256(f"{seed} {name}".encode("utf-8", "surrogatepass")).hexdigest()
