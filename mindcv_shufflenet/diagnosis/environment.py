"""Checks of what the package stands on: the versions of its packages, the device, the compiled kernels."""

import importlib.metadata
import platform

from packaging.requirements import Requirement

from mindcv_shufflenet.diagnosis.outcome import CheckFailed, CheckLeftOut
from mindcv_shufflenet.errors import UserError

_DISTRIBUTION = "mindcv_shufflenet"


def versions() -> str:
    """Compare the versions of the installed packages with those that this package needs."""
    try:
        needed = [Requirement(text) for text in importlib.metadata.requires(_DISTRIBUTION) or ()]
    except importlib.metadata.PackageNotFoundError:
        raise CheckLeftOut("the package is not installed, so nothing says which versions it needs") from None
    wrong, found = [], [f"Python {platform.python_version()}"]
    for requirement in needed:
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        found.append(f"{requirement.name} {version}")
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} is {version}, and {requirement.specifier} is needed")
    if wrong:
        raise CheckFailed("; ".join(wrong))
    return ", ".join(found)


def device(device: str) -> str:
    """Multiply two matrices on the device."""
    import mindspore as ms
    import numpy as np

    matrix = np.arange(64, dtype=np.float32).reshape(8, 8)
    product = ms.ops.matmul(ms.Tensor(matrix), ms.Tensor(matrix)).asnumpy()
    if not np.abs(product - matrix @ matrix).max() <= 1e-3 * (matrix @ matrix).max():
        raise CheckFailed(f"a matrix product on {device} is wrong")
    return f"MindSpore {ms.__version__} on {device}"


def kernels(device: str) -> str:
    """Compile the kernels, or find them compiled."""
    from mindcv_shufflenet.kernels.library import SWITCH, is_off, load, version

    if device != "CPU":
        raise CheckLeftOut("the kernels are for a CPU")
    if is_off():
        raise CheckLeftOut(f"{SWITCH} is off")
    try:
        load()
    except (OSError, UserError) as error:
        raise CheckFailed(str(error)) from error
    return f"version {version()}"
