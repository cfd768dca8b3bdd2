"""``check``: whether a runtime computes an exported file correctly on this machine.

A runtime may compute incorrectly without a word: ONNX Runtime 1.23.1 gives wrong int8 outputs on processors with VNNI
or AMX (its issue 26324).
"""

import os
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import onnx

from mindcv_shufflenet.deploy.export.golden import GOLDEN_ENTRY, Golden
from mindcv_shufflenet.engines.onnx_engine import Settings
from mindcv_shufflenet.engines.runs import explained, in_batches
from mindcv_shufflenet.engines.runtimes import RUNTIMES
from mindcv_shufflenet.engines.signature import batch_of
from mindcv_shufflenet.errors import UserError, nearest
from mindcv_shufflenet.runtime.processor import processor
from mindcv_shufflenet.weights.formats import read_onnx_model
from mindcv_shufflenet.weights.metadata import entries_of


@dataclass(frozen=True)
class Check:
    """How far a runtime is from the golden outputs of a file.

    Attributes:
        file: its path.
        engine: the runtime.
        version: the runtime's version.
        processor: this machine's processor, with its instructions.
        error: largest difference from the golden outputs, as a share of the largest of them; of probabilities the
            logarithms are compared.
        tolerance: the largest error of a runtime that computes correctly.
        source: what computed the golden outputs.
    """

    file: str
    engine: str
    version: str
    processor: str
    error: float
    tolerance: float
    source: str

    @property
    def agrees(self) -> bool:
        """Whether the runtime computes the file correctly."""
        return self.error <= self.tolerance

    @property
    def verdict(self) -> str:
        """A line for people."""
        return (
            f"{self.engine} {self.version} on {self.processor} computes {self.file}"
            f" {'correctly' if self.agrees else 'incorrectly'}: its outputs differ from those of {self.source} by"
            f" {self.error:.2g} of the largest, {'within' if self.agrees else 'more than'} the {self.tolerance:g} that"
            " is allowed" + ("" if self.agrees else "; take another version of it, or export the file again")
        )


def check(file: str | os.PathLike[str], *, engine: str = "onnxruntime") -> Check:
    """Run the golden inputs of an exported file on this machine, and compare the outputs with the golden ones.

    Args:
        file: what :func:`mindcv_shufflenet.export` has written.
        engine: ``onnxruntime`` or ``openvino``, which computes in float32 here even where it chooses bf16 by itself.

    Raises:
        UserError: the file cannot be read, carries no golden data, or the runtime is not there or cannot run it.
    """
    if engine not in RUNTIMES:
        raise UserError(f"engine={engine}: it must be one of {', '.join(RUNTIMES)}{nearest(engine, RUNTIMES)}")
    model = read_onnx_model(Path(file))
    golden = _golden(model, file)
    with explained(f"{engine} here cannot run {file}", "take a newer version of it"):
        run = RUNTIMES[engine].start(model, Settings(precision="fp32")).run
        outputs = in_batches(run, golden.images, batch_of(model.graph.input[0]))
    machine = processor()
    name = f"{machine.name} ({', '.join(machine.instructions)})" if machine.instructions else machine.name
    return Check(
        str(file),
        engine,
        metadata.version(engine),
        name,
        golden.error(outputs),
        golden.tolerance,
        golden.source,
    )


def _golden(model: onnx.ModelProto, file: str | os.PathLike[str]) -> Golden:
    """The golden data of a file.

    Raises:
        UserError: it has none, or they are damaged.
    """
    text = entries_of(model).get(GOLDEN_ENTRY)
    if text is None:
        raise UserError(f"{file} carries no golden data: give a file that `shufflenet export` has written")
    try:
        return Golden.parse(text)
    except ValueError as error:
        raise UserError(f"the golden data of {file} cannot be used: {error}; export it again") from error
