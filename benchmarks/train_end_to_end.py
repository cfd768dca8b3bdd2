"""How much of the bare training step's speed is left in train.py, which reads and augments real photos meanwhile.

    python benchmarks/train_end_to_end.py --data_dir DIR
    python benchmarks/train_end_to_end.py --data_dir PACKED --dataset mindrecord

``--data_dir`` holds train/CLASS/*.jpg, or what ``shufflenet data prepare`` made of that. In each round the bare step
(train_steps.py) is timed before and after a run of train.py of two epochs, of which the second counts: all of it, with
the start of the loader. Validation, checkpoints and report are left out, as are colour jitter and policies
(benchmarks/augmentation.py tells what those cost). While one trains the other is stopped. The bare step's network has
the classes of its stem, that of train.py those of the folder. The last line is JSON: medians, and the median of the
ratios within each round.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from train_steps import Case
from train_workers import Contender, add_case_options, find_case

sys.path.insert(0, str(Path(__file__).parents[1]))
from mindcv_shufflenet.runtime.processor import processor

TRAIN = Path(__file__).parents[1] / "train.py"


def train(case: Case, dataset: str, data_dir: str, samples: int) -> float:
    """Return the images/s of the second epoch of a run of train.py."""
    with tempfile.TemporaryDirectory() as run:
        words = {
            **{"model": case.model, "stem": case.stem, "batch_size": case.batch_size, "image_resize": case.resolution},
            **{"dataset": dataset, "data_dir": data_dir, "num_samples": samples, "color_jitter": "null"},
            **{"epoch_size": 2, "lr": 0.01, "val_while_train": False, "report": False, "tensorboard": False},
            **{"keep_checkpoint_max": 0, "ckpt_save_dir": run},
        }
        command = [sys.executable, str(TRAIN), *(f"--{name}={value}" for name, value in words.items())]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"GLOG_v": "3"})
        with open(Path(run, "log.csv"), newline="") as log:
            return float([*csv.DictReader(log)][-1]["images_per_second"])


def main() -> None:
    """Train by both in turn, and print the JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_case_options(parser)
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--dataset", choices=("folder", "mindrecord"), default="folder", help="what lies there")
    parser.add_argument("--samples", type=int, default=6000, help="images of an epoch; default 6000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20, help="bare steps before and after each run")
    options = parser.parse_args()
    case, _ = find_case(parser, options)
    bare_speeds, speeds = [], []
    with tempfile.TemporaryDirectory() as caches:
        bare = Contender("ours", sys.executable, case, Path(caches))
        if not bare.first:
            sys.exit(f"the bare step has ended: {bare.last_words()}")
        try:
            for _ in range(options.rounds):
                bare.run(options.steps)
                speeds.append(train(case, options.dataset, options.data_dir, options.samples))
                bare.run(options.steps)
                seconds = [turn["seconds"] for turn in bare.turns[-2:]]
                bare_speeds.append(case.batch_size * 2 * options.steps / sum(seconds))
                print(f"bare step {bare_speeds[-1]:.1f}, train.py {speeds[-1]:.1f} images/s", flush=True)
        finally:
            bare.kill()
    result = {
        "benchmark": "train_end_to_end",
        "dataset": options.dataset,
        **asdict(case),
        "processor": processor().name,
        "cores": len(os.sched_getaffinity(0)),
        "bare_images_per_second": round(statistics.median(bare_speeds), 1),
        "train_images_per_second": round(statistics.median(speeds), 1),
        "ratio": round(statistics.median(a / b for a, b in zip(speeds, bare_speeds, strict=True)), 3),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
