"""The names of a network's classes: recorded ones, or those of a well-known data set."""

from collections.abc import Callable
from importlib import resources

from mindcv_shufflenet.data.datasets import cifar10
from mindcv_shufflenet.data.datasets.imagenet import bundled_class_names
from mindcv_shufflenet.storage.run_directory import Classes


def class_names_of(classes: Classes | None, dataset: str | None, num_classes: int) -> tuple[str, ...] | None:
    """Return the name of each class of a network; None where they are not known.

    Where nothing tells what it was trained on, 1000 classes are taken for ImageNet's.

    Args:
        classes: that it was trained on, where they are recorded.
        dataset: that it was trained on, where that is known.
        num_classes: how many it has.
    """
    is_unknown = classes is None and dataset is None
    names = classes.names if classes else known_class_names("imagenet" if is_unknown else dataset)
    return names if names is not None and len(names) == num_classes else None


def known_class_names(dataset: str | None) -> tuple[str, ...] | None:
    """Return the name of each class of a data set; None where they are not known."""
    names = _NAMES.get(dataset or "")
    return names() if names else None


def _cifar100() -> tuple[str, ...]:
    """The 100 fine labels of CIFAR-100 in their order, which is that of the alphabet."""
    text = resources.files("mindcv_shufflenet.data.datasets").joinpath("cifar100_classes.txt").read_text("utf-8")
    return tuple(text.split())


_NAMES: dict[str, Callable[[], tuple[str, ...]]] = {
    "imagenet": bundled_class_names,
    "cifar10": lambda: cifar10.CLASS_NAMES,
    "cifar100": _cifar100,
}
