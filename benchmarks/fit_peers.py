"""What the fine-tuning recipes of fastai and ultralytics reach in a time, from given weights.

    python benchmarks/fit_peers.py fastai --photos photos --weights x1_0.npz --seconds 300

It runs in an environment with torch, torchvision and fastai or ultralytics, without this package. ``--weights`` has
torchvision's parameter names, and its BatchNorm has to have the statistics of what it reads: ``shufflenet fit`` leaves
such weights in first/, and ``shufflenet convert FILE.ckpt FILE.npz --keys torchvision`` rewrites them. Either recipe is
the project's own with its defaults: fastai's ``fine_tune``, with as many epochs as there is time for by the speed of
some batches; ultralytics' ``train`` with its option ``time``. The last line is JSON.
"""

import argparse
import itertools
import json
import os
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torchvision

SIZE, BATCH = 224, 32


def network(weights: Path) -> torch.nn.Module:
    """Torchvision's network with the weights but for the classifier."""
    model = torchvision.models.shufflenet_v2_x1_0()
    with np.load(weights) as arrays:
        body = {name: arrays[name] for name in arrays.files if not name.startswith("fc.")}
    state = {name: torch.from_numpy(array) for name, array in body.items() if array.dtype.kind in "fi"}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected
    assert {name for name in missing if not name.endswith("num_batches_tracked")} <= {"fc.weight", "fc.bias"}
    return model


def fastai(photos: Path, weights: Path, seconds: float) -> dict[str, float]:
    """The best top-1 of ``fine_tune`` in percent, and its epochs."""
    from fastai.losses import CrossEntropyLossFlat
    from fastai.metrics import accuracy
    from fastai.vision.all import ImageDataLoaders, Learner, Normalize, Resize, aug_transforms, imagenet_stats
    from fastai.vision.learner import create_vision_model, default_split

    begin = time.perf_counter()

    def shufflenet(**_: object) -> torch.nn.Module:
        return network(weights)

    loaders = ImageDataLoaders.from_folder(
        photos, train="train", valid="val", bs=BATCH, num_workers=2, item_tfms=Resize(256),
        batch_tfms=[*aug_transforms(size=SIZE, min_scale=0.75), Normalize.from_stats(*imagenet_stats)],
    )  # fmt: skip
    model = create_vision_model(shufflenet, loaders.c, cut=-1)  # vision_learner reads no cut, and finds the wrong one
    learner = Learner(loaders, model, loss_func=CrossEntropyLossFlat(), splitter=default_split, metrics=accuracy)
    steps = max(1, len(loaders.train))
    ends = []
    for images, labels in itertools.islice(loaders.train, 25):
        learner.loss_func(learner.model(images), labels).backward()
        learner.model.zero_grad()
        ends.append(time.perf_counter())
    of_step = float(np.median(np.diff(ends)[3:]))  # the first ones start the workers
    learner.freeze()
    of_epoch = of_step * (steps + 0.4 * len(loaders.valid))
    left = seconds - (time.perf_counter() - begin)
    epochs = max(1, int(left / of_epoch - 0.5))  # fine_tune adds a frozen one, which takes about half as long
    learner.fine_tune(epochs)
    best = 100 * max(float(values[-1]) for values in learner.recorder.values)
    return {"top1": best, "epochs": epochs + 1, "seconds": time.perf_counter() - begin}


def ultralytics(photos: Path, weights: Path, seconds: float) -> dict[str, float]:
    """The best top-1 of ``train`` in percent, and its epochs."""
    from ultralytics import YOLO

    begin = time.perf_counter()
    classes = len([*(photos / "train").iterdir()])
    with tempfile.TemporaryDirectory() as folder:
        description = Path(folder, "shufflenet.yaml")
        description.write_text(
            f"nc: {classes}\nbackbone:\n  - [-1, 1, TorchVision, [1024, shufflenet_v2_x1_0, null, True, 1]]\n"
            "head:\n  - [-1, 1, Classify, [nc]]\n"
        )
        model = YOLO(str(description), task="classify")
        first, *others, _ = network(weights).children()
        body = torch.nn.Sequential(*first.children(), *others)  # as TorchVision unwraps it
        model.model.model[0].m.load_state_dict(body.state_dict())
        model.ckpt = {"model": model.model}  # so that train() starts from these weights
        model.train(
            data=str(photos), imgsz=SIZE, batch=BATCH, workers=2, device="cpu", project=folder, plots=False,
            time=(seconds - 15) / 3600,
        )  # fmt: skip
        rows = np.genfromtxt(next(Path(folder).rglob("results.csv")), delimiter=",", names=True)
    best = 100 * float(np.max(rows["metricsaccuracy_top1"]))
    return {"top1": best, "epochs": int(np.size(rows)), "seconds": time.perf_counter() - begin}


def main() -> None:
    """Train by the recipe that is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool", choices=("fastai", "ultralytics"))
    parser.add_argument("--photos", required=True, type=Path, help="holds train/CLASS/* and val/CLASS/*")
    parser.add_argument("--weights", required=True, type=Path)
    parser.add_argument("--seconds", type=float, default=300)
    arguments = parser.parse_args()
    recipe = {"fastai": fastai, "ultralytics": ultralytics}[arguments.tool]
    result = recipe(arguments.photos.absolute(), arguments.weights.absolute(), arguments.seconds)
    machine = {"processor": platform.processor(), "cores": len(os.sched_getaffinity(0)), "torch": torch.__version__}
    print(
        json.dumps(
            {"benchmark": "fit_peers", "tool": arguments.tool, "photos": arguments.photos.name, **result, **machine}
        )
    )


if __name__ == "__main__":
    main()
