"""Where the time of a training step goes, with the kernels and without: shares of the processor's time.

    python benchmarks/step_profile.py --model shufflenet_v2_x0_5 --stem cifar

Linux's sampling profiler (``perf``, on Debian the package linux-perf) looks 1000 times a second at each thread that
runs; what a sample is counted for is decided by the name of its function and of its library. Each contender of
train_steps.py is a process of its own. The last line is JSON: percent by contender and subject.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from train_steps import CONTENDERS
from train_workers import Contender, add_case_options, find_case

sys.path.insert(0, str(Path(__file__).parents[1]))
from mindcv_shufflenet.runtime.processor import processor

# What functions belong to, by a regular expression for "LIBRARY FUNCTION": the first that fits.
SUBJECTS = {
    "kernels: threads that look for work": r"^kernels-.*Pool|^kernels-.*kernels::run",
    "kernels: first convolution": r"^kernels-.*(kernels::convolution\(|convolution_weight|Taps|<float const)",
    "kernels: depthwise convolution": r"^kernels-.*(Depthwise|convol|spread|collect|widen|narrow)",
    "kernels: 1x1 convolutions": r"^kernels-.*(multiply|weight_gradient|add_dots|Blocks|Columns|Parts|bfloat16)",
    "kernels: pooling": r"^kernels-.*(largest|pool)",
    "kernels: BatchNorm and activation": r"^kernels-.*(measure|norm|Norm|apply|Moments|Sums)",
    "kernels: the rest": r"^kernels-",
    "oneDNN": r"^libdnnl|^\[JIT\]",
    "copies": r"memmove|memcpy|memset",
    "system: pages of memory": r"^\[kernel.*(page|charge|lru|memcg|zap_)",
    "system: threads that spin, yield and wake": r"^\[kernel|sched_yield",
    "MindSpore: other operators": r"^libnnacl|^libmindspore_ops",
    "MindSpore: the rest": r"mindspore|_c_expression",
    "Python": r"python",
}
REST = "the rest"


def samples(contender: Contender, steps: int) -> list[tuple[float, str]]:
    """Return the percentage of the time of each function of some steps, with ``LIBRARY FUNCTION``."""
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "perf.data")
        recorder = subprocess.Popen(
            ["perf", "record", "-q", "-e", "cpu-clock", "-F", "1000", "-p", str(contender.pid), "-o", data],
            stderr=subprocess.DEVNULL,
        )
        time.sleep(1)  # it attaches to every thread; the worker is stopped, so there is nothing to see yet
        contender.run(steps)
        recorder.send_signal(signal.SIGINT)
        recorder.wait()
        command = ["perf", "report", "-i", data, "--stdio", "-q", "-t", "\t", "-F", "overhead,dso,sym"]
        report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = (line.split("\t") for line in report.splitlines() if line.count("\t") >= 2)
    return [(float(share.strip().rstrip("%")), f"{library.strip()} {name.strip()}") for share, library, name in lines]


def subject_of(function: str) -> str:
    """Return what a function belongs to."""
    return next((subject for subject, pattern in SUBJECTS.items() if re.search(pattern, function)), REST)


def by_subject(found: list[tuple[float, str]]) -> dict[str, float]:
    """Return percent by subject."""
    shares = dict.fromkeys([*SUBJECTS, REST], 0.0)
    for share, function in found:
        shares[subject_of(function)] += share
    return {subject: round(share, 1) for subject, share in shares.items()}


def main() -> None:
    """Profile the contenders and print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_case_options(parser)
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=["ours", "ours_stock"])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--functions", type=int, default=0, help="list so many functions too, with their subject")
    options = parser.parse_args()
    if shutil.which("perf") is None:
        parser.error("perf is not installed; on Debian and Ubuntu install linux-perf or linux-tools")
    case, _ = find_case(parser, options)
    shares: dict[str, dict[str, float]] = {}
    for name in options.contenders:
        with tempfile.TemporaryDirectory() as caches:
            contender = Contender(name, sys.executable, case, Path(caches))
            try:
                if not contender.first:
                    sys.exit(f"{name} does not start: {contender.last_words()}")
                found = samples(contender, options.steps)
            finally:
                contender.kill()
        shares[name] = by_subject(found)
        for share, function in found[: options.functions]:
            print(f"{share:6.2f} % {subject_of(function)}: {function}")
    print(f"{'percent of the time':46}" + "".join(f"{name:>20}" for name in shares))
    for subject in [*SUBJECTS, REST]:
        print(f"{subject:46}" + "".join(f"{share[subject]:20.1f}" for share in shares.values()))
    result = {"benchmark": "step_profile", "processor": processor().name, "cores": len(os.sched_getaffinity(0))}
    print(json.dumps(result | {"percent": shares}))


if __name__ == "__main__":
    main()
