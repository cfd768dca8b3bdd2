"""The device that a command runs on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.runtime.device import Machine, choose_device

ROOT = Path(__file__).parents[2]
PROBE = "from mindcv_shufflenet.runtime.device import choose_device; print(choose_device('auto'))"


def test_a_device_that_is_not_there_is_refused() -> None:
    assert choose_device("CPU") == "CPU"
    if choose_device("auto") == "CPU":
        with pytest.raises(UserError, match="device_target=Ascend: no such device here; use --device_target CPU"):
            choose_device("Ascend")


def test_looking_for_a_device_says_nothing() -> None:
    """Whatever MindSpore would log where its level is the default."""
    environment = {name: value for name, value in os.environ.items() if name != "GLOG_v"}
    done = subprocess.run([sys.executable, "-c", PROBE], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.stdout.strip() in ("Ascend", "GPU", "CPU"), done.stderr) == (True, "")


def test_a_device_that_has_computed_is_used_on() -> None:
    """As in a notebook that looks at a network before it trains."""
    program = (
        "import mindspore as ms; from mindcv_shufflenet.runtime.device import use_device;"
        " ms.ops.ones((2,)) + 1; use_device('CPU'); print(ms.get_context('device_target'))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "CPU", done.stderr


def test_a_machine_says_whether_kernels_compute() -> None:
    plain = "on CPU with 2 cores"
    assert [str(Machine("CPU", 2, 2, "2.8.0", kernels=version)) for version in (None, "off")] == [plain, plain]
    assert str(Machine("CPU", 2, 2, "2.8.0", 2, "12ab")) == f"2 ranks, each {plain} and own kernels"
