"""What a machine reaches on all cores at most: the limits that train_speed.py puts beside a training step.

python benchmarks/machine_limits.py
"""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

# Rows of the square matrices of a product, and numbers of an array of 64 MB.
MATRIX, NUMBERS = 2048, 1 << 24


class Limits:
    """The machine's limits, as far as they have been reached until now.

    Attributes:
        gflops: float32 operations in 1e9/s of a large matrix product in numpy, two for each multiply-add.
        gigabytes: bytes in 1e9/s that copies of arrays of 64 MB, one on each core, read and write.
    """

    def __init__(self) -> None:
        cores = len(os.sched_getaffinity(0))
        self.gflops = self.gigabytes = 0.0
        self._matrix = np.random.default_rng(0).standard_normal((MATRIX, MATRIX), np.float32)
        self._pairs = [(np.ones(NUMBERS, np.float32), np.ones(NUMBERS, np.float32)) for _ in range(cores)]
        self._threads = ThreadPoolExecutor(cores)

    def measure(self, repeats: int = 5) -> None:
        """Multiply and copy some times; the fastest counts."""
        for _ in range(repeats):
            start = time.perf_counter()
            self._matrix @ self._matrix
            middle = time.perf_counter()
            list(self._threads.map(lambda pair: np.copyto(*pair), self._pairs))
            end = time.perf_counter()
            self.gflops = max(self.gflops, 2e-9 * MATRIX**3 / (middle - start))
            self.gigabytes = max(self.gigabytes, 2e-9 * 4 * NUMBERS * len(self._pairs) / (end - middle))

    def rounded(self) -> dict[str, float]:
        """Return both for JSON."""
        return {"matrix_product_gflops": round(self.gflops, 1), "copy_gigabytes_per_second": round(self.gigabytes, 1)}


if __name__ == "__main__":
    limits = Limits()
    limits.measure(20)
    print(json.dumps(limits.rounded()))
