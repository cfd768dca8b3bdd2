"""Inference speed on the CPU beside PyTorch, its exports, and mindcv: images/s, and how exact each one is.

    python benchmarks/inference_peers.py --only '*onnxruntime*'
    PYTHONPATH=PATH_OF_MINDCV:PATH_OF_PYTORCHCV python benchmarks/inference_peers.py --models shufflenet_v1_g3_x1_0

PyTorch computes the networks of torch_networks.py: torchvision's ShuffleNetV2, else those of the package pytorchcv.
``export`` is this network exported by PyTorch, with any batch size; ``ours`` is our network with the same weights,
where their names can be translated. Both run with the default settings of the runtime, on purpose: the files are
compared, not what our engines set. int8 of ``export`` is made by the runtime's own tool (static QDQ of unsigned
activations by channel, NNCF's defaults), that of ``ours`` as ``shufflenet export --int8`` does it.

Every contender is a process of its own. They take turns, one round of some seconds each, while the others wait
(mindcv_shufflenet/deploy/speed/worker.py). Reported are the medians over the rounds, the medians of the ratios to
``export`` within each round, and the largest difference of the logits from PyTorch's, relative to the largest logit.
The images are noise, and int8 is calibrated on them: its error means little here. What is not installed is left out.
The last line is JSON.
"""

import argparse
import fnmatch
import functools
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")  # MindSpore and onnx share it
os.environ.setdefault("GLOG_v", "4")
from mindcv_networks import mindcv_network
from peer_files import SAME_WEIGHTS, Files, our_network

from mindcv_shufflenet.deploy.speed.worker import Worker, serve
from mindcv_shufflenet.errors import RunError
from mindcv_shufflenet.runtime.processor import processor

Forward = Callable[[np.ndarray], np.ndarray]


# How a runtime computes. The arguments: the folder of the files, the model, then those of the contender.


