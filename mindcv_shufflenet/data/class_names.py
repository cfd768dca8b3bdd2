"""The names of the classes of well-known data sets, for weights that were trained on them."""

from collections.abc import Callable
from importlib import resources

from mindcv_shufflenet.data.datasets import cifar10
from mindcv_shufflenet.data.datasets.imagenet import bundled_class_names


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
