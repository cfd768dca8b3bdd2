"""The card of a packaged model: what it is, whose weights it has, what it takes, how accurate it is, how it is used."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from onnx import helper

from mindcv_shufflenet import __version__
from mindcv_shufflenet.deploy.export.exported import Exported
from mindcv_shufflenet.families import find_family
from mindcv_shufflenet.lines import counted

# Data sets of the options that say how images are stored, and not which ones they are.
_STORED = {"folder": "a folder of images", "mindrecord": "packed images"}

_MEANINGS = (
    "`divergence` is the mean Kullback-Leibler divergence of the classes' probabilities from those in float32, in nats,"
    " and `agreement` the share of images with the same best class. Both are of the held-out images: those of the"
    " calibration on which no ranges were measured, if there was more than one image."
)


class Score(NamedTuple):
    """An accuracy that was measured on the packaged model.

    Attributes:
        dataset: the name of the data set.
        images: the number of its validation images.
        top1: percent of them whose label has the highest output.
        top5: percent of them whose label is among the five highest outputs.
        where: the runtime and the machine.
        split: the split that they are of.
    """

    dataset: str
    images: int
    top1: float
    top5: float
    where: str
    split: str = "val"

    @property
    def title(self) -> str:
        """What a card calls the images."""
        return called(self.dataset) + ("" if self.split == "val" else f" (split {self.split})")


def card(exported: Exported, name: str, file: str, measured: Sequence[Score], usage: str) -> str:
    """Return the card as Markdown.

    Args:
        exported: the model.
        name: the name of the package.
        file: the name of the model's file in the package.
        measured: accuracies of the model.
        usage: what else is in the package, as Markdown.
    """
    precision = "int8" if exported.is_int8 else "float32"
    size = exported.preprocessing.image_resize
    sections = [
        f"# {name}",
        f"{find_family(exported.name).title}, an image classifier of"
        f" {counted(exported.signature.num_classes, 'class', 'classes')}, as an ONNX model of opset {exported.opset}"
        f" in {precision}. mindcv_shufflenet {__version__} exported it with BatchNorm folded.",
        _table(
            ("", ""),
            [
                ("network", f"`{exported.name}`" + _format_options(exported.network_options)),
                ("parameters", f"{exported.complexity.parameters:,}"),
                ("multiply-adds", f"{exported.complexity.multiply_adds:,} for an image of {size}x{size}"),
                ("weights", _origin(exported)),
                ("licence of the weights", exported.licence or "not known"),
                ("sha256 of the weights' file", exported.settings.get("weights_sha256") or "none: there is no file"),
                (f"sha256 of `{file}`", exported.sha256),
                ("exported for", _target(exported)),
            ],
        ),
        "## Input and output",
        _interface(exported),
        "## Preprocessing",
        _preprocessing(exported),
        "## Accuracy",
        _accuracy(exported, measured),
    ]
    if exported.is_int8:
        int8 = exported.settings.get("int8") or {}
        sections += ["## Quantisation", *_overlap(int8), _table(("setting", "value"), _flat(int8)), _MEANINGS]
    return "\n\n".join([*sections, "## Use", _use(exported, file), usage]) + "\n"


def _format_options(options: Mapping[str, Any]) -> str:
    return "".join(f", {name}={value}" for name, value in options.items())


def _origin(exported: Exported) -> str:
    """Whose weights they are, as far as that is proven or recorded, and else who says so."""
    record = exported.record
    if record:
        return f"`{record.name}`, from {record.url or record.by_hand} ({record.source})"
    file = exported.settings.get("weights")
    if file is None:
        return "random ones: the network is not trained"
    parts = [f"`{file}`"]
    if named := exported.settings.get("named_as"):
        parts.append(f"named `{named}` by the user, which no checksum proves")
    elif exported.dataset:
        parts.append(f"trained on {called(exported.dataset)}")
    if exported.metadata.epoch is not None:
        parts.append(f"after epoch {exported.metadata.epoch}")
    return ", ".join(parts)


def called(dataset: str) -> str:
    """Return what a card calls a data set: ``folder`` and ``mindrecord`` are ways to store images, and no names."""
    return _STORED.get(dataset, dataset)


def _target(exported: Exported) -> str:
    int8 = "elsewhere `shufflenet check` tells whether it is computed correctly"
    return f"`{exported.settings['target']}`; {int8 if exported.is_int8 else 'it runs elsewhere too'}"


def _interface(exported: Exported) -> str:
    rows = []
    for what, infos in (("input", exported.model.graph.input), ("output", exported.model.graph.output)):
        for info in infos:
            tensor = info.type.tensor_type
            shape = ", ".join(str(size.dim_value or size.dim_param) for size in tensor.shape.dim)
            kind = helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
            rows.append((what, f"`{info.name}`", kind, f"[{shape}]"))
    meaning = "probabilities" if exported.signature.gives_probabilities else "logits, of which a softmax makes"
    meaning += "" if exported.signature.gives_probabilities else " probabilities"
    text = _table(("", "name", "type", "shape"), rows) + f"\n\nThe outputs are {meaning}."
    temperature = exported.metadata.temperature
    if temperature != 1 and not exported.signature.gives_probabilities:
        text += f" Divide the logits by the temperature {temperature:.4g} first: the probabilities are then calibrated."
    return text


def _preprocessing(exported: Exported) -> str:
    own = exported.preprocessing
    blur = "with antialiasing, as Pillow does" if own.resize_backend == "pillow" else "without antialiasing, as OpenCV"
    steps = [
        f"Resize the short side to {own.resize} pixels ({own.interpolation}, {blur}).",
        f"Crop {own.image_resize}x{own.image_resize} pixels from the centre.",
    ]
    is_grey = own.channels == 1
    if exported.signature.takes_bytes:
        steps.append(f"Give the {'grey' if is_grey else 'RGB'} bytes as they are: the model normalises them.")
    else:
        order = "Make the image grey" if is_grey else f"Order the channels as {own.channel_order.upper()}"
        steps.append(f"{order}, subtract {[*own.mean]} and divide by {[*own.std]} (of 0 to 255).")
    return "\n".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))


def _accuracy(exported: Exported, measured: Sequence[Score]) -> str:
    rows = [
        (score.title, f"{score.images:,}", _percent(score.top1), _percent(score.top5), f"measured, {score.where}")
        for score in measured
    ]
    if record := exported.record:
        what = "published for the weights in float32" if exported.is_int8 else "published"
        what += "" if exported.is_as_published else " for another network or preprocessing than this one"
        remark = f"; {record.remark}" if record.remark else ""
        scores = _percent(record.top1), _percent(record.top5)
        rows.append((record.dataset, f"{record.images:,}", *scores, f"{what}, {record.source}{remark}"))
    if not rows:
        return "Not known: neither published nor measured."
    return _table(("images of", "number", "top-1 %", "top-5 %", "source"), rows)


def _overlap(int8: Mapping[str, Any]) -> list[str]:
    """Say that the measured accuracy is of images that the model was calibrated on, where it is so."""
    shared = int8.get("calibration_in_validation")
    if not shared:
        return []
    return [
        f"The validation images include {shared} of the {int8['calibration_images'] + int8['held_out_images']}"
        " calibration images, so that the measured accuracy may be too high."
    ]


def _percent(value: float) -> str:
    return f"{value:.2f}"


def _use(exported: Exported, file: str) -> str:
    taken = exported.signature
    golden = exported.golden
    shape = (taken.batch or golden.shape[0], *golden.shape[1:])
    return f"""\
```python
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("{file}", providers=["CPUExecutionProvider"])
images = np.zeros({shape}, np.{golden.dtype})  # preprocessed as above
(outputs,) = session.run(["{taken.output_name}"], {{"{taken.input_name}": images}})
```

{_contents(exported)}
`shufflenet check {file}` tells whether a runtime computes the model correctly on a machine: its outputs then differ
from the golden ones by at most {golden.tolerance:g} of the largest one."""


def _contents(exported: Exported) -> str:
    rest = "the preprocessing, and golden inputs with their outputs"
    if not exported.labels:
        return f"The file holds {rest}. The names of the classes are not known."
    if exported.has_assumed_labels:
        rest += ". The names are ImageNet's, since there are 1000 classes and nothing tells others"
    return f"The file holds the names of the classes, {rest}."


def _flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as rows, without those that have no value."""
    rows = []
    for name, value in settings.items():
        if value is None:
            continue
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{name}.")
        else:
            text = f"{value:.4g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
            rows.append((prefix + name, value if isinstance(value, str) else text))
    return rows


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
