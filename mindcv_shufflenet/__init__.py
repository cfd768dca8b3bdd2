"""ShuffleNet networks on MindSpore: models, training, validation.

Names are handed on when they are first asked for (PEP 562), so importing the package imports no MindSpore.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

# onnx and MindSpore share one protobuf runtime, and MindSpore's messages need the one in Python (docs/mindspore.md).
os.environ.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")

if TYPE_CHECKING:
    from mindcv_shufflenet.averaging.average import average_checkpoints
    from mindcv_shufflenet.console import SafeConsole
    from mindcv_shufflenet.data.datasets import Reader, Request, Split, register_dataset
    from mindcv_shufflenet.data.inspection.check import data_check
    from mindcv_shufflenet.data.inspection.stats import data_stats
    from mindcv_shufflenet.data.prepare import prepare_data
    from mindcv_shufflenet.data.sources import Files, Pixels
    from mindcv_shufflenet.data.transforms import create_transform
    from mindcv_shufflenet.deploy.conversion import convert
    from mindcv_shufflenet.deploy.export.check import check
    from mindcv_shufflenet.deploy.export.export import export
    from mindcv_shufflenet.deploy.predict import predict
    from mindcv_shufflenet.deploy.predictor import Predictor, inference_model
    from mindcv_shufflenet.deploy.speed.benchmark import benchmark
    from mindcv_shufflenet.diagnosis.selftest import selftest
    from mindcv_shufflenet.errors import Interrupted, RunError, UserError
    from mindcv_shufflenet.evaluation.evaluate import evaluate
    from mindcv_shufflenet.evaluation.verify import verify
    from mindcv_shufflenet.fitting.fit import fit
    from mindcv_shufflenet.graph.network import fold
    from mindcv_shufflenet.models.base import unfuse
    from mindcv_shufflenet.models.catalogue import is_model, list_models
    from mindcv_shufflenet.models.complexity import count
    from mindcv_shufflenet.models.fusion import fuse
    from mindcv_shufflenet.network import create_model, get_model, open_network, resolve_preprocessing
    from mindcv_shufflenet.options.augmentation import Augmentation
    from mindcv_shufflenet.options.preprocessing import Preprocessing
    from mindcv_shufflenet.report.gradcam import grad_cam
    from mindcv_shufflenet.report.write import write_report
    from mindcv_shufflenet.sweeps.sweep import sweep
    from mindcv_shufflenet.training.data_show import data_show
    from mindcv_shufflenet.training.train import train
    from mindcv_shufflenet.weights.load import load_weights
    from mindcv_shufflenet.weights.records import get_pretrained_cfg

__version__ = "0.1.0"

_HOMES = {
    "train": "mindcv_shufflenet.training.train",
    "sweep": "mindcv_shufflenet.sweeps.sweep",
    "average_checkpoints": "mindcv_shufflenet.averaging.average",
    "evaluate": "mindcv_shufflenet.evaluation.evaluate",
    "verify": "mindcv_shufflenet.evaluation.verify",
    "benchmark": "mindcv_shufflenet.deploy.speed.benchmark",
    "convert": "mindcv_shufflenet.deploy.conversion",
    "export": "mindcv_shufflenet.deploy.export.export",
    "check": "mindcv_shufflenet.deploy.export.check",
    "predict": "mindcv_shufflenet.deploy.predict",
    "data_stats": "mindcv_shufflenet.data.inspection.stats",
    "data_check": "mindcv_shufflenet.data.inspection.check",
    "data_show": "mindcv_shufflenet.training.data_show",
    "prepare_data": "mindcv_shufflenet.data.prepare",
    "fit": "mindcv_shufflenet.fitting.fit",
    "selftest": "mindcv_shufflenet.diagnosis.selftest",
    "Predictor": "mindcv_shufflenet.deploy.predictor",
    "inference_model": "mindcv_shufflenet.deploy.predictor",
    "create_model": "mindcv_shufflenet.network",
    "get_model": "mindcv_shufflenet.network",
    "open_network": "mindcv_shufflenet.network",
    "resolve_preprocessing": "mindcv_shufflenet.network",
    "list_models": "mindcv_shufflenet.models.catalogue",
    "is_model": "mindcv_shufflenet.models.catalogue",
    "get_pretrained_cfg": "mindcv_shufflenet.weights.records",
    "fold": "mindcv_shufflenet.graph.network",
    "load_weights": "mindcv_shufflenet.weights.load",
    "fuse": "mindcv_shufflenet.models.fusion",
    "unfuse": "mindcv_shufflenet.models.base",
    "count": "mindcv_shufflenet.models.complexity",
    "create_transform": "mindcv_shufflenet.data.transforms",
    "register_dataset": "mindcv_shufflenet.data.datasets",
    "write_report": "mindcv_shufflenet.report.write",
    "grad_cam": "mindcv_shufflenet.report.gradcam",
    "SafeConsole": "mindcv_shufflenet.console",
    "Reader": "mindcv_shufflenet.data.datasets",
    "Request": "mindcv_shufflenet.data.datasets",
    "Split": "mindcv_shufflenet.data.datasets",
    "Files": "mindcv_shufflenet.data.sources",
    "Pixels": "mindcv_shufflenet.data.sources",
    "Augmentation": "mindcv_shufflenet.options.augmentation",
    "Preprocessing": "mindcv_shufflenet.options.preprocessing",
    "UserError": "mindcv_shufflenet.errors",
    "RunError": "mindcv_shufflenet.errors",
    "Interrupted": "mindcv_shufflenet.errors",
}
__all__ = [
    "Augmentation",
    "Files",
    "Interrupted",
    "Pixels",
    "Predictor",
    "Preprocessing",
    "Reader",
    "Request",
    "RunError",
    "SafeConsole",
    "Split",
    "UserError",
    "__version__",
    "average_checkpoints",
    "benchmark",
    "check",
    "convert",
    "count",
    "create_model",
    "create_transform",
    "data_check",
    "data_show",
    "data_stats",
    "evaluate",
    "export",
    "fit",
    "fold",
    "fuse",
    "get_model",
    "get_pretrained_cfg",
    "grad_cam",
    "inference_model",
    "is_model",
    "list_models",
    "load_weights",
    "open_network",
    "predict",
    "prepare_data",
    "register_dataset",
    "resolve_preprocessing",
    "selftest",
    "sweep",
    "train",
    "unfuse",
    "verify",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
