"""Training speed on the CPU beside mindcv and PyTorch: images/s of whole training steps.

    .venv/bin/pip install --no-deps mindcv==0.3.0 tqdm
    python3 -m venv .venv-torch && .venv-torch/bin/pip install torch==2.13.0 numpy
    .venv/bin/python benchmarks/train_speed.py --torch_python .venv-torch/bin/python

Every contender is a process of its own that trains the same network (x1.0, 1000 classes) on the same random batch,
with momentum, weight decay and cross entropy. They take turns, one round of a few steps each, while the others are
stopped (SIGSTOP), so that a slow spell of the machine meets all of them. Reported are the medians over the rounds and
the medians of the ratios within each round. A contender that is not installed is left out. The last line is JSON.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

WIDTHS, BLOCKS = (24, 116, 232, 464, 1024), (4, 8, 4)  # x1.0, table 5 of the paper
Step = Callable[[], float]


def batch(size: int, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """The same images and labels for every contender."""
    rng = np.random.default_rng(0)
    images = rng.standard_normal((size, 3, resolution, resolution), np.float32)
    return images, rng.integers(1000, size=size).astype(np.int32)


def mindspore_step(create: Callable[[], Any], size: int, resolution: int) -> Step:
    """A step of a MindSpore network in graph mode, by MindSpore's own training cell."""
    import mindspore as ms
    from mindspore import nn

    ms.set_context(mode=ms.GRAPH_MODE)
    ms.set_device("CPU")
    network = create()
    optimizer = nn.Momentum(network.trainable_params(), 0.01, 0.9, weight_decay=4e-5)
    step = nn.TrainOneStepCell(nn.WithLossCell(network, nn.CrossEntropyLoss()), optimizer).set_train()
    images, labels = (ms.Tensor(array) for array in batch(size, resolution))
    return lambda: float(step(images, labels).asnumpy())


def ours(size: int, resolution: int) -> Step:
    """Our network under our own training step."""
    import mindspore as ms

    from mindcv_shufflenet.network import create_model
    from mindcv_shufflenet.options.config import parse_config
    from mindcv_shufflenet.training.step import create_step

    ms.set_context(mode=ms.GRAPH_MODE)
    ms.set_device("CPU")
    config = parse_config({"device_target": "CPU"})
    step = create_step(config, create_model("shufflenet_v2_x1_0"), np.full(10_000, 0.01))
    images, labels = (ms.Tensor(array) for array in batch(size, resolution))
    vote = ms.Tensor(0.0, ms.float32)
    return lambda: float(step(images, labels, None, None, vote)[0].asnumpy())


def mindcv(size: int, resolution: int) -> Step:
    """The network of mindcv."""
    from mindcv.models import create_model

    return mindspore_step(lambda: create_model("shufflenet_v2_x1_0"), size, resolution)


def torch(size: int, resolution: int, channels_last: bool = False) -> Step:
    """Torchvision's network in PyTorch, eager."""
    import torch
    from torch_networks import shufflenet_v2

    network = shufflenet_v2(WIDTHS, BLOCKS)
    images, labels = (torch.from_numpy(array) for array in batch(size, resolution))
    labels = labels.long()
    if channels_last:
        network, images = (value.to(memory_format=torch.channels_last) for value in (network, images))
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9, weight_decay=4e-5)

    def step() -> float:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
        return float(loss)

    return step


CONTENDERS: dict[str, Callable[[int, int], Step]] = {
    "ours": ours,
    "mindcv": mindcv,
    "torch": torch,
    "torch_channels_last": lambda size, resolution: torch(size, resolution, channels_last=True),
}


def work(name: str, size: int, resolution: int) -> None:
    """Warm up, then run as many steps as each line of standard input says and print their seconds."""
    step = CONTENDERS[name](size, resolution)
    for _ in range(3):
        step()
    print("ready", flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            step()
        print(time.perf_counter() - start, flush=True)


class Contender:
    """A worker process that is stopped whenever it is not its turn."""

    def __init__(self, name: str, python: str, size: int, resolution: int) -> None:
        self.name = name
        command = [python, __file__, "--worker", name, "--batch_size", str(size), "--resolution", str(resolution)]
        environment = os.environ | {"GLOG_v": "3", "PYTHONPATH": str(Path(__file__).parents[1])}
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the worker
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, env=environment
        )
        self.installed = any(line.strip() == "ready" for line in self.process.stdout or ())
        if self.installed:
            self.process.send_signal(signal.SIGSTOP)

    def last_words(self) -> str:
        """Return the last line that the worker wrote to its standard error."""
        self.errors.seek(0)
        return (self.errors.read().splitlines() or ["it ended without a word"])[-1]

    def run(self, steps: int) -> float:
        """Return the seconds that so many steps take."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.send_signal(signal.SIGCONT)
        print(steps, file=self.process.stdin, flush=True)
        seconds = float(self.process.stdout.readline())
        self.process.send_signal(signal.SIGSTOP)
        return seconds


def main() -> None:
    """Run the contenders in turn and print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--torch_python", help="python of an environment with PyTorch")
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--resolution", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=4, help="steps a round")
    parser.add_argument("--worker", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker, options.batch_size, options.resolution)
        return

    from mindcv_shufflenet.runtime.processor import processor  # a worker's Python may lack it

    pythons = {"ours": sys.executable, "mindcv": sys.executable}
    if options.torch_python:
        pythons |= dict.fromkeys(("torch", "torch_channels_last"), options.torch_python)
    contenders: list[Contender] = []
    speeds: dict[str, list[float]] = {}
    try:
        for name, python in pythons.items():
            contenders.append(Contender(name, python, options.batch_size, options.resolution))
            if not contenders[-1].installed:
                print(f"{name} is left out: {contenders.pop().last_words()}")
        for _ in range(options.rounds):
            for contender in contenders:
                speed = options.steps * options.batch_size / contender.run(options.steps)
                speeds.setdefault(contender.name, []).append(speed)
    finally:
        for contender in contenders:
            contender.process.kill()

    ratios = {
        name: statistics.median(own / other for own, other in zip(speeds["ours"], values, strict=True))
        for name, values in speeds.items()
    }
    for name, values in speeds.items():
        print(f"{name:20} {statistics.median(values):7.1f} images/s   ours is {ratios[name]:.2f} times as fast")
    result = {
        "benchmark": "train_speed",
        "model": "shufflenet_v2_x1_0",
        "batch_size": options.batch_size,
        "resolution": options.resolution,
        "rounds": options.rounds,
        "processor": processor().name,
        "cores": len(os.sched_getaffinity(0)),
        "images_per_second": {name: round(statistics.median(values), 2) for name, values in speeds.items()},
        "ours_over": {name: round(ratio, 3) for name, ratio in ratios.items() if name != "ours"},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