def run_torch(folder: Path, model: str, form: str) -> Forward:
    """PyTorch itself: ``eager``, ``channels_last`` or ``compiled``."""
    import torch
    from torch_networks import torch_network

    network = torch_network(model, dict(np.load(folder / "state.npz")))
    memory_format = torch.channels_last if form == "channels_last" else torch.contiguous_format
    network = network.to(memory_format=memory_format)
    compute = torch.compile(network) if form == "compiled" else network

    def forward(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return compute(torch.from_numpy(images).to(memory_format=memory_format)).numpy()

    return forward


def run_mindspore(folder: Path, model: str, project: str) -> Forward:
    """A network in MindSpore's graph mode: mindcv's or ours."""
    import mindspore as ms

    ms.set_context(mode=ms.GRAPH_MODE)
    ms.set_device("CPU")
    network = our_network(folder, model) if project == "ours" else mindcv_network(model).set_train(False)
    return lambda images: network(ms.Tensor(images)).asnumpy()


def run_onnxruntime(folder: Path, _: str, file: str) -> Forward:
    """A model on ONNX Runtime."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    session = onnxruntime.InferenceSession(str(folder / file), providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"image": images})[0]


def run_openvino(folder: Path, _: str, file: str, precision: str) -> Forward:
    """A model on OpenVINO, compiled for the shape of the first batch."""
    import openvino

    core = openvino.Core()
    settings = {"PERFORMANCE_HINT": "LATENCY"} | ({"INFERENCE_PRECISION_HINT": precision} if precision else {})

    @functools.cache
    def compiled(shape: tuple[int, ...]) -> Any:
        network = core.read_model(str(folder / file))
        network.reshape(list(shape))
        return core.compile_model(network, "CPU", settings).create_infer_request()

    return lambda images: next(iter(compiled(images.shape).infer([images], share_inputs=True).values()))


RUN: dict[str, Callable[..., Forward]] = {
    "torch": run_torch, "mindspore": run_mindspore, "onnxruntime": run_onnxruntime, "openvino": run_openvino,
}  # fmt: skip


class Contender(NamedTuple):
    """One contender.

    Attributes:
        name: for people.
        runtime: a key of ``RUN``.
        subject: what the runtime's function takes, or the model of which it takes a file.
        kind: of the file, a method of ``Files``; empty: it takes none.
        settings: further arguments of the runtime's function.
    """

    name: str
    runtime: str
    subject: str
    kind: str = ""
    settings: tuple[str, ...] = ()


def contenders() -> Iterator[Contender]:
    """Yield all that this machine can run."""
    for form in ("eager", "channels_last", "compiled"):
        yield Contender(f"torch {form}", "torch", form)
    yield Contender("mindcv", "mindspore", "mindcv")
    yield Contender("ours mindspore", "mindspore", "ours")
    target = f"ours-{processor().target}"
    for project, model, int8 in (("export", "export", "onnxruntime_int8"), ("ours", target, "ours_int8")):
        yield Contender(f"{project} onnxruntime fp32", "onnxruntime", model, "onnx")
        yield Contender(f"{project} onnxruntime int8", "onnxruntime", model, int8)
    for project, model, int8 in (("export", "export", "openvino_int8"), ("ours", "ours-openvino", "ours_int8")):
        yield Contender(f"{project} openvino fp32", "openvino", model, "onnx", ("f32",))
        if any("BF16" in one for one in processor().instructions):
            yield Contender(f"{project} openvino bf16", "openvino", model, "onnx", ("bf16",))
        yield Contender(f"{project} openvino int8", "openvino", model, int8, ("",))


def create(task: dict[str, Any]) -> tuple[Callable[[], object], dict[str, Any]]:
    """Return what computes a batch of a contender, and how far its logits are from PyTorch's."""
    folder = Path(task["folder"])
    forward = RUN[task["runtime"]](folder, task["model"], *task["arguments"])
    reference = np.load(folder / "images.npz")
    images, logits = reference["images"][: task["batch"]], reference["logits"][: task["batch"]]
    error = float(np.abs(forward(images) - logits).max() / np.abs(logits).max())
    return lambda: forward(images), {"error": error}


def measure(files: Files, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Time the contenders of a model and return a row for each contender and batch size."""
    rows: list[dict[str, Any]] = []
    chosen = [one for one in contenders() if fnmatch.fnmatch(one.name, options.only)]
    command = [sys.executable, __file__, "--worker"]
    with ExitStack() as stack:
        workers = []
        for one in chosen:
            is_theirs = one.name.startswith(("torch", "export"))
            has_same_weights = is_theirs or (one.name.startswith("ours") and files.model in SAME_WEIGHTS)
            try:
                arguments = [getattr(files, one.kind)(one.subject).name if one.kind else one.subject, *one.settings]
                for batch in options.batch_size:
                    task = {"folder": str(files.folder), "model": files.model, "batch": batch}
                    task |= {"runtime": one.runtime, "arguments": arguments}
                    workers.append(stack.enter_context(Worker(one.name, command, task)))
                    error = workers[-1].facts["error"] if has_same_weights else None
                    rows.append({"model": files.model, "name": one.name, "batch": batch, "error": error, "speeds": []})
            except (ImportError, RunError) as failure:
                print(f"{files.model}: {one.name} is left out: {failure}", file=sys.stderr)
        for _ in range(options.rounds):
            for worker, row in zip(workers, rows, strict=True):
                times = worker.run(options.seconds).times
                row["speeds"].append(row["batch"] * len(times) / sum(times))
    return rows


def compare(rows: list[dict[str, Any]]) -> None:
    """Add to each row of ours how many times as fast it is as PyTorch's export on the same runtime."""
    speeds = {(row["name"], row["batch"]): row["speeds"] for row in rows}
    for row in rows:
        others = speeds.get((row["name"].replace("ours", "export"), row["batch"]), row["speeds"])
        ratio = statistics.median(own / other for own, other in zip(row["speeds"], others, strict=True))
        row["ratio"] = None if others is row["speeds"] else round(ratio, 3)
        row["images_per_second"] = round(statistics.median(row["speeds"]), 1)


def show(rows: list[dict[str, Any]], batch_sizes: list[int]) -> None:
    """Print a table of a model."""
    heads = "".join(f"{f'batch {batch}':>12}{'ratio':>7}" for batch in batch_sizes)
    print(f"{rows[0]['model']:26}{heads}{'error':>10}")
    for name in dict.fromkeys(row["name"] for row in rows):
        own = {row["batch"]: row for row in rows if row["name"] == name}
        cells = ""
        for batch in batch_sizes:
            speed, ratio = (own[batch]["images_per_second"], own[batch]["ratio"]) if batch in own else ("-", None)
            cells += f"{speed:>12}{ratio or '-':>7}"
        errors = [row["error"] for row in own.values() if row["error"] is not None]
        print(f"{name:26}{cells}{f'{max(errors):.1e}' if errors else '-':>10}")


def main() -> None:
    """Run the contenders in turn and print the tables and the JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["shufflenet_v2_x1_0"], help="V2 by width, V1, MobileNets")
    parser.add_argument("--batch_size", type=int, nargs="+", choices=range(1, 9), default=[8, 1], metavar="1-8")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="that each contender takes a round")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="contenders, such as '*onnxruntime*'")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        serve(create)
        return
    results: list[dict[str, Any]] = []
    for model in options.models:
        with tempfile.TemporaryDirectory() as folder:
            try:
                files = Files(Path(folder), model)
            except (ImportError, ValueError) as failure:  # the package, or the model in it, is not there
                print(f"{model} is left out: {failure}", file=sys.stderr)
                continue
            rows = measure(files, options)
        compare(rows)
        show(rows, options.batch_size)
        results += rows
    result = {
        "benchmark": "inference_peers",
        "rounds": options.rounds,
        "seconds": options.seconds,
        "processor": processor().name,
        "instructions": processor().instructions,
        "cores": len(os.sched_getaffinity(0)),
        "results": [{name: value for name, value in row.items() if name != "speeds"} for row in results],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
