"""The process in which ``benchmark`` times a network: ``python -m mindcv_shufflenet.deploy.speed.timed``."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

from mindcv_shufflenet.deploy.speed.worker import serve
from mindcv_shufflenet.engines import Forward

# Rows of the square matrices whose product tells the machine's peak.
MATRIX = 2048


def create(task: dict[str, Any]) -> tuple[Callable[[], object], dict[str, Any]]:
    """Return what computes one batch, and the version of its runtime.

    Args:
        task: ``package`` computes; ``shape`` is that of the images ``[N, C, H, W]`` or of a matrix; ``kind`` is a key
            of ``_CREATE``; the others are the arguments of its function.

    Raises:
        UserError: the runtime is not installed, or cannot compute the network.
    """
    shape = task.pop("shape")
    package = task.pop("package")
    batch = np.random.default_rng(0).standard_normal(shape, np.float32)
    forward = _CREATE[task.pop("kind")](**task)
    return lambda: forward(batch), {"version": version(package)}


def _mindspore(model: str, network_options: dict[str, Any], device_target: str) -> Forward:
    import mindspore as ms

    from mindcv_shufflenet.engines.mindspore_engine import MindSporeEngine
    from mindcv_shufflenet.models.registry import build
    from mindcv_shufflenet.options.config import parse_config
    from mindcv_shufflenet.runtime.device import choose_device

    ms.set_context(mode=ms.GRAPH_MODE)
    ms.set_device(choose_device(device_target))
    return MindSporeEngine(build(model, **network_options), parse_config({}))


def _onnx(engine: str, path: str, precision: str | None) -> Forward:
    from mindcv_shufflenet.engines.runtimes import RUNTIMES

    return RUNTIMES[engine](path, precision=precision)


def _numpy() -> Forward:
    return lambda matrix: matrix @ matrix


# Functions, since no process needs more than one of them: what they import takes memory and time.
_CREATE: dict[str, Callable[..., Forward]] = {"mindspore": _mindspore, "onnx": _onnx, "numpy": _numpy}


if __name__ == "__main__":
    serve(create)
