"""The networks of mindcv, a contender of the benchmarks."""

from typing import Any

from mindcv_shufflenet.families import aliases


def mindcv_network(model: str) -> Any:
    """Return mindcv's network, with 1000 classes and newly drawn weights, by our name for it."""
    from mindcv.models import create_model

    names = {own: theirs for theirs, own in aliases().items()}
    return create_model(names.get(model, model))
