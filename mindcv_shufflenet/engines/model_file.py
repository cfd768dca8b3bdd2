"""An ONNX model to be run as it is: what it takes and gives, and what it says of itself."""

import os
from pathlib import Path
from typing import NamedTuple

import onnx

from mindcv_shufflenet.engines.signature import Signature, read_signature
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.weights.formats import read_onnx_model
from mindcv_shufflenet.weights.metadata import ENTRY, Metadata, entries_of, read_metadata


class ModelFile(NamedTuple):
    """A model that can be run.

    Attributes:
        model: the whole of it.
        signature: what it takes and gives.
        metadata: what it says of its network, preprocessing and classes; None where it says nothing.
        notes: a line where its metadata cannot be read.
    """

    model: onnx.ModelProto
    signature: Signature
    metadata: Metadata | None
    notes: list[str]

    @property
    def source(self) -> str:
        """The file, for messages."""
        return self.signature.source

    @property
    def preprocessing(self) -> Preprocessing | None:
        """What the model says of the preprocessing of its images."""
        return Preprocessing.from_options(self.metadata.options) if self.metadata else None


def read_model_file(model: "str | os.PathLike[str] | onnx.ModelProto | ModelFile") -> ModelFile:
    """Read a classifier of images from an ONNX file, an exported one or somebody else's.

    Args:
        model: the file, or what was read from it or made in memory.

    Raises:
        UserError: the file cannot be read, or its model takes or gives something else.
    """
    if isinstance(model, ModelFile):
        return model
    source = "the model" if isinstance(model, onnx.ModelProto) else str(model)
    if not isinstance(model, onnx.ModelProto):
        model = read_onnx_model(Path(model).expanduser())
    signature = read_signature(model, source)
    metadata, notes = read_metadata(entries_of(model).get(ENTRY), source)
    if signature.takes_bytes and not metadata:
        raise UserError(f"{source} takes bytes and does not tell their preprocessing: export it without --normalize")
    return ModelFile(model, signature, metadata, notes)
