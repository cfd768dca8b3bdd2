"""The verbs of the command line. Which options a verb reads stands in the schema."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mindcv_shufflenet.cli.arguments import RECIPE, argument, name_of
from mindcv_shufflenet.cli.data_verbs import DATA_VERBS
from mindcv_shufflenet.cli.deployment_verbs import DEPLOYMENT_VERBS
from mindcv_shufflenet.cli.run_verbs import RUN_VERBS
from mindcv_shufflenet.cli.verb import Verb
from mindcv_shufflenet.options.names import WEIGHTS_SUFFIXES


def _gather_images(arguments: argparse.Namespace) -> bool:
    arguments.images += arguments.image_path
    return bool(arguments.images)


def _project(text: str) -> str:
    """Return the name of a project that has parameter names of some family."""
    from mindcv_shufflenet import families  # --help need not wait for all descriptions

    return name_of("project", families.projects())(text)


def _is_table(path: Path) -> bool:
    """Return whether a file is empty, or an earlier table of models."""
    from mindcv_shufflenet.commands.models import is_table  # --help need not wait for all descriptions

    return is_table(path)


VERBS: dict[str, Verb] = {
    "train": Verb(
        "train a network on a data set",
        (
            "--dataset folder --data_dir photos --epoch_size 30 --lr 0.05",
            "-c shufflenet_v2_x1_0 --data_dir imagenet",
            "--resume_opt --ckpt_save_dir ckpt",
        ),
        {"model", "epochs", "last_checkpoint"},
        (RECIPE,),
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
        (RECIPE,),
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
    **DATA_VERBS,
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
    **RUN_VERBS,
    **DEPLOYMENT_VERBS,
}


def find_verb(words: Sequence[str]) -> tuple[str, list[str]]:
    """Split the words of a command into its verb, of one word or two, and those that follow it.

    Where there is no such verb, the first word stands for it.
    """
    both = "_".join(words[:2])
    return (both, list(words[2:])) if both in VERBS else (words[0], list(words[1:]))
