"""The names that options choose from, once: data sets, optimizers, schedules, variants of networks, weights files.

Rooms above attach the code to them (``data/datasets``, ``training/optimizers``, ``training/schedules.py``), and tests
hold both sides equal. A data set that is registered at run time adds its name here.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple


class Traits(NamedTuple):
    """What the options know of a data set.

    Attributes:
        needs_folder: whether it lies in ``data_dir``.
        train_crop: what ``train_crop=auto`` means for it.
        has_class_folders: whether ``dataset=folder`` reads it too, with those of its classes that have a folder.
        is_packed: whether it is what ``data prepare`` writes.
    """

    needs_folder: bool = True
    train_crop: Literal["resized", "padded"] = "resized"
    has_class_folders: bool = False
    is_packed: bool = False


# The data sets; `register_dataset` adds to them.
DATASETS = {
    "digits": Traits(needs_folder=False),
    "folder": Traits(),
    "imagenet": Traits(has_class_folders=True),
    "tiny_imagenet": Traits(),
    "cifar10": Traits(train_crop="padded"),
    "cifar100": Traits(train_crop="padded"),
    "mnist": Traits(train_crop="padded"),
    "fashion_mnist": Traits(train_crop="padded"),
    "mindrecord": Traits(is_packed=True),
}


def traits_of(dataset: str) -> Traits:
    """Return the traits of a data set; one that another program has registered has the default ones."""
    return DATASETS.get(dataset, Traits())


# The values of the network options. Each family has its own share of them.
LAYOUTS = ("megvii", "torchvision", "mindcv", "mmpretrain", "imgclsmob")
STEMS = ("imagenet", "cifar")
POOLS = ("same", "pad")
ACTIVATIONS = ("relu", "leaky_relu")
CHANNEL_SHUFFLES = ("deinterleave", "interleave")

# Suffixes of weights files.
TORCH_SUFFIXES = (".pth", ".pt")
WEIGHTS_SUFFIXES = (".ckpt", ".safetensors", ".npz", ".onnx", *TORCH_SUFFIXES)

# The optimizers, and those options that only some of them read.
OPTIMIZERS = {
    "sgd": ("momentum", "use_nesterov"),
    "momentum": ("momentum", "use_nesterov"),
    "adam": ("eps", "use_nesterov"),
    "adamw": ("eps",),
    "lion": (),
    "nadam": ("eps",),
    "adan": ("eps",),
    "rmsprop": ("momentum", "eps"),
    "adagrad": (),
    "lamb": ("eps",),
}

# The schedules of the learning rate, likewise.
SCHEDULES = {
    "constant": (),
    "cosine_decay": ("min_lr", "decay_epochs", "num_cycles", "cycle_decay"),
    "exponential_decay": ("decay_rate",),
    "linear_decay": ("min_lr", "decay_epochs"),
    "polynomial_decay": ("decay_rate",),
    "step_decay": ("decay_epochs", "decay_rate"),
    "multi_step_decay": ("decay_rate", "multi_step_decay_milestones"),
    "one_cycle": ("min_lr",),
    "cyclic": ("min_lr", "num_cycles"),
}


def readers(option: str, table: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the optimizers or schedules of a table that read an option."""
    return tuple(name for name, options in table.items() if option in options)


# Types of numbers in which a network is computed.
PRECISIONS = ("fp32", "bf16", "int8")

# Runtimes that compute a network, and the precisions that each has.
ENGINES = {
    "mindspore": ("fp32",),
    "onnxruntime": ("fp32", "int8"),
    "openvino": ("fp32", "bf16", "int8"),
}

# What an exported network may be made for: kinds of processors, and a runtime.
TARGETS = ("x86", "x86-vnni", "arm", "openvino")

# How a channel shuffle is written in an exported file.
SHUFFLE_FORMS = ("pieces", "transpose", "gather")

# Kinds of exported files and their suffixes, and what a file may be packed into.
EXPORT_FORMATS = {"onnx": ".onnx", "mindir": ".mindir", "air": ".air"}
PACKAGES = {"zoo": ".tar.gz", "hf": ""}
