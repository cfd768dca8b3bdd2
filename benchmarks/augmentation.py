"""What each kind of augmentation costs: images/s of the loader of training, and processor time an image.

    python benchmarks/augmentation.py --data_dir imagenet-sample-100 --split val

The loaders of training read the same images in turn, several rounds each; nothing is trained. ``--data_dir`` holds
SPLIT/CLASS/*.jpg. The last line is a JSON object: by kind the best of
the rounds, which other work on the machine disturbs least.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import NamedTuple

import mindspore as ms

from mindcv_shufflenet.data.datasets import Request, Split, open_split
from mindcv_shufflenet.data.loader import Loader, train_loader
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.runtime.processor import processor

KINDS: dict[str, dict[str, object]] = {
    "crop and flip": {"color_jitter": 0},
    "color_jitter 0.4": {},
    "re_prob 0.25": {"color_jitter": 0, "re_prob": 0.25},
    "mixup 0.2": {"color_jitter": 0, "mixup": 0.2},
    "cutmix 1": {"color_jitter": 0, "cutmix": 1.0},
    **{
        name: {"auto_augment": name}
        for name in ("randaug-m9-n2-mstd0.5", "autoaug-mstd0.5", "autoaugr-mstd0.5", "3a", "trivialaugwide", "augmix")
    },
    "augmix, aug_splits 3": {"auto_augment": "augmix", "aug_splits": 3},
}


class Speed(NamedTuple):
    """Images/s, and milliseconds of all threads an image."""

    images_per_second: float
    cpu_ms: float


def read(loader: Loader, epoch: int) -> Speed:
    """Read an epoch. The clocks start with the second batch, when the threads of the pipeline run."""
    batches = loader.batches(epoch)
    next(batches)
    start, cpu = time.perf_counter(), time.process_time()
    seen = sum(len(batch.label) for batch in batches) // loader.views
    return Speed(seen / (time.perf_counter() - start), 1000 * (time.process_time() - cpu) / seen)


def loader_of(split: Split, workers: int, options: dict[str, object]) -> Loader:
    """The loader of training with some options of augmentation."""
    config = parse_config({"batch_size": 32, **options})
    return train_loader(config, split, workers)


def main() -> None:
    """Read every kind in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--split", default="train")
    parser.add_argument("--images", type=int, default=1000, help="images of a round; those of the folder repeat")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    ms.set_device("CPU")
    split = open_split("folder", Request(Path(arguments.data_dir), arguments.split))
    split = split.take([index % len(split) for index in range(arguments.images)])
    loaders = {name: loader_of(split, arguments.workers, options) for name, options in KINDS.items()}
    speeds: dict[str, list[Speed]] = {name: [] for name in KINDS}
    for epoch in range(arguments.rounds):
        for name, loader in loaders.items():
            speeds[name].append(read(loader, epoch))
            print(f"{name:24}{speeds[name][-1].images_per_second:8.0f} images/s", flush=True)
    result = {
        "processor": processor().name,
        "workers": arguments.workers,
        "images_per_second": {name: round(max(one.images_per_second for one in rows)) for name, rows in speeds.items()},
        "cpu_ms": {name: round(min(one.cpu_ms for one in rows), 2) for name, rows in speeds.items()},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
