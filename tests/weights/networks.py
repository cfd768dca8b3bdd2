"""Networks whose every parameter matters, and their weights as other projects name them."""

from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.weights.formats import read_file
from mindcv_shufflenet.weights.names import Arrays, translate

X0_5 = "shufflenet_v2_x0_5"


def random_network(name: str = X0_5, seed: int = 0, **options: Any) -> nn.Cell:
    """A network in inference with all parameters drawn at random, so that no mistake in one goes unseen."""
    return randomise(create_model(name, **options), seed)


def randomise(network: nn.Cell, seed: int) -> nn.Cell:
    """Draw all parameters and BatchNorm statistics of a network, and set it to inference."""
    rng = np.random.default_rng(seed)
    for parameter in network.get_parameters():
        shape = parameter.shape
        value = rng.normal(size=shape) * (0.3 if len(shape) == 1 else (2 / np.prod(shape[1:])) ** 0.5)
        if parameter.name.endswith(("gamma", "moving_variance")):
            value = np.abs(value) + 0.5
        parameter.set_data(Tensor(value.astype(np.float32)))
    return network.set_train(False)


def arrays_of(network: nn.Cell, project: str = "mindspore") -> Arrays:
    """Copies of a network's parameters under a project's names."""
    own = {parameter.name: parameter.asnumpy().copy() for parameter in network.get_parameters()}
    return translate(own, network.plan.layers, project)


def read_arrays(path: Path) -> Arrays:
    """The arrays of a weights file."""
    return read_file(path).arrays


def logits(network: nn.Cell, size: int = 64) -> np.ndarray:
    """The logits of two fixed images of noise."""
    image = np.random.default_rng(7).normal(size=(2, 3, size, size)).astype(np.float32)
    return network(Tensor(image, ms.float32)).asnumpy()


def same(first: Arrays, second: Arrays) -> bool:
    """Whether names and values agree bit for bit."""
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)
