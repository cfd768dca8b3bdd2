"""The processes in which train_speed.py times training steps: ``python benchmarks/train_steps.py CONTENDER CASE``.

Every contender trains the same network on the same random batch, with momentum, weight decay and cross entropy. A
worker writes one line of JSON behind its first step, and one for each line of standard input, which says how many steps
to time.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from mindcv_shufflenet.deploy.speed.worker import peak_memory

Step = Callable[[], float]

# What a line begins with that is meant for train_speed.py: libraries print as well.
ANSWER = "answer "


@dataclass(frozen=True)
class Case:
    """What is trained: ``stem`` is ``imagenet`` or ``cifar``."""

    model: str
    stem: str
    batch_size: int
    resolution: int

    @property
    def classes(self) -> int:
        """Length of the logits."""
        return 10 if self.stem == "cifar" else 1000

    @property
    def options(self) -> dict[str, Any]:
        """Network options beside the defaults."""
        return {} if self.stem == "imagenet" else {"stem": self.stem}

    def batch(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the images and labels of every contender."""
        rng = np.random.default_rng(0)
        images = rng.standard_normal((self.batch_size, 3, self.resolution, self.resolution), np.float32)
        return images, rng.integers(self.classes, size=self.batch_size).astype(np.int32)


def ours(case: Case, kernels: str = "on", bf16: bool = False) -> Step:
    """Our network under our own training step, in graph mode."""
    os.environ["MINDCV_SHUFFLENET_KERNELS"] = kernels
    import mindspore as ms

    from mindcv_shufflenet.kernels.library import library
    from mindcv_shufflenet.network import create_model
    from mindcv_shufflenet.options.config import parse_config
    from mindcv_shufflenet.training.step import create_step

    if kernels == "on" and library() is None:
        sys.exit("there are no kernels on this machine")
    if bf16:
        round_products()
    ms.set_context(mode=ms.GRAPH_MODE)
    ms.set_device("CPU")
    network = create_model(case.model, num_classes=case.classes, **case.options)
    step = create_step(parse_config({"device_target": "CPU"}), network, np.full(10_000, 0.01))
    images, labels = (ms.Tensor(array) for array in case.batch())
    vote = ms.Tensor(0.0, ms.float32)
    return lambda: float(step(images, labels, None, None, vote)[0].asnumpy())


def round_products() -> None:
    """Let the kernels round to bfloat16 what a 1x1 convolution multiplies."""
    from mindcv_shufflenet.kernels.library import use_bfloat16

    if not use_bfloat16(True):
        sys.exit("this processor has no AMX")


def mindcv(case: Case) -> Step:
    """The network of mindcv under MindSpore's own training cell, in graph mode."""
    import mindspore as ms
    from mindcv_networks import mindcv_network
    from mindspore import nn

    if case.stem != "imagenet":
        sys.exit(f"mindcv has no stem for {case.stem}")
    ms.set_context(mode=ms.GRAPH_MODE)
    ms.set_device("CPU")
    network = mindcv_network(case.model)
    optimizer = nn.Momentum(network.trainable_params(), 0.01, 0.9, weight_decay=4e-5)
    step = nn.TrainOneStepCell(nn.WithLossCell(network, nn.CrossEntropyLoss()), optimizer).set_train()
    images, labels = (ms.Tensor(array) for array in case.batch())
    return lambda: float(step(images, labels).asnumpy())


def torch(case: Case, channels_last: bool = False, compiled: bool = False, bf16: bool = False) -> Step:
    """The same architecture in PyTorch (torch_networks.py)."""
    # with more, processes that compile would stay beside the one that is timed
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    import torch
    from torch_networks import torch_network

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    network = torch_network(case.model, classes=case.classes, **case.options).train().to(memory_format=memory_format)
    images, labels = (torch.from_numpy(array) for array in case.batch())
    images, labels = images.to(memory_format=memory_format), labels.long()
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9, weight_decay=4e-5)

    def forward() -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            return torch.nn.functional.cross_entropy(network(images), labels)

    compute = torch.compile(forward) if compiled else forward

    def step() -> float:
        optimizer.zero_grad()
        loss = compute()
        loss.backward()
        optimizer.step()
        return float(loss)

    return step


# What computes the steps, and with which arguments.
CONTENDERS: dict[str, tuple[Callable[..., Step], dict[str, Any]]] = {
    "ours": (ours, {}),
    "ours_bf16": (ours, {"bf16": True}),
    "ours_stock": (ours, {"kernels": "off"}),
    "mindcv": (mindcv, {}),
    "torch": (torch, {}),
    "torch_channels_last": (torch, {"channels_last": True}),
    "torch_compiled": (torch, {"channels_last": True, "compiled": True}),
    "torch_compiled_bf16": (torch, {"channels_last": True, "compiled": True, "bf16": True}),
}


def work(name: str, case: Case) -> None:
    """Be a worker: create and warm up the step, then time as many as each line of standard input says."""
    start = time.perf_counter()
    create, arguments = CONTENDERS[name]
    step = create(case, **arguments)
    step()
    first = time.perf_counter() - start
    step()
    answer(first_step_seconds=first)
    for line in sys.stdin:
        step()  # the caches hold what another contender has left there
        start = time.perf_counter()
        for _ in range(int(line)):
            step()
        seconds = time.perf_counter() - start
        answer(seconds=seconds, peak_megabytes=peak_memory() / 1e6)


def answer(**values: float) -> None:
    """Write a line for train_speed.py."""
    print(ANSWER + json.dumps(values), flush=True)


if __name__ == "__main__":
    work(sys.argv[1], Case(**json.loads(sys.argv[2])))
