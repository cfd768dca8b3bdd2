"""The names of a network's classes: recorded ones, or those of a well-known data set."""

from collections.abc import Callable

from mindcv_shufflenet.data.datasets.cifar import CIFAR10, CIFAR100
from mindcv_shufflenet.data.datasets.idx import FASHION_MNIST, MNIST
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


_NAMES: dict[str, Callable[[], tuple[str, ...]]] = {
    "imagenet": bundled_class_names,
    "cifar10": CIFAR10.known_names,
    "cifar100": CIFAR100.known_names,
    "mnist": lambda: MNIST.class_names,
    "fashion_mnist": lambda: FASHION_MNIST.class_names,
}
