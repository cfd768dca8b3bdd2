"""What ``shufflenet fit`` reaches on folders of photos: for each time, from given weights and from nothing.

    python benchmarks/fit.py --photos signs tiny cifar --ckpt_path x1_0.npz --out fits

Each folder holds train/CLASS/* and val/CLASS/*. A fit is a process of its own; one whose result is in --out already is
not done again. With --scratch_epochs, a network is trained for so many epochs from nothing first, on the photos of each
folder: what the classifier alone is compared with. At the end the int8 files are timed in turn, one image at once. The
last line is JSON.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from mindcv_shufflenet.report.run import read_log
from mindcv_shufflenet.runtime.processor import processor

PROGRAM = (sys.executable, "-m", "mindcv_shufflenet")
ROOT = Path(__file__).parents[1]
SHOWN = ("top1", "top1_low", "top1_high", "first_top1", "first_seconds", "seconds")


def run(*words: object) -> None:
    """Run a verb of the program; its output goes on."""
    subprocess.run([*PROGRAM, *map(str, words)], cwd=ROOT, check=True, stdout=sys.stderr)


def fitted(photos: Path, seconds: int, weights: list[str], out: Path) -> dict[str, Any]:
    """Return the result of a fit, of an earlier one if it is there."""
    result = out.with_name(f"{out.name}.json")
    if not result.exists():
        run("fit", photos, "--time", f"{seconds}s", "--out", out, "--overwrite", *weights, "--json", result)
    return json.loads(result.read_text())


def from_scratch(photos: Path, model: str, epochs: int, out: Path) -> dict[str, float]:
    """Return the best top-1 of some epochs of ordinary training, and their seconds."""
    result = out.with_name(f"{out.name}.json")
    if not result.exists():
        begin = time.perf_counter()
        options = {
            "dataset": "folder", "data_dir": photos.absolute(), "model": model, "batch_size": 32,
            "epoch_size": epochs, "scheduler": "one_cycle", "lr": 0.05, "label_smoothing": 0.1,
            "ckpt_save_dir": out.absolute(), "keep_checkpoint_max": 0, "overwrite": True,
        }  # fmt: skip
        run("train", *(word for name, value in options.items() for word in (f"--{name}", value)))
        best = max(epoch.score for epoch in read_log(out / "log.csv") if epoch.score is not None)
        result.write_text(json.dumps({"top1": best, "seconds": time.perf_counter() - begin}))
    return json.loads(result.read_text())


def int8_speeds(files: dict[str, str]) -> dict[str, float]:
    """Return the images/s of int8 files, one image at once, measured in turn."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "speeds.json")
        models = [Path(folder, f"{name}.onnx") for name in files]
        for model, file in zip(models, files.values(), strict=True):
            model.symlink_to(Path(file).resolve())
        run("benchmark", "--models", *models, "--batch_size", 1, "--json", result)
        found = json.loads(result.read_text())["results"]
    return {Path(row["model"]).stem: round(row["images_per_second"], 1) for row in found}


def main() -> None:
    """Fit, train and time what the options name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True, nargs="+", type=Path)
    parser.add_argument("--seconds", nargs="+", type=int, default=[300, 900])
    parser.add_argument("--ckpt_path", required=True, type=Path)
    parser.add_argument("--model", default="shufflenet_v2_x1_0")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--scratch_epochs", type=int, default=0)
    arguments = parser.parse_args()
    network = arguments.model.partition(".")[0]
    weights = {
        "weights": ["--model", arguments.model, "--ckpt_path", str(arguments.ckpt_path.absolute())],
        "nothing": ["--model", network, "--pretrained", "False"],
    }
    scratch = {
        photos.name: from_scratch(photos, network, arguments.scratch_epochs, arguments.out / f"{photos.name}-scratch")
        for photos in arguments.photos
        if arguments.scratch_epochs
    }
    fits = {}
    for seconds, photos, (start, words) in itertools.product(arguments.seconds, arguments.photos, weights.items()):
        name = f"{photos.name}-{start}-{seconds}s"
        fits[name] = fitted(photos.absolute(), seconds, words, arguments.out.absolute() / name)
        print(name, {key: fits[name][key] for key in SHOWN}, flush=True)
    speeds = int8_speeds({name: result["int8"] for name, result in fits.items() if result["int8"]})
    print(
        json.dumps(
            {
                "benchmark": "fit",
                "processor": processor().name,
                "cores": len(os.sched_getaffinity(0)),
                "fits": {name: result | {"int8_images_per_second": speeds.get(name)} for name, result in fits.items()},
                "scratch": scratch,
            }
        )
    )


if __name__ == "__main__":
    main()
