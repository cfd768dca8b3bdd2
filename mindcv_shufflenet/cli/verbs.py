"""The verbs of the command line: what each does, what it takes, and an example of it."""

import argparse
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.options.schema import COMMON, TRAINING
from mindcv_shufflenet.options.types import is_boolean, is_list, spell_default

# What weights/formats.py and weights/keys.py know, said here so that --help needs neither numpy nor MindSpore.
KEYS = ("mindspore", "megvii", "torchvision", "mmpretrain")
WEIGHTS_SUFFIXES = (".ckpt", ".safetensors", ".npz", ".onnx", ".pth", ".pt")

# Options of the schema that a verb takes which needs not all of them.
_MACHINE = ("mode", "device_target", "num_parallel_workers", "batch_size")
_NETWORK = ("model", "num_classes", "in_channels", "layout", "stem", "pool", "pretrained", "ckpt_path", "ckpt_key")
_INPUT = ("image_resize", "crop_pct", "interpolation", "resize_backend", "mean", "std", "channel_order")
_SPLITS = ("dataset", "data_dir", "train_split", "val_split", "val_ratio", "seed")
_PACKED = (*_SPLITS, "dataset_download", "num_parallel_workers", "overwrite")


class Verb(NamedTuple):
    """One verb. The module ``mindcv_shufflenet.commands.VERB`` has ``run(arguments)``.

    Attributes:
        text: what it does.
        options: the options of the schema that it takes.
        add_arguments: adds its own arguments to a parser.
        examples: words that may follow it.
        result_keys: keys that the JSON of its result always has.
        script: the script in the repository that is the same command.
        needs: what it cannot do without; empty if it runs without any word.
        marks: whose marked options are on the first page of its help.
        complete: brings parsed arguments together that have two names; returns whether what it needs is there.
    """

    text: str
    options: Collection[str]
    add_arguments: Callable[[argparse.ArgumentParser], None]
    examples: tuple[str, ...]
    result_keys: set[str]
    script: str = ""
    needs: str = ""
    marks: tuple[object, ...] = (COMMON, TRAINING)
    complete: Callable[[argparse.Namespace], bool] = lambda _: True


def add_options(parser: argparse.ArgumentParser, names: Collection[str]) -> None:
    """Add options of the schema, in its groups, each with all that it takes."""
    for options in reversed(Config.__bases__):
        chosen = [name for name in options.__annotations__ if name in names]
        group = parser.add_argument_group((options.__doc__ or "").strip()) if chosen else parser
        for name in chosen:
            field = Config.model_fields[name]
            extra: dict[str, Any] = (
                {"nargs": "?", "const": "True"} if is_boolean(field) else {"nargs": "+"} if is_list(field) else {}
            )
            text = f"{field.description} (default: {spell_default(field)})".replace("%", "%%")
            group.add_argument(f"--{name}", metavar="VALUE", default=argparse.SUPPRESS, help=text, **extra)


def add_marked_options(parser: argparse.ArgumentParser, verb: Verb) -> None:
    """Add those options of a verb that people use most, with as few words as possible."""
    for name in verb.options:
        field = Config.model_fields[name]
        if field.json_schema_extra in verb.marks:
            default = "" if field.default in (None, "", False) else f" (default: {field.default})"
            extra: dict[str, Any] = {"action": "store_true"} if is_boolean(field) else {"metavar": "VALUE"}
            parser.add_argument(f"--{name}", help=f"{field.description}{default}".replace("%", "%%"), **extra)


def _add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-c", "--config", metavar="FILE", help="YAML recipe; the command line goes before it")


def _add_models_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pattern", nargs="?", default="*", help="names to list, with wildcards: 'shufflenet_v2_*'")


def _add_predict_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", nargs="*", metavar="IMAGE|DIR", help="image files, and folders that are searched")
    parser.add_argument("--image_path", nargs="+", default=[], metavar="IMAGE|DIR", help="the same, as mindcv names it")
    parser.add_argument("--topk", type=int, default=5, metavar="K", help="classes to list for each image (default: 5)")
    parser.add_argument("--cam", metavar="DIR", help="write a Grad-CAM picture of each image there")


def _gather_images(arguments: argparse.Namespace) -> bool:
    arguments.images += arguments.image_path
    return bool(arguments.images)


