"""Hold out validation images where a data set has none of its own: a fixed split, with each class in the same share."""

import zlib
from pathlib import Path

import numpy as np

from mindcv_shufflenet.data.datasets.base import Request
from mindcv_shufflenet.data.seeds import Stream, generator
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.run_directory import SPLIT_FILE, HeldOut, normal


def hold_out(
    images: list[Path], labels: np.ndarray, class_names: tuple[str, ...], request: Request
) -> tuple[np.ndarray, HeldOut, str]:
    """Choose the validation images among all images of a data set.

    Those that the request's run has held out stay held out, and images that were added since are for training. Without
    such a run, or where the data set has none of its images, they are drawn class by class: a class of two images
    or more has at least one of them on either side. The drawing of a class depends on its name, the names of its files,
    the ratio and the seed alone.

    Returns:
        Whether an image is held out, ``[N] bool``; the choice, to be written to the run directory; a line for the user.

    Raises:
        UserError: no class has two images.
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
    assert request.val_ratio is not None
    chosen = np.zeros(len(images), bool)
    for index, class_name in enumerate(class_names):
        members = np.flatnonzero(labels == index)
        members = members[np.argsort(names[members], kind="stable")]
        count = min(max(round(request.val_ratio * len(members)), 1), len(members) - 1)
        draw = generator(request.seed, Stream.SPLIT, zlib.crc32(class_name.encode("utf-8", "surrogatepass")))
        chosen[draw.permutation(members)[: max(count, 0)]] = True
    if not chosen.any():
        raise UserError(
            f"no class in {request.data_dir} has two images, so none can be held out for validation: add images, or"
            f" train on all of them with --val_split {request.train_split}"
        )
    record = HeldOut(request.val_ratio, request.seed, tuple(sorted(names[chosen].tolist())))
    note = (
        f"{request.data_dir} has no validation split: {len(record.files)} of its {len(images)} images are held out for"
        f" it (val_ratio={record.ratio:g}, seed={record.seed})"
    )
    return chosen, record, note
