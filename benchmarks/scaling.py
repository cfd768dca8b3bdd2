"""What a second rank brings on the CPU, what a step spends in communication, and how fast images are read.

    .venv/bin/python benchmarks/scaling.py --data_dir imagenet-sample-100

One rank on one core and two ranks on two cores (mpirun, each rank on a core of its own) train x1.0 at 224x224 with the
same batch a rank. They take turns, and the one whose turn it is not is stopped (SIGSTOP). The loaders run on one core
with one worker thread, in turn as well, and do the same work: decode, crop a random area, resize, flip, normalise. The
last line is JSON.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def train_worker(batch_size: int, resolution: int) -> None:
    """Be one rank: for each number of steps that rank 0 reads, print the seconds of a step and of its exchange."""
    import mindspore as ms

    from mindcv_shufflenet.network import create_model
    from mindcv_shufflenet.options.config import parse_config
    from mindcv_shufflenet.parallel.collectives import AllRanks
    from mindcv_shufflenet.parallel.group import join
    from mindcv_shufflenet.parallel.startup import set_up
    from mindcv_shufflenet.parallel.world import find_world
    from mindcv_shufflenet.training.step import create_step

    group = join(find_world())
    config = parse_config({"device_target": "CPU", "opt": "momentum"})
    set_up(config)
    size = group.world.size
    rates = np.full(10_000, 0.01)
    network = create_model("shufflenet_v2_x1_0")
    step = create_step(config, network, rates, size)
    rng = np.random.default_rng(group.world.rank)
    images = ms.Tensor(rng.standard_normal((batch_size, 3, resolution, resolution), np.float32))
    labels = ms.Tensor(rng.integers(1000, size=batch_size).astype(np.int32))
    vote = ms.Tensor(0.0, ms.float32)
    mean = step.reduce.mean if isinstance(step.reduce, AllRanks) else None
    tensors = (*(ms.ops.zeros(shape, ms.float32) for shape in mean.shapes),) if mean else ()

    def whole() -> None:
        step(images, labels, None, None, vote)[0].asnumpy()

    def exchange() -> None:
        if mean:
            mean(tensors)[-1].asnumpy()

    for _ in range(3):
        whole()
        exchange()
    if group.is_first:
        print("ready", flush=True)
    while True:
        steps = group.gather(sys.stdin.readline().strip() if group.is_first else None)[0]
        if not steps.isdigit():
            break
        seconds = [_seconds(work, int(steps)) for work in (whole, exchange)]
        if group.is_first:
            print(json.dumps(seconds), flush=True)
    group.leave()


def _seconds(work: Callable[[], None], steps: int) -> float:
    start = time.perf_counter()
    for _ in range(steps):
        work()
    return (time.perf_counter() - start) / steps


class Job:
    """A launch of ranks that is stopped whenever it is not its turn."""

    def __init__(self, launcher: list[str], options: argparse.Namespace) -> None:
        sizes = ["--batch_size", str(options.batch_size), "--resolution", str(options.resolution)]
        as_root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        environment = os.environ | as_root | {"GLOG_v": "4", "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [*launcher, sys.executable, __file__, "--worker", *sizes],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True,
        )  # fmt: skip
        assert self.process.stdout
        if not any(line.strip() == "ready" for line in self.process.stdout):
            sys.exit(f"{' '.join(launcher)} did not start")
        self.signal(signal.SIGSTOP)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the ranks; mpirun keeps to itself what it gets."""
        import psutil

        for process in psutil.Process(self.process.pid).children(recursive=True) or [psutil.Process(self.process.pid)]:
            if "--worker" in process.cmdline():
                process.send_signal(number)

    def run(self, steps: int) -> list[float]:
        """Return the seconds of a step, and those of its exchange alone."""
        assert self.process.stdin
        assert self.process.stdout
        self.signal(signal.SIGCONT)
        print(steps, file=self.process.stdin, flush=True)
        seconds = json.loads(self.process.stdout.readline())
        self.signal(signal.SIGSTOP)
        return seconds

    def end(self) -> None:
        """Let the ranks end."""
        self.signal(signal.SIGCONT)
        assert self.process.stdin
        print("end", file=self.process.stdin, flush=True)  # mpirun does not pass on that its input is closed
        self.process.wait(60)


def scaling(options: argparse.Namespace) -> dict[str, float]:
    """Measure one rank on one core and two ranks on two in turn."""
    mpirun = str(Path(sys.prefix) / "bin" / "mpirun")
    one = Job(["taskset", "-c", "0"], options)
    two = Job([mpirun if Path(mpirun).exists() else "mpirun", "-n", "2", "--bind-to", "core"], options)
    rounds = [(one.run(options.steps), two.run(options.steps)) for _ in range(options.rounds)]
    one.end()
    two.end()
    median = statistics.median
    return {
        "one_rank_images_per_second": median(options.batch_size / single[0] for single, _ in rounds),
        "two_ranks_images_per_second": median(2 * options.batch_size / pair[0] for _, pair in rounds),
        "speedup": median(2 * single[0] / pair[0] for single, pair in rounds),
        "exchange_milliseconds": median(1000 * pair[1] for _, pair in rounds),
        "exchange_share_of_step": median(pair[1] / pair[0] for _, pair in rounds),
    }