def _add_convert_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SRC", help=f"the weights file to read: {' '.join(WEIGHTS_SUFFIXES)}")
    parser.add_argument("target", metavar="DST", help="the weights file to write; its suffix tells the kind")
    parser.add_argument(
        "--keys",
        choices=KEYS,
        help="whose parameter names to write (default: for .pth PyTorch's of the layout, else mindspore's)",
    )


def _add_verify_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="MODEL.TAG of published weights; without a tag mindcv's")


def _add_data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", choices=("prepare",), metavar="prepare", help="pack a data set into MindRecord shards"
    )
    parser.add_argument("output", metavar="OUT", help="the folder that they go to")
    parser.add_argument(
        "--short_side", type=_count, metavar="PIXELS", help="make larger images smaller (default: files as they are)"
    )
    parser.add_argument(
        "--images_per_shard", type=_count, default=10_000, metavar="N", help="images a shard (default: 10000)"
    )


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:10]) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0 and at most 1000000")
    return int(text)


VERBS: dict[str, Verb] = {
    "train": Verb(
        "train a network on a data set",
        Config.model_fields,
        _add_recipe_arguments,
        (
            "--dataset folder --data_dir photos --epoch_size 30 --lr 0.05",
            "-c shufflenet_v2_x1_0 --data_dir imagenet",
            "--resume_opt --ckpt_save_dir ckpt",
        ),
        {"model", "epochs", "last_checkpoint"},
        "train.py",
        "a data set to train on, or a recipe",
    ),
    "validate": Verb(
        "top-1, top-5 and loss of a checkpoint",
        Config.model_fields,
        _add_recipe_arguments,
        (
            "--ckpt_path ckpt/shufflenet_v2_x1_0-best.ckpt",
            "--model shufflenet_v2_x1_0 --pretrained --data_dir ilsvrc",
            "--ckpt_path model.ckpt --dataset folder --data_dir photos",
        ),
        {"model", "top1", "images_per_second"},
        "validate.py",
        "the weights to validate",
        (COMMON,),
    ),
    "predict": Verb(
        "name what is in images",
        (*_NETWORK, *_INPUT, "mode", "device_target", "batch_size"),
        _add_predict_arguments,
        (
            "bird.jpg --model shufflenet_v2_x1_0 --pretrained",
            "photos/ --ckpt_path model.ckpt --json result.json",
            "bird.jpg --ckpt_path model.ckpt --cam cam/",
        ),
        {"model", "predictions"},
        "infer.py",
        "images",
        complete=_gather_images,
    ),
    "convert": Verb(
        "turn a weights file into another kind, naming or layout",
        ("model", "layout", "ckpt_key", "allow_missing", "overwrite"),
        _add_convert_arguments,
        (
            "x1_0.pth x1_0.ckpt --model shufflenet_v2_x1_0",
            "x1_0.ckpt x1_0.pth --model shufflenet_v2_x1_0",
            "x.ckpt x.npz --model shufflenet_v2_x0_5 --keys torchvision",
        ),
        {"source", "target", "arrays"},
        needs="a weights file to read and one to write",
    ),
    "verify": Verb(
        "compare published weights with their published score",
        (*_MACHINE, "dataset", "data_dir", "val_split", "num_samples", "ckpt_path", "ckpt_key"),
        _add_verify_arguments,
        (
            "shufflenet_v2_x1_0.tv_in1k --data_dir imagenet",
            "shufflenet_v2_x1_0 --data_dir imagenet --num_samples 5000",
            "shufflenet_v2_x1_0.tv_in1k --ckpt_path x1.npz --data_dir DIR",
        ),
        {"published", "measured", "verdict"},
        needs="the name of published weights",
    ),
    "data": Verb(
        "prepare: pack a data set into MindRecord shards",
        _PACKED,
        _add_data_arguments,
        (
            "prepare packed --data_dir imagenet",
            "prepare packed --data_dir imagenet --short_side 256",
            "prepare packed --dataset folder --data_dir photos",
        ),
        {"folder", "splits"},
        needs="what to do, and the folder to write",
    ),
    "models": Verb(
        "list the networks with their parameters and multiply-adds",
        (),
        _add_models_arguments,
        ("", "'*x1_0'", "--json models.json"),
        {"models", "weights"},
    ),
}

# Verbs that several ranks do together.
ON_SEVERAL_RANKS = ("train", "validate")
