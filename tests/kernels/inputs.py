"""What operators are given, and their gradients."""

from collections.abc import Sequence
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import Tensor, ops

from mindcv_shufflenet.kernels import operators

EPSILON, SHARE = 1e-5, 0.1


class Draw:
    """Arrays of random numbers, the same for each example."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def __call__(self, *shape: int, scale: float = 1.0) -> np.ndarray:
        return (self.rng.standard_normal(shape) * scale).astype(np.float32)

    def norm(self, channels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Gamma, beta, moving mean and moving variance."""
        return np.abs(self(channels)) + 0.5, self(channels), self(channels, scale=0.1), np.abs(self(channels)) + 0.5


def gradients(operator: operators.Operator, arrays: Sequence[np.ndarray | Tensor], dy: np.ndarray) -> Any:
    """Return the gradients of all inputs of an operator, of the sum of its first output times ``dy``."""
    inputs = [array if isinstance(array, Tensor) else Tensor(array) for array in arrays]

    def total(*values: Tensor) -> Tensor:
        outputs = operator(*values)
        return ops.sum((outputs[0] if isinstance(outputs, tuple) else outputs) * Tensor(dy))

    return ms.grad(total, tuple(range(len(inputs))))(*inputs)


def norm_inputs(norm: Sequence[np.ndarray], activation: int, is_training: bool = True) -> tuple[Tensor, ...]:
    return operators.norm_settings(EPSILON, SHARE, activation, is_training), *(Tensor(array) for array in norm)
