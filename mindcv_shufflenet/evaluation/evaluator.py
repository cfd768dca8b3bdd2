"""Validation: every image once, whatever the batch size."""

from collections.abc import Callable

import mindspore as ms
from mindspore import Tensor, nn

from mindcv_shufflenet.data.loader import Loader
from mindcv_shufflenet.evaluation.metrics import Metrics
from mindcv_shufflenet.parallel.group import current


def evaluate(
    network: nn.Cell,
    forward: Callable[[Tensor], Tensor],
    loader: Loader,
    on_batch: Callable[[], None] = lambda: None,
) -> Metrics:
    """Run a network over a loader; where there are several ranks, each over its part of the images.

    Args:
        network: set to inference while this runs.
        forward: calls the network, compiled or not.
        loader: pads and marks its last batch, so that all batches have one shape.
        on_batch: called after each batch.

    Returns:
        The metrics of the images of all ranks, on every rank.
    """
    metrics = Metrics()
    training = network.training
    network.set_train(False)
    try:
        for batch in loader.batches():
            logits = forward(Tensor(batch.image)).astype(ms.float32).asnumpy()
            metrics.add(logits, batch.label, batch.valid)
            on_batch()
    finally:
        network.set_train(training)
    return Metrics.of_all(current().gather(vars(metrics)))
