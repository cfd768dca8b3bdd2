"""The command line: ``shufflenet VERB [options]``, and ``train.py`` and ``validate.py``, which are two of its verbs.

A verb's module is imported only when the verb is called, so that ``--help`` and a mistyped option answer at once.
"""

import argparse
import errno
import importlib
import io
import os
import re
import sys
import traceback
from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NoReturn

from mindcv_shufflenet import signals
from mindcv_shufflenet.config import Config, find_recipe, load_yaml, parse_config, unknown_option
from mindcv_shufflenet.errors import Interrupted, RunError, UserError, first_line, nearest
from mindcv_shufflenet.option_types import is_boolean, is_list, parse_text
from mindcv_shufflenet.parallel import scheduler
from mindcv_shufflenet.parallel.cores import share_cores
from mindcv_shufflenet.parallel.group import current, join
from mindcv_shufflenet.parallel.launch import MPIRUN, find_world, is_scheduler
from mindcv_shufflenet.parallel.outlive import be_watched

# What weights/formats.py and weights/keys.py know, said here so that --help needs neither numpy nor MindSpore.
KEYS = ("mindspore", "megvii", "torchvision", "mmpretrain")
WEIGHTS_SUFFIXES = (".ckpt", ".safetensors", ".npz", ".onnx", ".pth", ".pt")

PROGRAM = "shufflenet"


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are the user's to mend."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; {self.prog} --help lists the options")


def _add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``-c``, ``--json`` and every option of the schema."""
    parser.add_argument("-c", "--config", metavar="FILE", help="YAML recipe; options on the command line go before it")
    _add_json_argument(parser)
    _add_options(parser, Config.model_fields)


def _add_options(parser: argparse.ArgumentParser, names: Collection[str]) -> None:
    """Add options of the schema, in its groups."""
    for options in reversed(Config.__bases__):
        chosen = [name for name in options.__annotations__ if name in names]
        group = parser.add_argument_group((options.__doc__ or "").strip()) if chosen else parser
        for name in chosen:
            field = Config.model_fields[name]
            extra: dict[str, Any] = (
                {"nargs": "?", "const": "True"} if is_boolean(field) else {"nargs": "+"} if is_list(field) else {}
            )
            text = f"{field.description} (default: {field.default})".replace("%", "%%")
            group.add_argument(f"--{name}", metavar="VALUE", default=argparse.SUPPRESS, help=text, **extra)


# Options of the schema that a verb takes which needs not all of them.
_MACHINE = ("mode", "device_target", "num_parallel_workers", "batch_size")
_NETWORK = ("model", "num_classes", "in_channels", "layout", "stem", "pool", "pretrained", "ckpt_path")
_INPUT = ("image_resize", "crop_pct", "interpolation", "resize_backend", "mean", "std", "channel_order")


def _add_models_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pattern", nargs="?", default="*", help="names to list, with wildcards: 'shufflenet_v2_*'")
    _add_json_argument(parser)


def _add_predict_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", nargs="+", metavar="IMAGE|DIR", help="image files, and folders that are searched")
    parser.add_argument("--topk", type=int, default=5, metavar="K", help="classes to list for each image (default: 5)")
    parser.add_argument("--cam", metavar="DIR", help="write a Grad-CAM picture of each image there")
    _add_json_argument(parser)
    _add_options(parser, (*_NETWORK, *_INPUT, "mode", "device_target", "batch_size"))


def _add_convert_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SRC", help=f"the weights file to read: {' '.join(WEIGHTS_SUFFIXES)}")
    parser.add_argument("target", metavar="DST", help="the weights file to write; its suffix tells the kind")
    parser.add_argument(
        "--keys",
        choices=KEYS,
        help="whose parameter names to write (default: for .pth PyTorch's of the layout, else mindspore's)",
    )
    _add_json_argument(parser)
    _add_options(parser, ("model", "layout", "allow_missing", "overwrite"))


def _add_verify_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="MODEL.TAG of published weights; without a tag mindcv's")
    _add_json_argument(parser)
    _add_options(parser, (*_MACHINE, "dataset", "data_dir", "val_split", "num_samples", "ckpt_path"))


def _add_data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("prepare",), help="pack a data set into MindRecord shards")
    parser.add_argument("output", metavar="OUT", help="the folder that they go to")
    parser.add_argument(
        "--short_side", type=_count, metavar="PIXELS", help="make larger images smaller (default: files as they are)"
    )
    parser.add_argument(
        "--images_per_shard", type=_count, default=10_000, metavar="N", help="images a shard (default: 10000)"
    )
    _add_json_argument(parser)
    names = ("dataset", "data_dir", "train_split", "val_split", "dataset_download", "num_parallel_workers", "overwrite")
    _add_options(parser, names)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def _add_json_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", metavar="PATH", help="write the result there as one JSON object; - for standard output"
    )


# What may follow a switch as its value.
_SWITCH_VALUES = {"true", "false", "yes", "no", "on", "off", "0", "1", "auto", "none", "null"}

# verb: what it does, its arguments. The module mindcv_shufflenet.commands.VERB has run(arguments).
VERBS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "train": ("train a network on a data set", _add_config_arguments),
    "validate": ("top-1, top-5 and loss of a checkpoint", _add_config_arguments),
    "predict": ("name what is in images", _add_predict_arguments),
    "convert": ("turn a weights file into another kind, naming or layout", _add_convert_arguments),
    "verify": ("compare published weights with their published score", _add_verify_arguments),
    "data": ("prepare: pack a data set into MindRecord shards", _add_data_arguments),
    "models": ("list the networks with their parameters and multiply-adds", _add_models_arguments),
}

# Verbs that several ranks do together.
ON_SEVERAL_RANKS = ("train", "validate")


def main(arguments: Sequence[str] | None = None, *, verb: str | None = None) -> int:
    """Run one command and return its exit status: 0 done, 2 the user's mistake, 1 a failed run, 128 + N signal N.

    Args:
        arguments: the words after the program's name; None: those of this process.
        verb: what ``train.py`` and ``validate.py`` stand for; None: the first word tells.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):  # a terminal that knows ASCII alone shows the rest as escapes
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _run(words, verb)
        current().leave()
        return status
    except UserError as error:
        return error.status if _is_told_by_the_first() else current().fail(str(error), error.status)
    except RunError as error:
        return current().fail(str(error), error.status)
    except Interrupted as error:
        if current().is_first:
            _say_stopped(f"stopped: {error}")
        current().leave()
        return error.status
    except SystemExit:  # after --help
        current().leave()
        raise
    except KeyboardInterrupt:
        if current().world.size > 1:
            return current().fail("stopped by Ctrl-C", 130)
        _say_stopped("stopped by Ctrl-C")
        return 130
    except OSError as error:
        if isinstance(error, BrokenPipeError) or error.filename is None:
            return _output_failed(error) if current().world.size == 1 else current().fail(str(error), 1)
        return current().fail(f"cannot use {error.filename}: {error.strerror}; check the path and its permissions", 2)
    except Exception as error:
        if current().world.size == 1:
            raise
        traceback.print_exc()
        return current().fail(
            f"{type(error).__name__}: {first_line(error)} (a fault of the program; its traceback is above)", 1
        )


