"""The verbs of the command line: what each does, its own arguments, and examples of it.

Which options a verb reads stands in the schema.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from mindcv_shufflenet.options.names import WEIGHTS_SUFFIXES


class Argument(NamedTuple):
    """An argument of one verb alone.

    Attributes:
        names: as argparse takes them: a plain name is a position, one with dashes an option.
        text: a line for people.
        is_path: whether it is the path of a file or folder, or several.
        companion: what the path of a file beside it, which is written too, ends with; empty: there is none.
        is_earlier: whether a file is an earlier result, which the one that the path is of may replace; None: it is the
            path of no result.
        settings: further settings of ``argparse``'s ``add_argument``.
    """

    names: tuple[str, ...]
    text: str
    is_path: bool
    companion: str
    is_earlier: Callable[[Path], bool] | None
    settings: dict[str, Any]

    @property
    def name(self) -> str:
        """The name of its value after parsing."""
        return self.names[-1].lstrip("-")


def argument(
    *names: str,
    text: str,
    is_path: bool = False,
    companion: str = "",
    is_earlier: Callable[[Path], bool] | None = None,
    **settings: Any,
) -> Argument:
    """Return an argument; ``settings`` are those of ``argparse``."""
    return Argument(names, text, is_path, companion, is_earlier, settings)


class Verb(NamedTuple):
    """One verb. The module ``mindcv_shufflenet.commands.VERB`` has ``run(arguments)``.

    Attributes:
        text: what it does.
        examples: words that may follow it.
        result_keys: keys that the JSON of its result always has.
        arguments: its own arguments.
        takes_recipe: whether it reads a recipe, and so takes every option, those too that it does not read.
        script: the script in the repository that is the same command.
        needs: what it cannot do without; empty if it runs without any word.
        runs_on_ranks: whether several ranks do it together.
        saves_state: whether it saves its state when a signal stops it.
        module: the module whose ``run(arguments)`` does it; empty: that of the verb's name in ``commands``.
        complete: brings parsed arguments together that have two names; returns whether what it needs is there.
    """

    text: str
    examples: tuple[str, ...]
    result_keys: set[str]
    arguments: tuple[Argument, ...] = ()
    takes_recipe: bool = False
    script: str = ""
    needs: str = ""
    runs_on_ranks: bool = False
    saves_state: bool = False
    module: str = ""
    complete: Callable[[argparse.Namespace], bool] = lambda _: True


def _gather_images(arguments: argparse.Namespace) -> bool:
    arguments.images += arguments.image_path
    return bool(arguments.images)


def _project(text: str) -> str:
    """Return the name of a project that has parameter names of some family."""
    from mindcv_shufflenet import families  # --help need not wait for all descriptions

    if text not in families.projects():
        raise argparse.ArgumentTypeError(
            f"invalid choice: {text!r} (choose from {', '.join(map(repr, families.projects()))})"
        )
    return text


def _is_table(path: Path) -> bool:
    """Return whether a file is empty, or an earlier table of models."""
    from mindcv_shufflenet.commands.models import is_table  # --help need not wait for all descriptions

    return is_table(path)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:10]) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0 and at most 1000000")
    return int(text)


_RECIPE = argument("-c", "--config", metavar="FILE", text="YAML recipe; the command line goes before it", is_path=True)

VERBS: dict[str, Verb] = {
    "train": Verb(
        "train a network on a data set",
        (
            "--dataset folder --data_dir photos --epoch_size 30 --lr 0.05",
            "-c shufflenet_v2_x1_0 --data_dir imagenet",
            "--resume_opt --ckpt_save_dir ckpt",
        ),
        {"model", "epochs", "last_checkpoint"},
        (_RECIPE,),
        takes_recipe=True,
        script="train.py",
        needs="a data set to train on, or a recipe",
        runs_on_ranks=True,
        saves_state=True,
    ),
    "validate": Verb(
        "top-1, top-5 and loss of a checkpoint",
        (
            "--ckpt_path ckpt/shufflenet_v2_x1_0-best.ckpt",
            "--model shufflenet_v2_x1_0 --pretrained --data_dir ilsvrc",
            "--ckpt_path model.ckpt --dataset folder --data_dir photos",
        ),
        {"model", "top1", "images_per_second"},
        (_RECIPE,),
        takes_recipe=True,
        script="validate.py",
        needs="the weights to validate",
        runs_on_ranks=True,
    ),
    "predict": Verb(
        "name what is in images",
        (
            "bird.jpg --model shufflenet_v2_x1_0 --pretrained",
            "photos/ --ckpt_path model.ckpt --json result.json",
            "bird.jpg --ckpt_path model.ckpt --cam cam/",
        ),
        {"model", "predictions"},
        (
            argument(
                "images",
                nargs="*",
                metavar="IMAGE|DIR",
                text="image files, and folders that are searched",
                is_path=True,
            ),
            argument(
                "--image_path",
                nargs="+",
                default=[],
                metavar="IMAGE|DIR",
                text="the same, as mindcv names it",
                is_path=True,
            ),
            argument("--topk", type=int, default=5, metavar="K", text="classes to list for each image (default: 5)"),
            argument("--cam", metavar="DIR", text="write a Grad-CAM picture of each image there", is_path=True),
        ),
        script="infer.py",
        needs="images",
        complete=_gather_images,
    ),
    "convert": Verb(
        "turn a weights file into another kind, naming or layout",
        (
            "x1_0.pth x1_0.ckpt --model shufflenet_v2_x1_0",
            "x1_0.ckpt x1_0.pth --model shufflenet_v2_x1_0",
            "x.ckpt x.npz --model shufflenet_v2_x0_5 --keys torchvision",
        ),
        {"source", "target", "arrays"},
        (
            argument(
                "source", metavar="SRC", text=f"the weights file to read: {' '.join(WEIGHTS_SUFFIXES)}", is_path=True
            ),
            argument(
                "target",
                metavar="DST",
                text="the weights file to write; its suffix tells the kind",
                is_path=True,
                companion=".json",  # the metadata of a .pth
            ),
            argument(
                "--keys",
                type=_project,
                metavar="PROJECT",
                text="whose parameter names to write: mindspore, torchvision, ... (default: by suffix and layout)",
            ),
        ),
        needs="a weights file to read and one to write",
    ),
    "verify": Verb(
        "compare published weights with their published score",
        (
            "shufflenet_v2_x1_0.tv_in1k --data_dir imagenet",
            "shufflenet_v2_x1_0 --data_dir imagenet --num_samples 5000",
            "shufflenet_v2_x1_0.tv_in1k --ckpt_path x1.npz --data_dir DIR",
        ),
        {"published", "measured", "verdict"},
        (argument("model", metavar="MODEL", text="MODEL.TAG of published weights; without a tag mindcv's"),),
        needs="the name of published weights",
    ),
    "data": Verb(
        "prepare: pack a data set into MindRecord shards",
        (
            "prepare packed --data_dir imagenet",
            "prepare packed --data_dir imagenet --short_side 256",
            "prepare packed --dataset folder --data_dir photos",
        ),
        {"folder", "splits"},
        (
            argument("action", choices=("prepare",), metavar="prepare", text="pack a data set into MindRecord shards"),
            argument("output", metavar="OUT", text="the folder that they go to", is_path=True),
            argument(
                "--short_side",
                type=_count,
                metavar="PIXELS",
                text="make larger images smaller (default: files as they are)",
            ),
            argument(
                "--images_per_shard", type=_count, default=10_000, metavar="N", text="images a shard (default: 10000)"
            ),
        ),
        needs="what to do, and the folder to write",
    ),
    "models": Verb(
        "list networks and weights with their costs, or show one network",
        ("'shufflenet_v2_*'", "shufflenet_v2_x1_0 --stem cifar --image_resize 32", "--csv models.csv"),
        {"models", "weights"},
        (
            argument(
                "pattern",
                nargs="?",
                default="*",
                metavar="NAME",
                text="what to list, with wildcards or a part of the name; a whole name shows that network's layers",
            ),
            argument(
                "--csv",
                metavar="PATH",
                text="write a table of the weights and networks there, with timm's columns; - for standard output",
                is_path=True,
                is_earlier=_is_table,
            ),
        ),
    ),
}
