"""Checks of what the networks compute: golden values in both modes, and the kernels."""

import mindspore as ms
import numpy as np

from mindcv_shufflenet.deploy.export.golden import relative_error
from mindcv_shufflenet.diagnosis import golden
from mindcv_shufflenet.diagnosis.outcome import CheckFailed, CheckLeftOut
from mindcv_shufflenet.kernels.library import library
from mindcv_shufflenet.models.base import unfuse
from mindcv_shufflenet.models.fusion import fuse
from mindcv_shufflenet.runtime.mode import mode_restored

# The largest relative errors of float32 on a CPU: of a forward pass, and after ten steps, in which rounding grows; and
# of an Ascend or a GPU, whose convolutions may round what they multiply to 10 bits (HF32, TF32).
_FORWARD, _STEPS, _ELSEWHERE = 2e-4, 1e-3, 2e-2


def forward(device: str) -> str:
    """Compare a forward pass of a network of each family with its golden logits."""
    errors = {}
    with mode_restored():
        ms.set_context(mode=ms.PYNATIVE_MODE)
        for model, expected in golden.golden_logits().items():
            logits = golden.logits_of(unfuse(golden.golden_network(model)), golden.NETWORKS[model])
            errors[model] = relative_error({model: logits}, {model: expected})
    return _judge(errors, device, _FORWARD, "golden logits")


def graph_mode(device: str) -> str:
    """Compare ten training steps in graph mode with the golden losses."""
    return _steps(device, ms.GRAPH_MODE)


def pynative_mode(device: str) -> str:
    """Compare ten training steps in PyNative mode with the golden losses."""
    return _steps(device, ms.PYNATIVE_MODE)


def kernels(device: str) -> str:
    """Compare the forward pass of a network of each family by the kernels with that by MindSpore's own operators."""
    if device != "CPU":
        raise CheckLeftOut("the kernels are for a CPU")
    if library() is None:
        raise CheckLeftOut("there are no kernels here")
    errors = {}
    with mode_restored():
        ms.set_context(mode=ms.PYNATIVE_MODE)
        for model, size in golden.NETWORKS.items():
            network = golden.golden_network(model)
            stock = golden.logits_of(unfuse(network), size)
            fused = golden.logits_of(fuse(network), size)
            errors[model] = relative_error({model: fused}, {model: stock})
    return _judge(errors, device, _FORWARD, "stock operators")


def _steps(device: str, mode: int) -> str:
    with mode_restored():
        ms.set_context(mode=mode)
        losses = golden.losses_of(golden.golden_network(golden.TRAINED, stem="cifar"), device)
    if not np.isfinite(losses).all():
        raise CheckFailed(f"a loss is not a number: {', '.join(f'{loss:.4g}' for loss in losses)}")
    error = relative_error({"losses": losses}, {"losses": golden.golden_losses()})
    return _judge({golden.TRAINED: error}, device, _STEPS, "golden losses")


def _judge(errors: dict[str, float], device: str, on_cpu: float, what: str) -> str:
    limit = on_cpu if device == "CPU" else _ELSEWHERE
    wrong = [f"{model} by {error:.2g}" for model, error in errors.items() if not error <= limit]
    if wrong:
        raise CheckFailed(f"differs from the {what} by more than {limit:g} of the largest: {', '.join(wrong)}")
    return f"within {max(errors.values()):.1g} of the {what}, of {limit:g} allowed"
