"""The checks of the self-test, in their order, and what a failure of each one means."""

from typing import NamedTuple


class Check(NamedTuple):
    """One check.

    Attributes:
        name: for people.
        function: ``module.function`` of this package, which returns what it has found.
        meaning: what a failure means, and what to do.
        takes: what the function is given: ``device``, its name; ``ranks``, their number.
        is_needed: whether nothing else can be checked where this one fails.
    """

    name: str
    function: str
    meaning: str
    takes: tuple[str, ...] = ("device",)
    is_needed: bool = False


CHECKS = (
    Check(
        "versions",
        "environment.versions",
        "other versions may compute or behave differently; pip install -r requirements.txt installs the tested ones",
        takes=(),
    ),
    Check(
        "device",
        "environment.device",
        "MindSpore does not compute on this device; see https://www.mindspore.cn/install/en for its installation",
        is_needed=True,
    ),
    Check(
        "kernels",
        "environment.kernels",
        "training works, but on MindSpore's own operators, which take two to four times as long; docs/kernels.md says"
        " what is needed",
    ),
    Check(
        "forward passes",
        "networks.forward",
        "this MindSpore computes a network incorrectly on this device, so do not trust its scores; install the version"
        " of requirements.txt",
    ),
    Check(
        "kernels against stock operators",
        "networks.kernels",
        "a kernel computes incorrectly on this processor; set MINDCV_SHUFFLENET_KERNELS=off, and report it",
    ),
    Check(
        "training in graph mode",
        "networks.graph_mode",
        "training in graph mode computes incorrectly; try MINDCV_SHUFFLENET_KERNELS=off, then --mode 1, and report it",
    ),
    Check(
        "training in PyNative mode",
        "networks.pynative_mode",
        "training in PyNative mode computes incorrectly; try MINDCV_SHUFFLENET_KERNELS=off, or use --mode 0, and report"
        " it",
    ),
    Check(
        "loader",
        "files.loader",
        "photos are not read as they should be; reinstall pillow and mindspore by requirements.txt",
        takes=(),
    ),
    Check(
        "checkpoint",
        "files.checkpoint",
        "weights that are read are not those that were saved; check the disk and the temporary folder",
        takes=(),
    ),
    Check(
        "ONNX export",
        "files.onnx",
        "ONNX Runtime computes an exported network incorrectly; install the version of requirements.txt",
    ),
    Check(
        "ONNX export, int8",
        "files.int8",
        "ONNX Runtime computes int8 incorrectly on this processor, as 1.23 does with VNNI or AMX; install 1.25 or"
        " newer, or export without --int8",
    ),
    Check(
        "ranks",
        "ranks.ranks",
        "several ranks cannot train together here; mpirun and mpi4py must be of one installation (docs/distributed.md)",
        takes=("device", "ranks"),
    ),
)
