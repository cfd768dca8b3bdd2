"""Which layers the time of a training step goes to, with the kernels and with MindSpore's own operators: milliseconds.

    python benchmarks/step_operators.py --model shufflenet_v2_x0_5 --stem cifar

MindSpore's profiler times every operator of a step, forward and backward. The kernels are one kind of operator to it:
step_profile.py looks into them. Operators that run at the same time are counted each. Each contender of train_steps.py
is a process of its own. The last line is JSON: milliseconds a step by contender and layer.
"""

import argparse
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from train_steps import CONTENDERS
from train_workers import add_case_options, find_case

sys.path.insert(0, str(Path(__file__).parents[1]))
from mindcv_shufflenet.runtime.processor import processor

KERNELS, REST = "kernels", "the rest"
DEPTHWISE, POINTWISE, FIRST = "depthwise convolutions", "1x1 convolutions", "first convolution"
# What MindSpore's operators belong to, by a regular expression for their type: the first that fits.
LAYERS = {
    "BatchNorm": "BatchNorm",
    "activation": "ReLU|Relu|HSwish|LeakyReLU",
    "concatenation, split, shuffle": "Concat|Split|Slice|Transpose|Gather$",
    "pooling, mean": "Pool|ReduceMean",
    "sums of gradients": "AddN",
    "optimizer": "Apply|Momentum",
}
ALL = (KERNELS, DEPTHWISE, POINTWISE, FIRST, *LAYERS, REST)


def profile(name: str, case: Any, steps: int, folder: str) -> None:
    """Write MindSpore's tables of some steps to a folder."""
    create, arguments = CONTENDERS[name]
    step = create(case, **arguments)
    from mindspore import profiler

    for _ in range(2):
        step()
    target = profiler.tensorboard_trace_handler(folder)
    with profiler.profile(activities=[profiler.ProfilerActivity.CPU], on_trace_ready=target):
        for _ in range(steps):
            step()


def layer_of(kind: str, path: str, network: Any) -> str:
    """Return what an operator belongs to, by its type and the cells that it is in (``features-Cell/0-Block``)."""
    if kind == "Custom":
        return KERNELS
    if not kind.startswith("Conv2D"):
        return next((layer for layer, pattern in LAYERS.items() if re.search(pattern, kind)), REST)
    cell = network
    for part in path.split("/"):
        cell = cell.name_cells().get(part.split("-")[0], cell)
    return DEPTHWISE if cell.group == cell.in_channels else POINTWISE if cell.kernel_size == (1, 1) else FIRST


def by_layer(folder: str, steps: int, network: Any) -> dict[str, float]:
    """Return milliseconds a step by layer, out of MindSpore's tables."""
    times = dict.fromkeys(ALL, 0.0)
    table = next(Path(folder).rglob("cpu_op_detail_info_*.csv"))
    with table.open(newline="") as file:
        for row in csv.DictReader(file):
            layer = layer_of(row["op_type"], row["full_op_name"], network)
            times[layer] += float(row["op_total_time(ms)"]) / steps
    return {layer: round(time, 2) for layer, time in times.items()}


def main() -> None:
    """Profile the contenders and print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_case_options(parser)
    own = [name for name in CONTENDERS if name.startswith("ours")]
    parser.add_argument("--contenders", nargs="+", choices=own, default=["ours", "ours_stock"])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--worker", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    case, _ = find_case(parser, options)
    if options.worker:
        name, folder = options.worker
        profile(name, case, options.steps, folder)
        return
    from mindcv_shufflenet.models.registry import build

    network = build(case.model, num_classes=case.classes, **case.options)
    found: dict[str, dict[str, float]] = {}
    for name in options.contenders:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, *sys.argv, "--worker", name, folder]
            done = subprocess.run(
                command, check=False, capture_output=True, text=True, env=os.environ | {"GLOG_v": "3"}
            )
            if done.returncode:
                sys.exit(f"{name} has ended: {done.stderr}")
            found[name] = by_layer(folder, options.steps, network)
    print(f"{'ms a step':32}" + "".join(f"{name:>14}" for name in found))
    for layer in ALL:
        print(f"{layer:32}" + "".join(f"{times[layer]:14.2f}" for times in found.values()))
    print(f"{'all':32}" + "".join(f"{sum(times.values()):14.2f}" for times in found.values()))
    result = {"benchmark": "step_operators", "processor": processor().name, "cores": len(os.sched_getaffinity(0))}
    print(json.dumps(result | {"milliseconds": found}))


if __name__ == "__main__":
    main()
