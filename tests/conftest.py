"""What all tests share."""

import gc
import os
import signal
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("GLOG_v", "4")
os.environ.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")  # whichever of onnx and MindSpore comes first
gc.set_threshold(100_000)  # compiling makes many objects, and to look for cycles among them takes a tenth of its time

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a script's background job: the tests send it
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # as under nohup, likewise
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

CORES = os.sched_getaffinity(0)
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    # MindSpore's threads spin while they wait: two processes that share two cores take thrice the time of one alone.
    os.sched_setaffinity(0, {sorted(CORES)[int(worker.removeprefix("gw")) % len(CORES)]})

# Folders and files whose tests compile networks or start whole commands: `make check` leaves them out.
TESTS = Path(__file__).parent
COMPILES = [
    TESTS / name
    for name in (
        "cli/test_benchmark.py",
        "cli/test_convert.py",
        "cli/test_data.py",
        "cli/test_data_prepare.py",
        "cli/test_distillation.py",
        "cli/test_engines.py",
        "cli/test_every_option.py",
        "cli/test_export.py",
        "cli/test_finetune.py",
        "cli/test_fit.py",
        "cli/test_interrupted.py",
        "cli/test_mpirun.py",
        "cli/test_mpirun_faults.py",
        "cli/test_msrun.py",
        "cli/test_output.py",
        "cli/test_photos.py",
        "cli/test_predict.py",
        "cli/test_resume.py",
        "cli/test_sweep.py",
        "cli/test_train.py",
        "cli/test_validate.py",
        "cli/test_verify.py",
        "data/test_records.py",
        "deploy",
        "diagnosis",
        "engines/test_open.py",
        "evaluation/test_evaluator.py",
        "families",
        "graph/test_network.py",
        "graph/test_onnx.py",
        "kernels",
        "models/test_base.py",
        "models/test_complexity.py",
        "models/test_every_family.py",
        "models/test_fusion.py",
        "models/test_unfuse.py",
        "models/test_shufflenet_v1.py",
        "models/test_shufflenet_v2.py",
        "models/test_shufflenet_v2_large.py",
        "models/test_shufflenet_v2_options.py",
        "report",
        "test_examples.py",
        "test_infer_onnx.py",
        "test_packaging.py",
        "test_toy_family.py",
        "training/test_augmented.py",
        "averaging/test_average.py",
        "sweeps/test_sweep.py",
        "training/test_data_show.py",
        "training/optimizers/test_create.py",
        "training/test_step.py",
        "training/test_train.py",
        "training/test_train_parts.py",
        "weights/test_load.py",
        "weights/test_onnx_weights.py",
    )
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of ``COMPILES``."""
    if missing := [str(path) for path in COMPILES if not path.exists()]:
        raise pytest.UsageError(f"COMPILES in {__file__} names what is not there: {', '.join(missing)}")
    for item in items:
        if any(item.path.is_relative_to(path) for path in COMPILES):
            item.add_marker(pytest.mark.compiles)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and weights beside the project, which is no part of it."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("no ../shared with real data")
    return folder


@pytest.fixture(scope="session")
def imagenet_sample(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One image of each of 100 classes of ImageNet, as a data set; nothing is written there."""
    folder = tmp_path_factory.mktemp("imagenet")
    with tarfile.open(shared / "data" / "imagenet-sample-100.tar") as tar:
        tar.extractall(folder, filter="data")
    return folder / "imagenet-sample-100"


@pytest.fixture(scope="session", autouse=True)
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what is remembered between runs out of the user's own cache folder."""
    os.environ["MINDCV_SHUFFLENET_HOME"] = str(tmp_path_factory.mktemp("home"))
    yield
    del os.environ["MINDCV_SHUFFLENET_HOME"]


@pytest.fixture(autouse=True)
def graph_mode() -> None:
    """Start every test in graph mode on the CPU, whatever the one before has set."""
    import mindspore as ms

    ms.set_context(mode=ms.GRAPH_MODE)
    ms.set_device("CPU")


@pytest.fixture
def pynative(graph_mode: None) -> None:
    """Compile nothing."""
    import mindspore as ms

    ms.set_context(mode=ms.PYNATIVE_MODE)


@pytest.fixture
def all_cores() -> Iterator[None]:
    """Let a test, and the processes that it starts, run on every core and not on its worker's alone."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, CORES)
    yield
    os.sched_setaffinity(0, own)
