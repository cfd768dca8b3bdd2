"""Golden inputs and outputs: what a model file has to compute, so that it can be checked wherever it runs.

The inputs are made by a formula in whole numbers, so every machine makes the same bits; the outputs lie in the file.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

# The name under which they lie in the metadata of an ONNX file.
GOLDEN_ENTRY = "mindcv_shufflenet.golden"
_FORMAT = 1

# Two images show whether those of a batch are kept apart.
IMAGES = 2
# Numbers that are kept of each output.
_KEPT = 4096
# Stated in the file for whoever has nothing but the file.
_FORMULA = (
    "pixel[n, y, x, c] = (|u % 502 - 251| + |v % 502 - 251|) // 3 + w % 83"
    " with X = x * 224 // width, Y = y * 224 // height, u = (3 + n) * X + 2 * Y + 97 * c,"
    " v = 4 * Y - (1 + n) * X + 61 * c + 1000, w = X * X + 3 * Y * Y + 5 * X * Y + 7 * c;"
    " float32 [N, C, H, W] inputs are (pixel - 128) / 64"
)


def golden_pixels(images: int, height: int, width: int, channels: int) -> np.ndarray:
    """Return images ``[images, height, width, channels] uint8``: slopes with a fine texture.

    ``n``, ``y``, ``x`` and ``c`` are whole numbers from 0 on::

        pixel[n, y, x, c] = (|u % 502 - 251| + |v % 502 - 251|) // 3 + w % 83
        X, Y = x * 224 // width, y * 224 // height
        u = (3 + n) * X + 2 * Y + 97 * c
        v = 4 * Y - (1 + n) * X + 61 * c + 1000
        w = X * X + 3 * Y * Y + 5 * X * Y + 7 * c
    """
    n, y, x, c = np.ogrid[:images, :height, :width, :channels]
    x, y = x * 224 // width, y * 224 // height
    u = (3 + n) * x + 2 * y + 97 * c
    v = 4 * y - (1 + n) * x + 61 * c + 1000
    w = x * x + 3 * y * y + 5 * x * y + 7 * c
    return ((abs(u % 502 - 251) + abs(v % 502 - 251)) // 3 + w % 83).astype(np.uint8)


def golden_input(shape: Sequence[int], dtype: str) -> np.ndarray:
    """Return the golden images as a model takes them.

    Args:
        shape: ``[N, H, W, C]`` of bytes, else ``[N, C, H, W]``.
        dtype: ``uint8`` or ``float32``; floats are ``(pixel - 128) / 64``, which float32 holds exactly.
    """
    if dtype == "uint8":
        return golden_pixels(*shape)
    images, channels, height, width = shape
    planes = golden_pixels(images, height, width, channels).transpose(0, 3, 1, 2)
    return (planes.astype(np.float32) - 128) / 64


def relative_error(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> float:
    """Return the largest difference of two sets of outputs, as a share of the largest number of the output.

    What has another shape, or is no number, is infinitely wrong.
    """
    errors = [0.0]
    for name, value in expected.items():
        if name not in found or found[name].shape != value.shape:
            return float("inf")
        difference = np.abs(found[name].astype(np.float64) - value)
        scale = max(float(np.abs(value).max()), float(np.finfo(np.float32).tiny))
        errors.append(float(difference.max()) / scale)
    return max(errors) if np.isfinite(errors).all() else float("inf")


@dataclass(frozen=True)
class Golden:
    """Inputs, and the outputs that a model has for them.

    Attributes:
        shape: the shape of the input.
        dtype: the type of the input, ``uint8`` or ``float32``.
        outputs: at most 4096 numbers, evenly spaced, of each output, by its name.
        tolerance: largest relative error of a runtime that computes correctly.
        source: what computed the outputs.
        probabilities: the outputs are those of a softmax, and their logarithms are compared: an error of the logits
            that decides the class may hardly change a probability near 0 or 1.
    """

    shape: tuple[int, ...]
    dtype: str
    outputs: dict[str, np.ndarray]
    tolerance: float
    source: str
    probabilities: bool = False

    @classmethod
    def of(
        cls,
        images: np.ndarray,
        outputs: Mapping[str, np.ndarray],
        tolerance: float,
        source: str,
        *,
        probabilities: bool = False,
    ) -> Self:
        """Return golden data of inputs that :func:`golden_input` made, and the outputs that belong to them."""
        kept = {name: _kept(value) for name, value in outputs.items()}
        return cls(images.shape, images.dtype.name, kept, tolerance, source, probabilities)

    @property
    def images(self) -> np.ndarray:
        """The inputs."""
        return golden_input(self.shape, self.dtype)

    def error(self, outputs: Mapping[str, np.ndarray]) -> float:
        """Return the relative error of what a runtime computes of :attr:`images`."""
        found = {name: self._compared(_kept(value)) for name, value in outputs.items()}
        return relative_error(found, {name: self._compared(value) for name, value in self.outputs.items()})

    def _compared(self, value: np.ndarray) -> np.ndarray:
        """The numbers that are compared: of probabilities the logits, but for a constant."""
        if not self.probabilities:
            return value
        logits = np.log(np.maximum(value, np.finfo(np.float32).tiny), dtype=np.float64)
        return logits - logits.mean()

    def dump(self) -> str:
        """Return the golden data as JSON, the outputs as base64 of little-endian float32."""
        outputs = {
            name: base64.b64encode(value.astype("<f4").tobytes()).decode() for name, value in self.outputs.items()
        }
        return json.dumps(
            {
                "format": _FORMAT,
                "input": {"shape": self.shape, "dtype": self.dtype, "formula": _FORMULA},
                "outputs": outputs,
                "tolerance": self.tolerance,
                "source": self.source,
                "probabilities": self.probabilities,
            }
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what :meth:`dump` returned.

        Raises:
            ValueError: it is something else; the text says what is wrong.
        """
        try:
            content = json.loads(text)
            version = content["format"]
            outputs = {
                str(name): np.frombuffer(base64.b64decode(value, validate=True), "<f4")
                for name, value in content["outputs"].items()
            }
            shape = tuple(int(size) for size in content["input"]["shape"])
            dtype, tolerance, source = content["input"]["dtype"], float(content["tolerance"]), str(content["source"])
            probabilities = bool(content["probabilities"])
        except (KeyError, TypeError, AttributeError, RecursionError, ValueError):
            raise ValueError("they are damaged") from None
        if version != _FORMAT:
            raise ValueError(f"they are of format {version} and this version reads {_FORMAT}")
        is_sound = len(shape) == 4 and 0 < np.prod(shape) < 1 << 30 and min(shape) > 0
        if not is_sound or dtype not in ("uint8", "float32") or not outputs or not 0 < tolerance < 1:
            raise ValueError("they are damaged")
        return cls(shape, dtype, outputs, tolerance, source, probabilities)


def _kept(value: np.ndarray) -> np.ndarray:
    """Some numbers of an output: every n-th, where n is odd, so that they are of all channels and pixels."""
    step = -(-value.size // _KEPT)
    return value.reshape(-1)[:: step + 1 - step % 2].astype(np.float32)
