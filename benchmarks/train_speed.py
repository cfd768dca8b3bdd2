"""Training speed on the CPU beside mindcv and PyTorch: images/s of whole training steps.

    .venv/bin/pip install torch==2.13.0 pytorchcv==0.0.74
    .venv/bin/pip install --no-deps mindcv==0.3.0 tqdm
    .venv/bin/python benchmarks/train_speed.py
    .venv/bin/python benchmarks/train_speed.py --model shufflenet_v2_x0_5 --stem cifar
    .venv/bin/python benchmarks/train_speed.py --model mobilenet_v2_100 --contenders ours torch_compiled --limits

Contenders (train_steps.py): ``ours`` with the kernels, ``ours_bf16`` with products of numbers rounded to bfloat16,
``ours_stock`` with MindSpore's own operators; ``mindcv``; PyTorch eager, with channels last, compiled, and compiled
under autocast to bfloat16. Each is a process of its own. They take turns, one round of a few steps each, while the
others are stopped (SIGSTOP), so that a slow spell of the machine meets all of them. Reported are the medians over the
rounds, the medians of the ratios within each round, the seconds from the start of a process to the end of its first
step (our kernels are compiled before; PyTorch's caches are empty, and one process compiles), and the most memory that a
process had. ``--limits`` measures in the same rounds what the machine reaches at most, and puts the operations of a
step beside it: two for each multiply-add, of which training has three times those of the forward pass. A contender that
is not installed, or that the machine or the model lacks, is left out. The last line is JSON.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from machine_limits import Limits
from train_steps import CONTENDERS
from train_workers import Contender, add_case_options, find_case

sys.path.insert(0, str(Path(__file__).parents[1]))
from mindcv_shufflenet.runtime.processor import processor

# The contenders that the others are compared with.
BASES = ("ours", "ours_bf16")


def parse() -> argparse.Namespace:
    """Return the options, with the case and what an image costs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_case_options(parser)
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=[*CONTENDERS])
    parser.add_argument("--limits", action="store_true", help="measure what the machine reaches at most")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=4, help="steps a round, behind one that is not counted")
    parser.add_argument("--torch_python", default=sys.executable, help="python of an environment with PyTorch")
    parser.add_argument(
        "--caches",
        type=Path,
        help="folder that keeps what PyTorch compiles: from the second run on, a first step is fast",
    )
    options = parser.parse_args()
    options.case, described = find_case(parser, options)
    options.gigaflops_per_image = 2 * 3 * described.cost.multiply_adds / 1e9
    return options


def compile_kernels() -> None:
    """Compile the kernels if need be, before the clock of a first step runs."""
    code = "from mindcv_shufflenet.kernels.library import library; library()"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], check=True)


def start(options: argparse.Namespace, caches: Path) -> list[Contender]:
    """Start the contenders that are there."""
    started: list[Contender] = []
    for name in options.contenders:
        python = options.torch_python if name.startswith("torch") else sys.executable
        contender = Contender(name, python, options.case, caches)
        if contender.first:
            started.append(contender)
        else:
            print(f"{name} is left out: {contender.last_words()}", flush=True)
            contender.kill()
    return started


def summary(contender: Contender, options: argparse.Namespace) -> dict[str, float]:
    """Return the figures of one contender."""
    seconds = statistics.median(turn["seconds"] for turn in contender.turns) / options.steps
    speed = options.case.batch_size / seconds
    return {
        "images_per_second": round(speed, 2),
        "milliseconds": round(1000 * seconds, 1),
        "gflops": round(options.gigaflops_per_image * speed, 1),
        "first_step_seconds": round(contender.first["first_step_seconds"], 1),
        "peak_megabytes": round(contender.turns[-1]["peak_megabytes"]),
    }


def ratios(base: Contender, contenders: list[Contender]) -> dict[str, float]:
    """Return how many times as fast as each other contender one is: medians of the ratios within each round."""
    return {
        other.name: round(
            statistics.median(
                theirs["seconds"] / own["seconds"] for own, theirs in zip(base.turns, other.turns, strict=True)
            ),
            3,
        )
        for other in contenders
        if other is not base
    }


def show(found: dict[str, dict[str, float]], over: dict[str, dict[str, float]]) -> None:
    """Print the table."""
    heads = "".join(f"{f'{base} is':>14}" for base in over)
    print(f"{'':20}{'images/s':>10}{'ms':>9}{'GFLOP/s':>9}{'first s':>9}{'MB':>7}{heads}")
    for name, figures in found.items():
        times = "".join(f"{f'{ratio[name]:.2f} x' if name in ratio else '':>14}" for ratio in over.values())
        speed, milliseconds, gflops, first, memory = figures.values()
        print(f"{name:20}{speed:10.1f}{milliseconds:9.1f}{gflops:9.1f}{first:9.1f}{memory:7.0f}{times}")


def main() -> None:
    """Run the contenders in turn and print the table and the JSON line."""
    options = parse()
    compile_kernels()
    contenders: list[Contender] = []
    with tempfile.TemporaryDirectory() as caches:
        try:
            contenders = start(options, options.caches or Path(caches))
            limits = Limits() if options.limits else None
            for _ in range(options.rounds):
                for contender in contenders:
                    contender.run(options.steps)
                if limits:
                    limits.measure()
        finally:
            for contender in contenders:
                contender.kill()
    found = {contender.name: summary(contender, options) for contender in contenders}
    over = {base.name: ratios(base, contenders) for base in contenders if base.name in BASES}
    show(found, over)
    if limits:
        print(f"limits: a matrix product {limits.gflops:.0f} GFLOP/s, copies {limits.gigabytes:.1f} GB/s")
    result = {
        "benchmark": "train_speed",
        **asdict(options.case),
        "rounds": options.rounds,
        "processor": processor().name,
        "cores": len(os.sched_getaffinity(0)),
        "contenders": found,
        **{f"{base}_over": ratio for base, ratio in over.items()},
        **(limits.rounded() if limits else {}),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
