"""What a weights file says of its network: how the network computes, what it is fed, and its classes.

Stem, pool, preprocessing and class names leave no trace in the shapes of the weights, so they travel inside the file:
as an entry of a MindSpore checkpoint or an npz archive, in the metadata of safetensors and ONNX files, and in
``FILE.pth.json`` beside a ``.pth``, whose state dict stays a plain one.
"""

import json
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NamedTuple

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.config import Config, parse_config
from mindcv_shufflenet.options.tables import names_of, paths
from mindcv_shufflenet.storage.run_directory import Classes, classes_of

if TYPE_CHECKING:
    import onnx

# The name under which the metadata lie in a file.
ENTRY = "mindcv_shufflenet"
# The name under which an exported file tells how it was made, as JSON.
EXPORT_ENTRY = "mindcv_shufflenet.export"
FORMAT = 1
# The bounds of a temperature.
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0

# What decides how the network computes, what it is fed, and which images it was validated on, but where these lie.
_RECORDED = tuple(name for name in names_of("network", "preprocessing", "data") if name not in paths())


class Metadata(NamedTuple):
    """What is known of the weights in a file.

    Attributes:
        options: ``model`` and, as far as they are known, the options of network, preprocessing and data, as
            ``options/schema/`` names them.
        classes: that the network was trained on.
        epoch: after which the weights were saved.
        temperature: what the logits are divided by before the softmax, so that the probabilities are calibrated.
        threshold: the least of these probabilities with which an answer counts as sure; 0: all are; 1: none is.
        origin: what the weights are, where they are not what a training has saved.
    """

    options: dict[str, Any]
    classes: Classes | None = None
    epoch: int | None = None
    temperature: float = 1.0
    threshold: float = 0.0
    origin: str | None = None

    def dump(self) -> str:
        """Return the metadata as JSON."""
        classes = self.classes and {"names": self.classes.names, "indices": self.classes.indices}
        content = {"format": FORMAT, "options": self.options, "classes": classes, "epoch": self.epoch}
        further: dict[str, Any] = {"temperature": self.temperature} if self.temperature != 1 else {}
        further |= {"threshold": self.threshold} if self.threshold else {}
        further |= {"origin": self.origin} if self.origin else {}
        return json.dumps(content | further)

    def with_weights_of(self, source: "Metadata") -> "Metadata":
        """Return what this tells of the network, with what another file tells of the same weights."""
        return self._replace(
            epoch=source.epoch, temperature=source.temperature, threshold=source.threshold, origin=source.origin
        )


def entries_of(model: "onnx.ModelProto") -> dict[str, str]:
    """Return what an ONNX model says of itself, by name."""
    return {entry.key: entry.value for entry in model.metadata_props}


def metadata_of(
    config: Config, classes: Classes | None, epoch: int | None = None, names: Collection[str] = _RECORDED
) -> Metadata:
    """Return the metadata of weights that were trained with these options, of which ``names`` are known."""
    options = config.recipe()
    known = [name for name in _RECORDED if name in names and options[name] is not None]
    return Metadata({"model": config.model_name.model} | {name: options[name] for name in known}, classes, epoch)


def read_metadata(text: str | None, source: str) -> tuple[Metadata | None, list[str]]:
    """Read what a file says of its network; where that is damaged, return a line that says so.

    Args:
        text: the entry of the file; None: it has none.
        source: the file, for messages.
    """
    try:
        return parse_metadata(text) if text else None, []
    except ValueError as error:
        return None, [f"what {source} tells of its network is not read: {error}"]


def parse_metadata(text: str) -> Metadata:
    """Read what :meth:`Metadata.dump` returned; a file may hold whatever it likes.

    Raises:
        ValueError: it is something else; the text says what is wrong.
    """
    try:
        content = json.loads(text)
        if content["format"] != FORMAT:
            raise ValueError(f"they are of format {content['format']} and this version reads {FORMAT}")
        options, epoch, origin = content["options"], content["epoch"], content.get("origin")
        temperature = float(content.get("temperature", 1.0))  # older files have none
        threshold = float(content.get("threshold", 0.0))
        known = {name: options[name] for name in ("model", *_RECORDED) if name in options}
        checked = parse_config(known, is_recorded=True)
        classes = content["classes"] and classes_of(content["classes"]["names"], content["classes"]["indices"])
    except (KeyError, TypeError, RecursionError, json.JSONDecodeError):
        raise ValueError("they are damaged") from None
    except UserError as error:
        raise ValueError(str(error)) from None
    if "model" not in known or not isinstance(epoch, int | None):
        raise ValueError("they name no model" if "model" not in known else f"epoch={epoch} is no number")
    if not MIN_TEMPERATURE <= temperature <= MAX_TEMPERATURE:
        raise ValueError(f"temperature={temperature} is not from {MIN_TEMPERATURE} to {MAX_TEMPERATURE}")
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold={threshold} is not from 0 to 1")
    if not isinstance(origin, str | None):
        raise ValueError("their origin is no text")
    return Metadata({name: getattr(checked, name) for name in known}, classes, epoch, temperature, threshold, origin)
