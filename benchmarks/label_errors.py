"""How many of the labels that were changed on purpose ``shufflenet fit`` suspects.

    python benchmarks/label_errors.py --photos signs --ckpt_path x1_0.npz --model shufflenet_v2_x1_0.tv_in1k

``--photos`` holds train/CLASS/* and val/CLASS/*. A share of the photos is put into the folder of another class, drawn
evenly. The last line is JSON: the percentage of the changed labels that are among the tenth of the photos with the
lowest margins, the number of labels that are told as suspected, and how many of these were changed.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]


def copied(photos: Path, folder: Path, share: float) -> set[str]:
    """Link the photos in a folder, some of them in that of another class; return the paths of those."""
    rng = np.random.default_rng(0)
    paths = sorted(path for path in photos.glob("*/*/*") if path.is_file())
    names = sorted({path.parent.name for path in paths})
    changed = {*rng.choice(len(paths), round(share * len(paths)), replace=False).tolist()}
    found = set()
    for number, path in enumerate(paths):
        name = path.parent.name
        if number in changed:
            name = str(rng.choice([other for other in names if other != name]))
        link = folder / path.parent.parent.name / name / f"{number}{path.suffix}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path.absolute())
        if number in changed:
            found.add(str(link))
    return found


def main() -> None:
    """Change labels, fit, and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True, type=Path)
    parser.add_argument("--ckpt_path", required=True, type=Path)
    parser.add_argument("--model", default="shufflenet_v2_x1_0")
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--time", default="2m")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photos, out = Path(folder, "photos"), Path(folder, "fit")
        changed = copied(arguments.photos, photos, arguments.share)
        words = {"--ckpt_path": arguments.ckpt_path.absolute(), "--model": arguments.model, "--time": arguments.time}
        options = [str(word) for pair in words.items() for word in pair]
        command = [sys.executable, "-m", "mindcv_shufflenet", "fit", str(photos), "--out", str(out), *options]
        subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)
        with open(out / "photos.csv", newline="") as table:
            rows = [*csv.DictReader(table)]
        if not all(row["margin"] for row in rows):
            sys.exit("error: there was no time to look for wrong labels; give a longer --time")
        rows.sort(key=lambda row: float(row["margin"]))
        with open(out / "issues.csv", newline="") as table:
            told = [row["subject"] for row in csv.DictReader(table) if row["kind"] == "suspected label"]
    changed &= {row["photo"] for row in rows}  # others were left out for want of time
    first = {row["photo"] for row in rows[: len(rows) // 10]}
    result = {
        "benchmark": "label_errors",
        "photos": arguments.photos.name,
        "images": len(rows),
        "changed": len(changed),
        "percent_in_first_tenth": round(100 * len(changed & first) / len(changed), 1),
        "told": len(told),
        "told_and_changed": len(changed & {*told}),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
