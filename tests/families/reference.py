"""A description computed in numpy, by the definition of each kind of layer: an oracle for networks and conversions."""

import numpy as np

from mindcv_shufflenet.families.base import Layer, Layers
from mindcv_shufflenet.weights.names import Arrays, parameter_shapes


def random_arrays(layers: Layers, seed: int = 0) -> Arrays:
    """Weights that no mistake leaves the same."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for name, shape in parameter_shapes(layers).items():
        value = rng.normal(size=shape) * (0.3 if len(shape) == 1 else (2 / np.prod(shape[1:])) ** 0.5)
        arrays[name] = np.abs(value) + 0.5 if name.endswith(("gamma", "variance")) else value
    return arrays


def compute(layers: Layers, arrays: Arrays, image: np.ndarray) -> np.ndarray:
    """Return the output of the last layer for images ``[N, C, H, W]``."""
    outputs = [image]
    for layer in layers[1:]:
        outputs.append(_output(layer, [outputs[x] for x in layer.inputs], arrays))
    return outputs[-1]


def _output(layer: Layer, inputs: list[np.ndarray], arrays: Arrays) -> np.ndarray:
    x = inputs[0]
    if layer.kind == "conv":
        pad = layer.kernel // 2
        x = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
        return _conv(x, arrays[f"{layer.name}.weight"], layer)
    if layer.kind == "norm":
        gamma, beta, mean, variance = (
            arrays[f"{layer.name}.{own}"].reshape(1, -1, 1, 1)
            for own in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta
    if layer.kind == "max_pool":
        pads = (1, 1) if layer.padding == "pad" else (x.shape[2] % 2, 1)
        x = np.pad(x, [(0, 0), (0, 0), pads, pads], constant_values=-np.inf)
        return _windows(x, layer).max(axis=(4, 5))
    if layer.kind == "dense":
        bias = arrays[f"{layer.name}.bias"] if layer.bias else 0
        return x @ arrays[f"{layer.name}.weight"].T + bias
    simple = {
        "relu": lambda: np.maximum(x, 0),
        "gather": lambda: x[:, list(layer.order)],
        "concat": lambda: np.concatenate(inputs, axis=1),
        "add": lambda: sum(inputs),
        "mean": lambda: x.mean(axis=(2, 3)),
    }
    return simple[layer.kind]()


def _windows(x: np.ndarray, layer: Layer) -> np.ndarray:
    window, step = (layer.kernel, layer.kernel), layer.stride
    views = np.lib.stride_tricks.sliding_window_view(x, window, axis=(2, 3))  # type: ignore[call-overload]
    return views[:, :, ::step, ::step]


def _conv(x: np.ndarray, weight: np.ndarray, layer: Layer) -> np.ndarray:
    parts = zip(np.split(_windows(x, layer), layer.groups, axis=1), np.split(weight, layer.groups), strict=True)
    return np.concatenate([np.einsum("nchwij,ocij->nohw", part, kernel) for part, kernel in parts], axis=1)
