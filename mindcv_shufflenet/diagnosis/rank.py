"""One of the ranks of the self-test: it meets the others, and compares a mean over all of them with what it must be.

``mpirun -n N python -m mindcv_shufflenet.diagnosis.rank DEVICE``
"""

import sys

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor

from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.parallel.collectives import create_reduce
from mindcv_shufflenet.parallel.group import join
from mindcv_shufflenet.parallel.startup import set_up
from mindcv_shufflenet.parallel.world import find_world

# Numbers of a gradient.
_SIZE = 1000


def main(device: str) -> None:
    """Add up a gradient, a loss and hits as a training step does.

    Raises:
        ValueError: one of them is wrong.
    """
    group = join(find_world())
    set_up(parse_config({"device_target": device}))
    rank, size = group.world.rank, group.world.size
    weight = Parameter(Tensor(np.zeros(_SIZE, np.float32)), name="weight")
    reduce = create_reduce([weight], [], device, size)
    own = Tensor(float(rank), ms.float32)
    (mean,), loss, hits, _ = reduce((Tensor(np.full(_SIZE, rank, np.float32)),), own, own, own)
    expected = (size - 1) / 2
    if not (mean.asnumpy() == expected).all() or (float(loss), float(hits)) != (expected, expected * size):
        raise ValueError(
            f"error: {size} ranks find the mean {mean.asnumpy()[0]}, the loss {float(loss)} and {float(hits)} hits;"
            f" right are {expected}, {expected} and {expected * size}"
        )
    group.leave()


if __name__ == "__main__":
    main(sys.argv[1])
