"""Golden values: what the networks have to compute, whatever the machine.

Weights and images are drawn by hashes of whole numbers, so that machines agree to the last digits. The values lie in
``golden.json``; ``python -m mindcv_shufflenet.diagnosis.golden`` computes them anew on a CPU, by MindSpore's own
operators.
"""

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from mindcv_shufflenet.deploy.export.golden import golden_input
from mindcv_shufflenet.models.base import unfuse
from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.training.step import create_step

# A network of each family, and pixels of its images.
NETWORKS = {
    "shufflenet_v1_g3_x0_5": 64,
    "shufflenet_v2_x0_5": 64,
    "shufflenet_v2_plus_small": 64,
    "shufflenet_v2_large_megvii": 32,
    "mobilenet_v1_025": 64,
    "mobilenet_v2_035_224": 64,
}
# What is trained: network, steps, images of a batch and their pixels. The learning rate is so low that rounding, which
# differs from machine to machine, does not grow from step to step as it does in a usual training.
TRAINED, _STEPS, _BATCH, _SIZE, _RATE = "shufflenet_v2_x0_5", 10, 16, 32, 1e-4
CLASSES = 10
_FILE = Path(__file__).with_name("golden.json")
# The entry of the losses.
_LOSSES = "losses"


def golden_logits() -> dict[str, np.ndarray]:
    """Return the golden logits of each network, ``[2, 10] float64``."""
    return {model: np.array(values) for model, values in _read().items() if model != _LOSSES}


def golden_losses() -> np.ndarray:
    """Return the golden losses of the training steps, ``[10] float64``."""
    return np.array(_read()[_LOSSES])


def golden_network(model: str, **options: Any) -> nn.Cell:
    """Return a network in inference, of ten classes, whose weights are made by the formula."""
    network = create_model(model, num_classes=CLASSES, **options)
    for parameter in network.get_parameters():
        values = _numbers(parameter.name, parameter.shape)
        if parameter.name.endswith((".gamma", ".moving_variance")):
            values = np.abs(values) * 0.5 + 0.75
        elif len(parameter.shape) > 1:
            values *= (6 / np.prod(parameter.shape[1:])) ** 0.5
        else:
            values *= 0.1
        parameter.set_data(Tensor(values.astype(np.float32)))
    return network.set_train(False)


def logits_of(network: nn.Cell, size: int) -> np.ndarray:
    """Return the logits of the golden images, ``[2, 10] float32``."""
    return network(Tensor(golden_input((2, 3, size, size), "float32"))).asnumpy()


def losses_of(network: nn.Cell, device: str) -> np.ndarray:
    """Return the losses of the training steps of a network, all on one batch, in MindSpore's present mode."""
    config = parse_config({"device_target": device, "opt": "momentum", "weight_decay": 0.0})
    step = create_step(config, network, np.full(_STEPS, _RATE))
    images = Tensor(golden_input((_BATCH, 3, _SIZE, _SIZE), "float32"))
    labels, vote = Tensor(np.arange(_BATCH, dtype=np.int32) % CLASSES), Tensor(0.0, ms.float32)
    return np.array([float(step(images, labels, None, None, vote)[0].asnumpy()) for _ in range(_STEPS)])


def _read() -> dict[str, list]:
    return json.loads(_FILE.read_text())


def _numbers(name: str, shape: Sequence[int]) -> np.ndarray:
    """Return numbers from -1 to 1 that depend on a name and their places alone (a hash after SplitMix64)."""
    mixed = np.arange(np.prod(shape), dtype=np.uint64) + np.uint64(zlib.crc32(name.encode()))
    mixed *= np.uint64(0x9E3779B97F4A7C15)  # whole numbers of 64 bits, which wrap around
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ mixed >> np.uint64(shift)) * np.uint64(factor)
    whole = (mixed >> np.uint64(40)).astype(np.int64) - (1 << 23)
    return (whole / (1 << 23)).astype(np.float32).reshape(shape)


def _compute() -> dict[str, list]:
    """Compute the golden values, to seven digits."""

    def rounded(values: np.ndarray) -> list:
        return json.loads(json.dumps(values.tolist()), parse_float=lambda text: float(f"{float(text):.7g}"))

    logits = {model: rounded(logits_of(unfuse(golden_network(model)), size)) for model, size in NETWORKS.items()}
    trained = unfuse(golden_network(TRAINED, stem="cifar"))
    return logits | {_LOSSES: rounded(losses_of(trained, "CPU"))}


if __name__ == "__main__":
    ms.set_context(mode=ms.PYNATIVE_MODE)
    ms.set_device("CPU")
    entries = ",\n".join(f'"{name}": {json.dumps(values)}' for name, values in _compute().items())
    _FILE.write_text(f"{{\n{entries}\n}}\n")
