"""Forward passes of networks, one file a runtime."""

from collections.abc import Callable

import numpy as np

# Images ``[N, C, H, W] float32`` -> logits ``[N, num_classes] float32``.
Forward = Callable[[np.ndarray], np.ndarray]
