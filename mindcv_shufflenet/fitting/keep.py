"""What a fit leaves: calibrated weights, exported files, and a script that classifies with them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mindcv_shufflenet.deploy import standalone
from mindcv_shufflenet.deploy.export.export import Export, export
from mindcv_shufflenet.evaluation.analysis import Findings
from mindcv_shufflenet.fitting.layout import FitFolder
from mindcv_shufflenet.storage.files import atomic_write
from mindcv_shufflenet.weights.checkpoint import change_metadata
from mindcv_shufflenet.weights.load import read_weights

# Photos that int8 is calibrated on, with those that are held back to check it on.
_CALIBRATED = 256
_SCRIPT = Path(standalone.__file__)


def keep_weights(files: FitFolder, source: Path) -> None:
    """Copy the weights of a checkpoint to their place, whole or not at all."""
    with atomic_write(files.checkpoint) as file:
        file.write(source.read_bytes())


def keep_calibration(files: FitFolder, findings: Findings) -> None:
    """Write the temperature and the threshold of sure answers into the weights."""
    metadata = read_weights(files.checkpoint).metadata
    assert metadata  # fitting writes it
    temperature = findings.calibration.temperature if findings.calibration else 1.0
    threshold = findings.sureness.threshold if findings.sureness else 1.0
    change_metadata(files.checkpoint, metadata._replace(temperature=temperature, threshold=threshold))


def keep_exported(files: FitFolder, options: Mapping[str, Any]) -> None:
    """Export the weights to ONNX, and write the script.

    Args:
        files: of the fit.
        options: of the evaluation, by name: they name the weights.
    """
    export(options, files.onnx, overwrite=True, given=(), softmax=True)
    with atomic_write(files.script) as file:
        file.write(_SCRIPT.read_bytes())


def keep_int8(files: FitFolder, options: Mapping[str, Any]) -> Export:
    """Export the weights to ONNX in int8, and return what is known of it.

    Args:
        files: of the fit.
        options: of the evaluation, by name: they name weights and photos.

    Raises:
        UserError: int8 is not to be had of this network or on this machine.
        RunError: likewise.
    """
    return export(
        options,
        files.int8,
        overwrite=True,
        given=(),
        softmax=True,
        int8=True,
        int8_search=False,
        calibration=files.train_photos,
        calibration_images=_CALIBRATED,
    )