def _run(words: list[str], verb: str | None) -> int:
    """Do what the words say and return the exit status."""
    if verb is None:
        if not words or words[0] in ("-h", "--help"):
            print(_overview())
            return 0
        verb, words = words[0], words[1:]
        program = f"{PROGRAM} {verb}"
        if verb not in VERBS:
            raise UserError(f"unknown verb {verb}{nearest(verb, VERBS)}; the verbs are {', '.join(VERBS)}")
    else:
        program = f"{verb}.py"
    if is_scheduler():
        os.environ.setdefault("GLOG_v", "4")
        scheduler.serve(lambda: _parse(program, verb, words))
        return 0
    world = find_world()
    if world.size > 1 and verb not in ON_SEVERAL_RANKS:
        raise UserError(f"{program} is the work of one process; start it without {world.launcher}")
    if verb == "train" and world.launcher == MPIRUN:
        be_watched(world)
    with signals.held():  # what starts threads
        share_cores(join(world))
    if not current().is_first:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    parsed = _parse(program, verb, words)
    os.environ.setdefault("GLOG_v", "4")  # our one line tells what MindSpore would tell in many
    with signals.raised() if world.size == 1 else nullcontext():
        with signals.held():
            module = importlib.import_module(f"mindcv_shufflenet.commands.{verb}")
        module.run(parsed)
    return 0


