"""Networks as files of MindSpore: MindIR, which MindSpore and MindSpore Lite run, and AIR for Ascend.

A MindIR file holds the graph and its weights, so what runs it needs nothing of this package::

    network = nn.GraphCell(mindspore.load("shufflenet.mindir"))
    logits = network(Tensor(images))  # [N, 3, H, W] float32, normalised; any N

MindSpore Lite's server runtime reads the file as it is. Its device runtime reads what ``converter_lite`` makes of it,
for which the batch has to be fixed: export with a batch, or give the converter the shape::

    converter_lite --fmk=MINDIR --modelFile=shufflenet.mindir --outputFile=shufflenet --inputShape="x:1,3,224,224"

The name of the input is ``x``. MindSpore Lite is not on PyPI and was not run here, and neither was Ascend.
"""

from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from mindcv_shufflenet.deploy.export.exactness import Reference
from mindcv_shufflenet.engines.runs import Run
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.graph.interface import Interface
from mindcv_shufflenet.graph.network import fold
from mindcv_shufflenet.runtime.mode import mode_restored
from mindcv_shufflenet.storage.files import atomic_path


def write_mindir(network: nn.Cell, path: Path, *, size: int, batch: int | None = None) -> float:
    """Write a network as MindIR, with BatchNorm folded; it gets its name once it was loaded and computes the same.

    Args:
        network: one that :func:`create_model` made, or the maps of one. It is put into inference mode.
        path: the file, which is replaced where it is there.
        size: height and width of the images.
        batch: how many images at once; None: any number.

    Returns:
        The largest difference of its outputs from the network's, as a share of the largest output.

    Raises:
        UserError: the file cannot be written.
        RunError: the file computes something else than the network.
    """
    reference = Reference(network, Interface(size, batch))
    with atomic_path(path) as temporary:
        _export(network, temporary, "MINDIR", size, batch)
        return reference.proven_error(_load(temporary, reference), "MindSpore")


def write_air(network: nn.Cell, path: Path, *, size: int, batch: int = 1) -> None:
    """Write a network as AIR, the format of Ascend's ATC, with BatchNorm folded. No runtime here can check it.

    Args:
        network: one that :func:`create_model` made, or the maps of one.
        path: the file, which is replaced where it is there.
        size: height and width of the images.
        batch: how many images at once.

    Raises:
        UserError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        _export(network, temporary, "AIR", size, batch)


def check_air(device: str) -> None:
    """Refuse AIR on any other device than Ascend, where alone MindSpore writes it.

    Raises:
        UserError: naming the formats that can be written.
    """
    if device != "Ascend":
        raise UserError(f"--format air needs an Ascend, and this is a {device}: give --format mindir or onnx")


def _export(network: nn.Cell, path: Path, kind: str, size: int, batch: int | None) -> None:
    images = Tensor(shape=[batch, network.plan.in_channels, size, size], dtype=ms.float32)
    with mode_restored():
        ms.set_context(mode=ms.GRAPH_MODE)
        ms.export(fold(network), images, file_name=str(path), file_format=kind)
    path.chmod(0o644)  # MindSpore leaves it readable by its owner alone


def _load(path: Path, reference: Reference) -> Run:
    loaded = nn.GraphCell(ms.load(str(path)))

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        with mode_restored():
            ms.set_context(mode=ms.GRAPH_MODE)
            return reference.named(loaded(Tensor(images)))

    return run
