"""Whether an exported model computes what its network does: compared with MindSpore on random and on real images."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from mindspore import Tensor, nn
from scipy.special import softmax

from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.images import image_files
from mindcv_shufflenet.data.loader import eval_loader
from mindcv_shufflenet.data.open import evenly_spaced
from mindcv_shufflenet.data.transforms import create_transform
from mindcv_shufflenet.deploy.export.golden import relative_error
from mindcv_shufflenet.engines.runs import Run, in_batches
from mindcv_shufflenet.engines.signature import bytes_of
from mindcv_shufflenet.errors import RunError
from mindcv_shufflenet.graph.interface import Interface
from mindcv_shufflenet.models.base import FeatureExtractor
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.weights.provenance import Settled

# The largest error with which a file gets its name, as a share of the largest output.
LARGEST_ERROR = 1e-4
# Of real images that outputs are compared on.
MOST_IMAGES = 16
# How many random images at once, where the batch is free: one, several, and what no vector length divides.
_BATCHES = (1, 2, 7)


class Reference:
    """What an exported model has to compute: a network on MindSpore, behind the model's interface.

    Args:
        network: gives logits, or the maps of its stages. It is put into inference mode.
        interface: what the model takes and gives.
    """

    def __init__(self, network: nn.Cell, interface: Interface) -> None:
        self.network, self.interface = network, interface
        network.set_train(False)

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Return the outputs for images ``[N, C, H, W] float32``, by name."""
        found = self.named(self.network(Tensor(images)))
        return {name: softmax(value, axis=1) for name, value in found.items()} if self.interface.softmax else found

    def named(self, outputs: Any) -> dict[str, np.ndarray]:
        """Return what the network gives, a tensor or several, by the names that the model has for it."""
        if isinstance(self.network, FeatureExtractor):
            names = [info.name for info in self.network.feature_info]
            return {name: features.asnumpy() for name, features in zip(names, outputs, strict=True)}
        return {self.interface.classes_name: outputs.asnumpy()}

    def taken(self, images: np.ndarray) -> np.ndarray:
        """Return normalised images ``[N, C, H, W] float32`` as the model takes them."""
        return bytes_of(images, self.interface.normalize) if self.interface.normalize else images

    def proven_error(self, run: Run, runtime: str, images: np.ndarray | None = None) -> float:
        """Return the largest relative error of a runtime on random images, and on some real ones.

        The random ones come in batches of 1, 2 and 7, or of the fixed size. A model that takes images of any size gets
        other heights and widths too.

        Args:
            run: the model on the runtime.
            runtime: its name.
            images: the real ones, ``[N, C, H, W] float32``; N may be 0. None: there are none.

        Raises:
            RunError: the error is above ``LARGEST_ERROR``.
        """
        error = max(self._error(run, one) for one in (*self._random_images(), images) if one is not None and len(one))
        if not error <= LARGEST_ERROR:
            raise RunError(
                f"the exported model would be wrong: its outputs on {runtime} differ from the network's by {error:.1e}"
                f" of the largest, and at most {LARGEST_ERROR:.0e} is allowed; nothing is written"
            )
        return error

    def _random_images(self) -> Iterator[np.ndarray]:
        interface, rng = self.interface, np.random.default_rng(0)
        for number, batch in enumerate((interface.batch,) if interface.batch else _BATCHES):
            larger = 32 * number if interface.is_dynamic_size else 0
            size = (interface.size + larger, interface.size + 2 * larger)
            pixels = rng.integers(0, 256, size=(batch, *size, self.network.plan.in_channels), dtype=np.uint8)
            yield normalised(pixels, interface.normalize)

    def _error(self, run: Run, images: np.ndarray) -> float:
        outputs = in_batches(run, self.taken(images), self.interface.batch)
        return relative_error(outputs, self(images))


def normalised(pixels: np.ndarray, preprocessing: Preprocessing | None) -> np.ndarray:
    """Return the network's input ``[N, C, H, W] float32`` for pixels ``[N, H, W, C] uint8`` of grey or RGB images.

    Args:
        pixels: 0 to 255.
        preprocessing: its ``normalise`` is applied; None: (pixel - 128) / 64.
    """
    if preprocessing is None:
        return (pixels.transpose(0, 3, 1, 2).astype(np.float32) - 128) / 64
    colour = np.repeat(pixels, 3, axis=3) if preprocessing.channels == 1 else pixels
    normalise = create_transform(preprocessing).normalise
    return np.stack([normalise(image) for image in colour])


def real_images(
    settled: Settled, split: Split | None, calibration: str | os.PathLike[str] | None, workers: int
) -> np.ndarray:
    """Return some of the images of a data set and of a folder, preprocessed.

    Args:
        settled: the options.
        split: the validation images of the data set; None: there are none.
        calibration: an image file or a folder that is searched; None: there is none.
        workers: threads that read the data set.

    Returns:
        ``[N, C, H, W] float32``, where N may be 0.

    Raises:
        UserError: an image cannot be read, or a folder has none.
    """
    config = settled.config
    found = [np.zeros((0, config.in_channels, config.image_resize, config.image_resize), np.float32)]
    if calibration is not None:
        files = image_files(calibration)
        chosen = np.linspace(0, len(files), min(MOST_IMAGES, len(files)), endpoint=False).astype(int)
        transform = create_transform(settled.preprocessing)
        found += [transform(files[index])[None] for index in chosen]
    if split is not None:
        loader = eval_loader(config, evenly_spaced(split, min(MOST_IMAGES, len(split))), workers)
        found += [batch.image[batch.valid] for batch in loader.batches()]
    return np.concatenate(found)
