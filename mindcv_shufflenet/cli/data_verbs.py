"""The verbs of data: look at a data set before training on it, and pack it."""

import argparse
from pathlib import Path

from mindcv_shufflenet.cli.arguments import RECIPE, argument, count, picture
from mindcv_shufflenet.cli.verb import Verb
from mindcv_shufflenet.errors import UserError


def _take_folder(arguments: argparse.Namespace) -> bool:
    """Take ``DIR`` for ``--data_dir``; return whether a data set is named."""
    if arguments.folder is not None:
        if hasattr(arguments, "data_dir"):
            raise UserError(f"{arguments.folder} and --data_dir are given: leave one out")
        arguments.data_dir = arguments.folder
    return any(getattr(arguments, name, None) for name in ("data_dir", "dataset", "config"))


def _is_sheet(path: Path) -> bool:
    """Return whether a file is empty, or an earlier contact sheet."""
    from mindcv_shufflenet.report.contact_sheet import is_sheet  # matplotlib is slow to import

    return is_sheet(path)


_FOLDER = argument("folder", nargs="?", metavar="DIR", text="the data set's folder, as --data_dir", is_path=True)

DATA_VERBS: dict[str, Verb] = {
    "data_stats": Verb(
        "count the images of a data set, their sizes, their mean and standard deviation",
        (
            "photos",
            "data --dataset cifar10 --dataset_download",
            "-c shufflenet_v2_x1_0 --data_dir imagenet",
        ),
        {"dataset", "splits", "mean", "std"},
        (_FOLDER, RECIPE),
        needs="a data set",
        complete=_take_folder,
    ),
    "data_check": Verb(
        "find unreadable images, faulty folders, and copies across splits or classes",
        ("photos", "tiny-imagenet-200 --dataset tiny_imagenet", "photos --json findings.json"),
        {"dataset", "images", "unreadable", "duplicates"},
        (_FOLDER, RECIPE),
        needs="a data set",
        complete=_take_folder,
    ),
    "data_show": Verb(
        "draw augmented training images and the learning rate; takes the options of train",
        (
            "-c digits",
            "-c shufflenet_v2_x1_0 --data_dir imagenet",
            "--dataset folder --data_dir photos --mixup 0.2",
        ),
        {"file", "images", "steps_per_epoch"},
        (
            RECIPE,
            argument(
                "--output",
                type=picture,
                default="show.png",
                metavar="PATH",
                text="the picture to write: a .png or .svg (default: show.png)",
                is_path=True,
                is_earlier=_is_sheet,
            ),
            argument("--images", type=count, default=8, metavar="N", text="images to show (default: 8)"),
            argument("--views", type=count, default=6, metavar="N", text="augmented views of each (default: 6)"),
        ),
        takes_recipe=True,
        reads_as="train",
        needs="a recipe, or a data set",
    ),
    "data_prepare": Verb(
        "pack a data set into MindRecord shards",
        (
            "packed --data_dir imagenet",
            "packed --data_dir imagenet --short_side 256",
            "packed --dataset folder --data_dir photos",
        ),
        {"folder", "splits"},
        (
            argument("output", metavar="OUT", text="the folder that they go to", is_path=True),
            argument(
                "--short_side",
                type=count,
                metavar="PIXELS",
                text="make larger images smaller (default: files as they are)",
            ),
            argument(
                "--images_per_shard", type=count, default=10_000, metavar="N", text="images a shard (default: 10000)"
            ),
        ),
        needs="the folder to write",
    ),
}
