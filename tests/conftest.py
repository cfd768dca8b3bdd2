"""What all tests share."""

import gc
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

os.environ.setdefault("GLOG_v", "4")
os.environ.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")  # whichever of onnx and MindSpore comes first
gc.set_threshold(100_000)  # compiling makes many objects, and to look for cycles among them takes a tenth of its time

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a script's background job: the tests send it
    signal.signal(signal.SIGINT, signal.default_int_handler)

CORES = os.sched_getaffinity(0)
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    # MindSpore's threads spin while they wait: two processes that share two cores take thrice the time of one alone.
    os.sched_setaffinity(0, {sorted(CORES)[int(worker.removeprefix("gw")) % len(CORES)]})


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and weights beside the project, which is no part of it."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("no ../shared with real data")
    return folder


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


@contextmanager
def small_network() -> Iterator[None]:
    """Let this process use the network of one block a stage."""
    from mindcv_shufflenet.models import shufflenet_v2
    from mindcv_shufflenet.weights import convert, names, onnx_graph
    from tests.cli.small import SMALL_BLOCKS

    with pytest.MonkeyPatch.context() as patch:
        for module in (names, convert, onnx_graph, shufflenet_v2):
            patch.setattr(module, "STAGE_BLOCKS", SMALL_BLOCKS)
        yield


@pytest.fixture
def small() -> Iterator[None]:
    """Let a test use the small network."""
    with small_network():
        yield


@pytest.fixture
def all_cores() -> Iterator[None]:
    """Let a test, and the processes that it starts, run on every core and not on its worker's alone."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, CORES)
    yield
    os.sched_setaffinity(0, own)
