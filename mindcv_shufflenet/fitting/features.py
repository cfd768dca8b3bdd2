"""The features of photos: what the classifier of a network reads, computed once by ONNX Runtime."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn
from rich.console import Console

from mindcv_shufflenet import signals
from mindcv_shufflenet.console import progress
from mindcv_shufflenet.data.transforms import create_transform
from mindcv_shufflenet.engines.onnx_engine import Settings
from mindcv_shufflenet.engines.runtimes import RUNTIMES
from mindcv_shufflenet.fitting.head import Head
from mindcv_shufflenet.graph.interface import Interface
from mindcv_shufflenet.graph.model import onnx_model
from mindcv_shufflenet.models.base import Network
from mindcv_shufflenet.models.batch_norm import unfold_norms
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.runtime.mode import mode_restored

_BATCH = 16
# Photos that the statistics of folded BatchNorms are measured on, and those that tell how long a photo takes.
_MEASURED, _TIMED = 64, 48


class FeatureReader:
    """Reads the features of photos.

    Args:
        network: in inference; its weights are copied.
        preprocessing: of its weights.
        workers: threads that read photos.
    """

    def __init__(self, network: Network, preprocessing: Preprocessing, workers: int) -> None:
        self.workers = workers
        model = onnx_model(_with_features_as_logits(network), Interface(preprocessing.image_resize))
        self._run = RUNTIMES["onnxruntime"].start(model, Settings()).run
        self._transform = create_transform(preprocessing)

    def read(self, photos: Sequence[Path], console: Console | None = None) -> np.ndarray:
        """Return the features of photos, ``[N, num_features] float32``.

        Args:
            photos: files.
            console: shows a progress bar.
        """
        found: list[np.ndarray] = []
        bar = progress("computing features", len(photos), console=console or Console(quiet=True))
        with bar as advance, ThreadPoolExecutor(self.workers) as pool:
            following = pool.map(self._transform, photos[:_BATCH])
            for start in range(_BATCH, len(photos) + _BATCH, _BATCH):
                images = np.stack([*following])
                following = pool.map(self._transform, photos[start : start + _BATCH])  # while the network computes
                found.append(next(iter(self._run(images).values())))
                advance(len(images))
        return np.concatenate(found)

    def seconds_per_photo(self, photos: Sequence[Path]) -> float:
        """Return how long a photo takes, measured on some of them."""
        chosen = [photos[place] for place in np.linspace(0, len(photos) - 1, _TIMED).astype(int)]
        self.read(chosen[:_BATCH])  # makes ready
        start = time.perf_counter()
        self.read(chosen)
        return (time.perf_counter() - start) / len(chosen)


def unfold(
    network: Network, preprocessing: Preprocessing, photos: Sequence[Path], console: Console | None = None
) -> None:
    """Give folded BatchNorms the statistics of some photos, so that the network can be trained.

    Args:
        network: in inference; its BatchNorms are changed.
        preprocessing: of its weights.
        photos: files; the statistics are those of 64 of them.
        console: shows a progress bar.

    Raises:
        Interrupted: a signal has come.
    """
    transform = create_transform(preprocessing)
    chosen = [photos[place] for place in np.linspace(0, len(photos) - 1, min(len(photos), _MEASURED)).astype(int)]

    def batches() -> Iterator[np.ndarray]:
        for start in range(0, len(chosen), _BATCH):
            yield np.stack([transform(photo) for photo in chosen[start : start + _BATCH]])
            advance(_BATCH)

    bar = progress("measuring statistics", len(chosen), console=console or Console(quiet=True))
    with mode_restored(), bar as advance:
        ms.set_context(mode=ms.PYNATIVE_MODE)
        unfold_norms(network.set_train(False), signals.checked(batches()))


def _with_features_as_logits(network: Network) -> nn.Cell:
    """Return a network with the same weights whose classifier hands on what it reads."""
    twin = network.inference_twin()
    weights = {parameter.name: parameter for parameter in network.get_parameters()}
    for parameter in twin.get_parameters():
        parameter.set_data(weights[parameter.name])
    twin.reset_classifier(twin.num_features)
    size = twin.num_features
    set_head(twin, Head(np.eye(size, dtype=np.float32), np.zeros(size, np.float32)))
    return twin.set_train(False)


def set_head(network: Network, head: Head) -> None:
    """Give a network a classifier that was fitted on its features."""
    classifier = network.get_classifier()
    classifier.weight.set_data(Tensor(head.weight))
    if classifier.has_bias:
        classifier.bias.set_data(Tensor(head.bias))
