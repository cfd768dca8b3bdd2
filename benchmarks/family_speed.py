"""Inference speed on the CPU of ShuffleNetV2 beside ShuffleNetV1 and the MobileNets: images/s at batch 8, 224x224.

    python benchmarks/family_speed.py

MindSpore in graph mode, float32, random weights. All networks are compiled first, which takes most of the time; then
they take turns, one round of a few batches each behind one that is not counted, so that a slow spell of the machine
meets all of them. Reported are the medians over the rounds, beside what the TensorFlow implementation of ShuffleNetV2
has published for the same batch on a GTX 1080 Ti. The last line is JSON.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from mindcv_shufflenet.models.catalogue import describe
from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.runtime.processor import processor

# Images/s on a GTX 1080 Ti at batch 8, 224x224: https://github.com/TropComplique/shufflenet-v2-tensorflow, README.md.
GTX_1080_TI: dict[str, int | None] = {
    "shufflenet_v2_x0_5": 3192,
    "shufflenet_v2_x1_0": 2349,
    "shufflenet_v2_x1_5": 1855,
    "shufflenet_v2_x2_0": 1570,
    "shufflenet_v1_g3_x0_5": None,
    "shufflenet_v1_g3_x1_0": None,
    "shufflenet_v1_g3_x1_5": None,
    "shufflenet_v1_g3_x2_0": None,
    "mobilenet_v1_025": None,
    "mobilenet_v1_050": 3317,
    "mobilenet_v1_075": 2187,
    "mobilenet_v1_100": 1685,
    "mobilenet_v2_035_224": 2722,
    "mobilenet_v2_050_224": None,
    "mobilenet_v2_075": 1527,
    "mobilenet_v2_100": 1292,
    "mobilenet_v2_130_224": None,
    "mobilenet_v2_140": None,
}


def seconds(network: nn.Cell, images: Tensor, batches: int) -> float:
    """Time some batches, behind one that is not counted."""
    network(images).asnumpy()
    start = time.perf_counter()
    for _ in range(batches):
        network(images).asnumpy()
    return time.perf_counter() - start


def main() -> None:
    """Time every network in turn and print a table and the JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", default=[*GTX_1080_TI], help="networks to time")
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--resolution", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--batches", type=int, default=4, help="batches a round")
    options = parser.parse_args()
    ms.set_context(mode=ms.GRAPH_MODE)
    ms.set_device("CPU")
    shape = (options.batch_size, 3, options.resolution, options.resolution)
    images = Tensor(np.random.default_rng(0).standard_normal(shape, np.float32))
    networks: dict[str, nn.Cell] = {}
    for name in options.models:
        start = time.perf_counter()
        networks[name] = create_model(name).set_train(False)
        networks[name](images).asnumpy()
        print(f"{name} is compiled after {time.perf_counter() - start:.0f} s", file=sys.stderr)
    speeds: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(options.rounds):
        for name, network in networks.items():
            speeds[name].append(options.batches * options.batch_size / seconds(network, images, options.batches))

    medians = {name: round(statistics.median(values), 1) for name, values in speeds.items()}
    costs = {name: describe(name, image_size=options.resolution).cost.multiply_adds for name in networks}
    print(f"{'':24}{'M multiply-adds':>16}{'images/s':>10}{'GTX 1080 Ti':>13}")
    for name, median in medians.items():
        print(f"{name:24}{costs[name] / 1e6:16.1f}{median:10.1f}{GTX_1080_TI.get(name) or '-':>13}")
    result = {
        "benchmark": "family_speed",
        "batch_size": options.batch_size,
        "resolution": options.resolution,
        "rounds": options.rounds,
        "batches": options.batches,
        "processor": processor().name,
        "cores": len(os.sched_getaffinity(0)),
        "images_per_second": medians,
        "multiply_adds": costs,
        "gtx_1080_ti": {name: GTX_1080_TI.get(name) for name in medians},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
