"""What a frozen backbone saves of a training step, and what a teacher adds to it: milliseconds of a step on the CPU.

    python benchmarks/step_parts.py --model shufflenet_v2_x1_0 --teacher shufflenet_v2_x1_0 --image_size 128 --batch 16

The steps are those of ``shufflenet train`` in graph mode, on noise: ``full`` trains all of the network, ``frozen`` its
classifier alone (``--freeze backbone``), ``teacher`` all of it with a teacher (``--teacher``). Each is timed in turn
within every round, after one step that compiles. The last line is JSON: the shortest time of each, and the processor.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from mindcv_shufflenet.graph.network import fold
from mindcv_shufflenet.models.freezing import freeze
from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.options.config import Config
from mindcv_shufflenet.runtime.processor import processor
from mindcv_shufflenet.training.step import create_step

CLASSES = 10


def create(model: str, *, frozen: tuple[str, ...] = (), teacher: str = "") -> nn.Cell:
    """Return a training step of a network with newly drawn weights."""
    network = create_model(model, num_classes=CLASSES)
    freeze(network, frozen)
    config = Config(device_target="CPU", teacher=teacher)
    cell = fold(create_model(teacher, num_classes=CLASSES)) if teacher else None
    return create_step(config, network, np.full(1000, 0.01), teacher=cell)


def main() -> None:
    """Time the steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="shufflenet_v2_x1_0")
    parser.add_argument("--teacher", default="shufflenet_v2_x1_0")
    parser.add_argument("--image_size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=15)
    chosen = parser.parse_args()
    ms.set_context(mode=ms.GRAPH_MODE)
    ms.set_device("CPU")
    steps = {
        "full": create(chosen.model),
        "frozen": create(chosen.model, frozen=("backbone",)),
        "teacher": create(chosen.model, teacher=chosen.teacher),
    }
    image = np.random.default_rng(0).standard_normal((chosen.batch, 3, chosen.image_size, chosen.image_size))
    label = Tensor(np.arange(chosen.batch) % CLASSES, ms.int32)
    inputs = (Tensor(image, ms.float32), label, None, None, Tensor(0.0, ms.float32))
    times: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(chosen.rounds + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step(*inputs)[0].asnumpy()
            milliseconds = 1000 * (time.perf_counter() - start)
            if number == 0:
                print(f"{name}: the first step takes {milliseconds / 1000:.0f} s", flush=True)
            else:
                times[name].append(milliseconds)
    result = {"processor": processor().name, "cores": os.cpu_count()}
    print(json.dumps(result | {name: round(min(values)) for name, values in times.items()}))


if __name__ == "__main__":
    main()
