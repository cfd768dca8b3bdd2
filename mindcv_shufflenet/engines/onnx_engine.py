"""What the runtimes of ONNX models have in common."""

import importlib
import os
from abc import ABC, abstractmethod
from types import ModuleType
from typing import NamedTuple

import numpy as np
import onnx

from mindcv_shufflenet.engines.model_file import ModelFile, read_model_file
from mindcv_shufflenet.engines.runs import Run, explained
from mindcv_shufflenet.errors import UserError, first_line
from mindcv_shufflenet.runtime.cores import count_cores


class Settings(NamedTuple):
    """How a runtime computes; each reads the settings that it has.

    Attributes:
        threads: number of threads; None: one for each core of this process.
        precision: the type in which floats are computed, ``fp32`` or ``bf16``; None: the runtime's choice.
        spins: waiting threads keep their cores, which is fastest where nothing else computes.
    """

    threads: int | None = None
    precision: str | None = None
    spins: bool = True

    @property
    def cores(self) -> int:
        """The number of threads."""
        return self.threads or count_cores()


DEFAULT = Settings()


class Session(NamedTuple):
    """A model that a runtime has loaded.

    Attributes:
        run: computes the outputs.
        precision: the type in which floats are computed: ``fp32``, ``bf16``, ...
    """

    run: Run
    precision: str


class OnnxEngine(ABC):
    """The forward pass of an ONNX model on a runtime.

    Args:
        model: the model, or its file.
        threads: a field of :class:`Settings`, as the next two.
        precision: the type of floats.
        spins: whether waiting threads keep their cores.

    Attributes:
        file: content of the model's file.
        settings: how it is to be computed.
        precision: the type in which floats are computed: ``fp32``, ``bf16``, ...

    Raises:
        UserError: the runtime is not installed, the file cannot be read, or the runtime cannot load its model.
    """

    title: str

    def __init__(
        self,
        model: ModelFile | onnx.ModelProto | str | os.PathLike[str],
        threads: int | None = None,
        precision: str | None = None,
        *,
        spins: bool = True,
    ) -> None:
        self.file = read_model_file(model)
        self.settings = Settings(threads, precision, spins)
        failure = f"{self.title} cannot run {self.file.source}"
        with explained(failure, "give another --engine, or another file", self._reason):
            self._session = self._load()
        self.precision = self._session.precision

    @staticmethod
    @abstractmethod
    def start(model: onnx.ModelProto, settings: Settings = DEFAULT) -> Session:
        """Load a model of one input, classifier or not."""

    def _load(self) -> Session:
        return self.start(self.file.model, self.settings)

    def _reason(self, error: Exception) -> str:
        """What people can use of the runtime's error."""
        return first_line(error)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the logits ``[N, num_classes] float32`` of images ``[N, C, H, W] float32``.

        Raises:
            UserError: the model does not take images of that shape.
        """
        return self.file.signature.logits(images, self._run, self.file.preprocessing)

    def _run(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        failure = f"{self.title} cannot run {self.file.source} on {[*inputs.shape]}"
        with explained(failure, "if it takes one image at a time, give --batch_size 1", self._reason):
            return self._session.run(inputs)


def import_runtime(module: str, package: str) -> ModuleType:
    """Import a runtime.

    Raises:
        UserError: it is not installed; the message tells what installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(f'{module} is not installed here: pip install "{package}"') from error
