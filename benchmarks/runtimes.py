"""An exported file on another runtime: the error against ONNX Runtime, and images/s at batch 1.

    python -m venv rt && rt/bin/pip install onnxruntime numpy
    rt/bin/python benchmarks/runtimes.py onnxruntime FILE.onnx   # first: writes FILE.npz, the reference
    python -m venv rt-ncnn && rt-ncnn/bin/pip install ncnn pnnx numpy
    rt-ncnn/bin/python benchmarks/runtimes.py ncnn FILE.onnx

Every runtime is in an environment of its own, which needs no other part of this project; ``PACKAGES`` has the names.
The file is one that ``shufflenet export --fixed_batch 1`` wrote. The reference holds two images of noise and their
logits. A runtime that reads no ONNX converts the file by its own command into a temporary folder; the command is
printed. The last line is JSON.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

# What pip installs for each runtime; the first one's version is reported. onnx2tf converts without TensorFlow from
# version 2 on, which needs Python 3.12.
PACKAGES = {
    "onnxruntime": ("onnxruntime",),
    "openvino": ("openvino",),
    "ncnn": ("ncnn", "pnnx"),
    "mnn": ("mnn",),
    "litert": ("ai-edge-litert", "onnx2tf"),
    "tract": ("tract",),
    "tvm": ("apache-tvm", "onnx"),
}

# [1, 3, H, W] float32 -> logits
Run = Callable[[np.ndarray], np.ndarray]


class Model(NamedTuple):
    """An ONNX file and what it takes: the names of its input and output, and the shape of one image with its batch."""

    file: Path
    input_name: str
    output_name: str
    shape: tuple[int, ...]
    threads: int


def onnxruntime_session(file: Path, threads: int) -> Any:
    """Open a file on ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def onnxruntime(model: Model) -> Run:
    """ONNX Runtime."""
    session = onnxruntime_session(model.file, model.threads)
    return lambda image: session.run(None, {model.input_name: image})[0]


def openvino(model: Model) -> Run:
    """OpenVINO in float32; by itself it computes in bfloat16 on a processor that has AMX."""
    import openvino

    options = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": model.threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = openvino.Core().compile_model(model.file, "CPU", options)
    return lambda image: compiled(image)[0]


def ncnn(model: Model) -> Run:
    """The runtime ncnn in float32; by itself it stores weights and values in float16."""
    import ncnn

    convert("pnnx", model.file.name, f"inputshape=[{','.join(map(str, model.shape))}]", "fp16=0", folder=model.file)
    network = ncnn.Net()
    network.opt.num_threads = model.threads
    network.opt.use_fp16_packed = network.opt.use_fp16_storage = network.opt.use_fp16_arithmetic = False
    network.load_param(str(model.file.with_suffix(".ncnn.param")))
    network.load_model(str(model.file.with_suffix(".ncnn.bin")))

    def run(image: np.ndarray) -> np.ndarray:
        extractor = network.create_extractor()
        extractor.input("in0", ncnn.Mat(image[0]).clone())
        return np.array(extractor.extract("out0")[1])[None]

    return run


def mnn(model: Model) -> Run:
    """The runtime MNN."""
    import MNN

    target = model.file.with_suffix(".mnn")
    convert(
        "mnnconvert", "-f", "ONNX", "--modelFile", model.file.name, "--MNNModel", target.name, "--bizCode", "MNN",
        folder=model.file,
    )  # fmt: skip
    manager = MNN.nn.create_runtime_manager(({"backend": "CPU", "precision": "high", "numThread": model.threads},))
    network = MNN.nn.load_module_from_file(
        str(target), [model.input_name], [model.output_name], runtime_manager=manager
    )

    def run(image: np.ndarray) -> np.ndarray:
        found = network.forward(MNN.expr.const(image, list(image.shape), MNN.expr.NCHW, MNN.expr.float))
        return np.array(MNN.expr.convert(found, MNN.expr.NCHW).read())

    return run