def _say_stopped(line: str) -> None:
    """Tell that a signal has stopped the command, if anybody still reads: the terminal or mpirun may be gone."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        for stream in (sys.stdout, sys.stderr):  # or Python would change the exit status when it flushes them
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _is_told_by_the_first() -> bool:
    """Whether this is another rank than the first of its host and they have not met: all there make the mistake."""
    try:
        return current().world.size == 1 and find_world().local_rank > 0
    except UserError:
        return False


def _output_failed(error: OSError) -> int:
    """End quietly where the reader of our output, ``head`` for example, has seen enough, else say why it failed."""
    if not isinstance(error, BrokenPipeError) and error.errno != errno.ENOSPC:
        raise error
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return 0
    print(f"error: cannot write the output: {error.strerror}; make room", file=sys.stderr)
    return 1


def _overview() -> str:
    verbs = "\n".join(f"  {name:10} {text}" for name, (text, _) in VERBS.items())
    return f"usage: {PROGRAM} VERB [options]\n\n{verbs}\n\n{PROGRAM} VERB --help lists the options of a verb."


def _parse(program: str, verb: str, words: list[str]) -> argparse.Namespace:
    """Parse the words of a verb.

    The options of the schema are gathered in two tables, still unchecked: ``given`` has those of the command line,
    ``options`` those of the recipe as well.
    """
    text, add_arguments = VERBS[verb]
    usage = (
        f"{program} [-c FILE] [--OPTION VALUE | OPTION=VALUE ...]" if add_arguments is _add_config_arguments else None
    )
    parser = _Parser(prog=program, usage=usage, description=text, allow_abbrev=False)
    add_arguments(parser)
    known = {action.dest for action in parser._actions}
    namespace, unknown = parser.parse_known_args([_normalise(word, known) for word in _join_values(words)])
    if unknown:
        name, equals, _ = unknown[0].lstrip("-").partition("=")
        if unknown[0].startswith("-") and not unknown[0].startswith("--") and name in known:
            raise UserError(f"unknown option {unknown[0]}: options begin with two dashes, --{name}")
        if not equals and not unknown[0].startswith("-"):
            raise UserError(f"unexpected argument {name}; {program} --help says what there may be")
        if name.replace("-", "_") in Config.model_fields:
            raise UserError(f"{program} does not take --{name}; --help lists what it takes")
        raise UserError(unknown_option(name))
    _check_json_path(namespace.json)
    namespace.given = {
        name: parse_text(Config.model_fields[name], ",".join(value) if isinstance(value, list) else value)
        for name, value in vars(namespace).items()
        if name in Config.model_fields
    }
    recipe = load_yaml(find_recipe(namespace.config)) if getattr(namespace, "config", None) else {}
    namespace.options = recipe | namespace.given
    if add_arguments is not _add_models_arguments:
        parse_config(namespace.options)  # a wrong value is told before MindSpore is imported, which takes a second
    return namespace


# Files of a run, which no result may replace.
_RUN_FILES = ("config.yaml", "classes.json", "log.csv", "*.ckpt", "*.state")


def _check_json_path(path: str | None) -> None:
    """Refuse a place for the result that cannot be written, or would replace a run's file, before the work is done."""
    if path in (None, "-"):
        return
    target = Path(path)
    if any(fnmatch(target.name, name) for name in _RUN_FILES):
        raise UserError(f"--json {path} is the name of a file of a run; give another, such as result.json")
    if target.exists() and not target.is_file() and not target.is_dir():  # a device, a pipe
        return
    if target.is_dir() or not os.access(target.absolute().parent, os.W_OK):
        raise UserError(f"cannot write {path}: give --json a file in a folder that is there and can be written")


def _join_values(words: list[str]) -> list[str]:
    """Write ``--name value`` as ``--name=value``, so that a value may look like an option or a negative number.

    A switch that stands alone gets its True, so that it does not take the next argument for its value.
    """
    joined: list[str] = []
    following = iter([*words[1:], ""])
    skip = False
    for word, value in zip(words, following, strict=True):
        field = Config.model_fields.get(word[2:].replace("-", "_")) if word.startswith("--") else None
        if skip:
            skip = False
        elif field is None or is_list(field):
            joined.append(word)
        elif is_boolean(field):
            skip = value.lower() in _SWITCH_VALUES
            joined.append(f"{word}={value if skip else True}")
        else:
            skip = bool(value) and not value.startswith("--")
            joined.append(f"{word}={value}" if skip else word)
    return joined


def _normalise(word: str, known: set[str]) -> str:
    """Write ``name=value``, ``--some-name`` and ``--no-name`` as ``--some_name[=value]``."""
    match = re.fullmatch(r"(--)?([A-Za-z][\w-]*)(=.*)?", word, flags=re.DOTALL)
    if not match or not (match[1] or match[3]):
        return word
    name, value = match[2].replace("-", "_"), match[3] or ""
    if name not in known and name.startswith("no_") and name[3:] in known and not value:
        name, value = name[3:], "=False"
    if not match[1] and name not in known:  # may be the value of an option, such as a path with an equals sign
        return word
    return f"--{name}{value}"
