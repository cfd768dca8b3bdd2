"""ShuffleNet networks on MindSpore: models, training, validation.

Names are handed on when they are first asked for (PEP 562), so importing the package imports no MindSpore.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "create_model": "mindcv_shufflenet.models.registry",
    "get_model": "mindcv_shufflenet.models.registry",
    "list_models": "mindcv_shufflenet.models.registry",
    "load_weights": "mindcv_shufflenet.weights.load",
    "Predictor": "mindcv_shufflenet.deploy.predictor",
    "inference_model": "mindcv_shufflenet.deploy.predictor",
    "count": "mindcv_shufflenet.models.complexity",
    "UserError": "mindcv_shufflenet.errors",
}
__all__ = [
    "Predictor",
    "UserError",
    "__version__",
    "count",
    "create_model",
    "get_model",
    "inference_model",
    "list_models",
    "load_weights",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
