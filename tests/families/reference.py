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
    """Return the logits ``[N, num_classes]`` of images ``[N, C, H, W]``."""
    return maps(layers, arrays, image)[-1][:, :, 0, 0]


def maps(layers: Layers, arrays: Arrays, image: np.ndarray) -> list[np.ndarray]:
    """Return the output of each layer for images ``[N, C, H, W]``."""
    outputs = [image]
    for layer in layers[1:]:
        outputs.append(_output(layer, [outputs[x] for x in layer.inputs], arrays))
    return outputs


def _output(layer: Layer, inputs: list[np.ndarray], arrays: Arrays) -> np.ndarray:
    x = inputs[0]
    if layer.kind == "conv":
        pad = layer.kernel // 2
        x = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
        bias = arrays[f"{layer.name}.bias"].reshape(1, -1, 1, 1) if layer.bias else 0
        return _conv(x, arrays[f"{layer.name}.weight"], layer) + bias
    if layer.kind == "norm":
        gamma, beta, mean, variance = (
            arrays[f"{layer.name}.{own}"].reshape(1, -1, 1, 1)
            for own in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return (x - mean) / np.sqrt(variance + layer.epsilon) * gamma + beta
    if layer.kind in ("max_pool", "avg_pool"):
        size, pad = x.shape[2], layer.kernel // 2
        missing = max((-(-size // layer.stride) - 1) * layer.stride + layer.kernel - size, 0)
        pads = (pad, pad) if layer.padding == "pad" else (missing // 2, missing - missing // 2)
        outside = 0 if (layer.kind, layer.padding) == ("avg_pool", "pad") else np.nan
        x = np.pad(x, [(0, 0), (0, 0), pads, pads], constant_values=outside)
        reduce = np.nanmax if layer.kind == "max_pool" else np.nanmean
        return reduce(_windows(x, layer), axis=(4, 5))
    if layer.kind == "dense":
        bias = arrays[f"{layer.name}.bias"] if layer.bias else 0
        logits = x.reshape(len(x), -1) @ arrays[f"{layer.name}.weight"].T + bias
        return logits[:, :, None, None]
    simple = {
        "relu": lambda: np.maximum(x, 0),
        "relu6": lambda: np.clip(x, 0, 6),
        "leaky_relu": lambda: np.where(x > 0, x, 0.1 * x),
        "hard_sigmoid": lambda: np.clip(x + 3, 0, 6) / 6,
        "hard_swish": lambda: x * np.clip(x + 3, 0, 6) / 6,
        "sigmoid": lambda: 1 / (1 + np.exp(-x)),
        "gather": lambda: x[:, list(layer.order)],
        "concat": lambda: np.concatenate(inputs, axis=1),
        "add": lambda: sum(inputs),
        "multiply": lambda: np.multiply(*inputs),
        "mean": lambda: x.mean(axis=(2, 3), keepdims=True),
    }
    return simple[layer.kind]()


def _windows(x: np.ndarray, layer: Layer) -> np.ndarray:
    window, step = (layer.kernel, layer.kernel), layer.stride
    views = np.lib.stride_tricks.sliding_window_view(x, window, axis=(2, 3))  # type: ignore[call-overload]
    return views[:, :, ::step, ::step]


def _conv(x: np.ndarray, weight: np.ndarray, layer: Layer) -> np.ndarray:
    parts = zip(np.split(_windows(x, layer), layer.groups, axis=1), np.split(weight, layer.groups), strict=True)
    return np.concatenate([np.einsum("nchwij,ocij->nohw", part, kernel) for part, kernel in parts], axis=1)