def pillow_images(files: list[Path]) -> Iterator[np.ndarray]:
    """Do what the loader does with Pillow and numpy."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for file in files:
        with Image.open(file) as opened:
            image = opened.convert("RGB")
        area, ratio = (
            rng.uniform(0.08, 1) * image.width * image.height,
            np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3))),
        )
        width = min(round(np.sqrt(area * ratio)), image.width)
        height = min(round(np.sqrt(area / ratio)), image.height)
        left, top = rng.integers(image.width - width + 1), rng.integers(image.height - height + 1)
        box = (left, top, left + width, top + height)
        image = image.resize((224, 224), Image.Resampling.BILINEAR, box)
        if rng.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        yield ((np.asarray(image, np.float32) - MEAN) / STD).transpose(2, 0, 1).astype(np.float32)


def load_worker(kind: str, data_dir: str) -> None:
    """For each line of standard input read all images once and print images/s."""
    os.sched_setaffinity(0, {0})
    from mindcv_shufflenet.data.datasets import Request, open_split
    from mindcv_shufflenet.data.loader import train_loader
    from mindcv_shufflenet.data.sources import Files
    from mindcv_shufflenet.options.config import parse_config

    dataset = "mindrecord" if kind.startswith("mindrecord") else "imagenet"
    config = parse_config({"dataset": dataset, "batch_size": 32, "color_jitter": None, "drop_remainder": False})
    split = open_split(dataset, Request(Path(data_dir), "val"))
    if kind == "pillow":
        assert isinstance(split.images, Files)
        files = split.images.paths

        def read(epoch: int) -> int:  # noqa: ARG001 - Pillow reads every epoch in the same order
            return sum(1 for _ in pillow_images(files))

    else:
        loader = train_loader(config, split, 1)

        def read(epoch: int) -> int:
            return sum(len(batch.label) for batch in loader.batches(epoch))

    read(0)
    print("ready", flush=True)
    for epoch, _ in enumerate(sys.stdin):
        start = time.perf_counter()
        count = read(epoch)
        print(count / (time.perf_counter() - start), flush=True)


def loading(data_dir: str, rounds: int) -> dict[str, float]:
    """Measure the ways to read images in turn: files, packed as they are, packed with a short side of 256, Pillow."""
    environment = os.environ | {"GLOG_v": "4", "PYTHONPATH": str(ROOT)}
    speeds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        packings: dict[str, list[str]] = {"mindrecord": [], "mindrecord_short_side_256": ["--short_side", "256"]}
        for kind, options in packings.items():
            command = [sys.executable, "-m", "mindcv_shufflenet", "data", "prepare", f"{folder}/{kind}", *options]
            source = ["--dataset", "imagenet", "--data_dir", data_dir, "--train_split", "val"]
            subprocess.run([*command, *source], check=True, env=environment, stdout=subprocess.DEVNULL)
        sources = {"jpeg_files": data_dir} | {kind: f"{folder}/{kind}" for kind in packings} | {"pillow": data_dir}
        workers = {
            kind: subprocess.Popen(
                [sys.executable, __file__, "--loader", kind, "--data_dir", source],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
            )
            for kind, source in sources.items()
        }  # fmt: skip
        for worker in workers.values():
            assert worker.stdout
            worker.stdout.readline()
        for _ in range(rounds):
            for kind, worker in workers.items():
                assert worker.stdin
                assert worker.stdout
                print("go", file=worker.stdin, flush=True)
                speeds.setdefault(kind, []).append(float(worker.stdout.readline()))
        for worker in workers.values():
            worker.communicate()
    return {f"{kind}_images_per_second_a_core": statistics.median(values) for kind, values in speeds.items()}


def main() -> None:
    """Measure, print a table and the JSON line."""
    from mindcv_shufflenet.runtime.processor import processor

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data_dir", help="an ImageNet folder with val/; without it the loaders are left out")
    parser.add_argument("--batch_size", type=int, default=32, help="of one rank")
    parser.add_argument("--resolution", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=3, help="steps a round")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--loader", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        train_worker(options.batch_size, options.resolution)
    elif options.loader:
        load_worker(options.loader, options.data_dir)
    else:
        if shutil.which("taskset") is None:
            sys.exit("taskset (util-linux) is needed, which keeps a process on a core")
        result = scaling(options)
        if options.data_dir:
            result |= loading(options.data_dir, options.rounds)
        for name, value in result.items():
            print(f"{name.replace('_', ' '):40} {value:8.2f}")
        figures = {name: round(value, 3) for name, value in result.items()}
        print(json.dumps({"benchmark": "scaling", "processor": processor().name} | figures))


if __name__ == "__main__":
    main()
