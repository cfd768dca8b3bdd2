"""A model on a runtime as a function from what the model takes to all that it gives."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from mindcv_shufflenet.errors import UserError, first_line

# From what a model takes to its outputs by name.
Run = Callable[[np.ndarray], dict[str, np.ndarray]]


def in_batches(run: Run, inputs: np.ndarray, batch: int | None) -> dict[str, np.ndarray]:
    """Run a model on any number of inputs, one or more.

    Args:
        run: the model.
        inputs: ``[N, ...]``.
        batch: how many inputs the model takes at once; None: any number.
    """
    if batch is None:
        return run(inputs)
    parts: dict[str, list[np.ndarray]] = {}
    for start in range(0, len(inputs), batch):
        part = inputs[start : start + batch]
        filled = part[np.arange(batch) % len(part)]
        for name, value in run(filled).items():
            parts.setdefault(name, []).append(value[: len(part)])
    return {name: np.concatenate(values) for name, values in parts.items()}


@contextmanager
def explained(failure: str, advice: str, reason: Callable[[Exception], str] = first_line) -> Iterator[None]:
    """Turn whatever a runtime raises into one line; each runtime has its own classes of errors.

    Args:
        failure: what cannot be done.
        advice: what to do then.
        reason: from the runtime's error to what people can use of it.

    Raises:
        UserError: with the three of them.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{failure}: {reason(error)}; {advice}") from error
