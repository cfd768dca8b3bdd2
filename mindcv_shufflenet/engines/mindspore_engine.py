"""A network on MindSpore as a function from images to logits."""

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.runtime.mode import compiled


class MindSporeEngine:
    """The forward pass of a network, with its weights at the time of each call.

    The network is in inference mode during a call; afterwards it is in the mode in which it was.

    Args:
        network: maps images to logits, in any precision.
        config: ``mode`` and ``jit`` decide what is compiled.
    """

    def __init__(self, network: nn.Cell, config: Config) -> None:
        self.network = network
        self.forward = compiled(config, network)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the logits ``[N, num_classes] float32`` of images ``[N, C, H, W] float32``."""
        is_training = self.network.training
        if is_training:
            self.network.set_train(False)
        try:
            return self.forward(Tensor.from_numpy(images)).astype(ms.float32).asnumpy()
        finally:
            if is_training:
                self.network.set_train(True)