def litert(model: Model) -> Run:
    """LiteRT, whose images are ``[N, H, W, C]``."""
    from ai_edge_litert.interpreter import Interpreter

    convert("onnx2tf", "-i", model.file.name, "-o", "litert", folder=model.file)
    target = model.file.parent / "litert" / f"{model.file.stem}_float32.tflite"
    interpreter = Interpreter(str(target), num_threads=model.threads)
    interpreter.allocate_tensors()
    source, output = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run(image: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(source, np.ascontiguousarray(image.transpose(0, 2, 3, 1)))
        interpreter.invoke()
        return interpreter.get_tensor(output)

    return run


def tract(model: Model) -> Run:
    """The runtime tract, which has one thread."""
    import tract

    network = tract.onnx().load(model.file)
    network.set_input_fact(0, f"{','.join(map(str, model.shape))},f32")
    runnable = network.into_model().into_runnable()
    return lambda image: runnable.run([image])[0].to_numpy()


def tvm(model: Model) -> Run:
    """TVM without tuning, which it needs for speed."""
    import onnx
    import tvm
    from tvm import relax
    from tvm.relax.frontend.onnx import from_onnx

    program = tvm.compile(from_onnx(onnx.load(model.file), keep_params_in_input=False), target="llvm")
    machine = relax.VirtualMachine(program, tvm.cpu())
    return lambda image: machine["main"](tvm.runtime.tensor(image)).numpy()


RUNTIMES: dict[str, Callable[[Model], Run]] = {
    "onnxruntime": onnxruntime,
    "openvino": openvino,
    "ncnn": ncnn,
    "mnn": mnn,
    "litert": litert,
    "tract": tract,
    "tvm": tvm,
}


def convert(*command: str, folder: Path) -> None:
    """Run a converter of this environment beside a file."""
    print(*command)
    tools = Path(sys.executable).parent
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [tools / command[0], *command[1:]], check=False, cwd=folder.parent, env=os.environ | {"PATH": path}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{command[0]} fails:\n{done.stdout[-2000:]}")


def write_reference(file: Path) -> None:
    """Write the reference of a file: its input and output, each under its name."""
    session = onnxruntime_session(file, 1)
    source, output = session.get_inputs()[0], session.get_outputs()[0]
    if source.shape[0] != 1 or source.type != "tensor(float)":
        sys.exit(f"{file} takes {source.type} {source.shape}: export it with --fixed_batch 1, without --normalize")
    images = np.random.default_rng(0).standard_normal((2, *source.shape[1:]), np.float32)
    logits = np.concatenate([session.run([output.name], {source.name: image[None]})[0] for image in images])
    np.savez(file.with_suffix(".npz"), **{source.name: images, output.name: logits})


def seconds(run: Run, image: np.ndarray, runs: int) -> list[float]:
    """Time single runs, behind ten that are not counted."""
    found = []
    for _ in range(10 + runs):
        start = time.perf_counter()
        run(image)
        found.append(time.perf_counter() - start)
    return found[10:]


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 2)


def main() -> None:
    """Convert, compare, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runtime", choices=RUNTIMES)
    parser.add_argument("file", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=200)
    arguments = parser.parse_args()
    if arguments.runtime == "onnxruntime":
        write_reference(arguments.file)
    reference = arguments.file.with_suffix(".npz")
    if not reference.exists():
        sys.exit(f"{reference} is not there: run {sys.argv[0]} onnxruntime {arguments.file} first")
    (input_name, images), (output_name, logits) = np.load(reference).items()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "model.onnx")  # converters write beside it
        copy.write_bytes(arguments.file.read_bytes())
        model = Model(copy, input_name, output_name, images[:1].shape, arguments.threads)
        run = RUNTIMES[arguments.runtime](model)
        found = np.concatenate([run(image[None]) for image in images])
        times = seconds(run, images[:1], arguments.runs)
    line = {
        "runtime": arguments.runtime,
        "versions": {name: version(name) for name in PACKAGES[arguments.runtime]},
        "file": arguments.file.name,
        "threads": arguments.threads,
        "max_relative_error": float(np.abs(found - logits).max() / np.abs(logits).max()),
        "images_per_second": round(1 / statistics.median(times), 1),
        "latency_ms": {
            "least": _ms(min(times)),
            "p50": _ms(statistics.median(times)),
            "p95": _ms(statistics.quantiles(times, n=20)[-1]),
        },
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
