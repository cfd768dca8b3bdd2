"""Packages of an exported model: an archive as the ONNX model zoo has them, or a folder for Hugging Face."""

import gzip
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from onnx import numpy_helper

from mindcv_shufflenet.deploy.export.card import Score, card
from mindcv_shufflenet.deploy.export.exported import Exported
from mindcv_shufflenet.engines.onnxruntime_engine import OnnxRuntimeEngine
from mindcv_shufflenet.errors import RunError
from mindcv_shufflenet.families import find_family
from mindcv_shufflenet.lines import counted
from mindcv_shufflenet.options.names import PACKAGES
from mindcv_shufflenet.storage.files import atomic_folder, atomic_write
from mindcv_shufflenet.weights.formats import write_arrays
from mindcv_shufflenet.weights.names import Arrays

CARD, CONFIG, WEIGHTS, MODEL = "README.md", "config.json", "model.safetensors", "model.onnx"
# What a folder for Hugging Face holds.
FOLDER_FILES = {CARD, CONFIG, WEIGHTS, MODEL}

# Hugging Face's identifiers of data sets, and its word for a folder. The card's head names no other one as that of the
# training.
_DATASETS = {
    "imagenet": "imagenet-1k",
    "tiny_imagenet": "zh-plus/tiny-imagenet",
    "cifar10": "cifar10",
    "cifar100": "cifar100",
    "folder": "imagefolder",
}


def zoo_package(exported: Exported, target: Path, measured: Sequence[Score] = ()) -> None:
    """Write ``NAME.tar.gz`` as the ONNX model zoo lays it out.

    It has ``NAME/NAME.onnx``, ``NAME/test_data_set_0/input_0.pb`` and ``output_0.pb`` (``TensorProto``: the golden
    inputs, and what the model gives for them) and ``NAME/README.md``.

    Args:
        exported: the model.
        target: the archive, which is replaced where it is there.
        measured: accuracies of the model, for the card.

    Raises:
        UserError: the archive cannot be written.
        RunError: this machine does not compute the golden outputs.
    """
    name = target.name[: -len(PACKAGES["zoo"])]
    images, outputs = _test_data(exported)
    signature = exported.signature
    tests = {
        "input_0.pb": (signature.input_name, images),
        "output_0.pb": (signature.output_name, outputs),
    }
    usage = (
        f"{' and '.join(f'`{file}`' for file in tests)} in `test_data_set_0` are the golden inputs and outputs as"
        " `TensorProto`."
    )
    files = {
        f"{name}.onnx": exported.content,
        CARD: card(exported, name, f"{name}.onnx", measured, usage).encode(),
        **{
            f"test_data_set_0/{file}": numpy_helper.from_array(array, tensor).SerializeToString()
            for file, (tensor, array) in tests.items()
        },
    }
    with atomic_write(target) as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
        _write_tar(packed, {f"{name}/{file}": content for file, content in files.items()})


def hf_package(exported: Exported, target: Path, weights: Arrays, measured: Sequence[Score] = ()) -> None:
    """Write a folder that can be uploaded to Hugging Face as it is.

    It has ``README.md``, the card, ``config.json`` with the keys of timm, ``model.safetensors``, which ``create_model``
    reads, and ``model.onnx``.

    Args:
        exported: the model.
        target: the folder, which is replaced where it is there; the package has its name.
        weights: those of the network, not folded, under MindSpore's names.
        measured: accuracies of the model, for the card.

    Raises:
        UserError: the folder cannot be written.
    """
    name = target.absolute().name
    channels = "" if exported.signature.channels == 3 else f" in_channels={exported.signature.channels},"
    usage = (
        f"`{WEIGHTS}` holds the weights for training and for MindSpore:"
        f' `mindcv_shufflenet.create_model("{exported.name}", num_classes={exported.signature.num_classes},{channels}'
        f' checkpoint_path="{WEIGHTS}")`.'
    )
    with atomic_folder(target) as folder:
        text = f"---\n{_header(exported, name, measured)}---\n\n{card(exported, name, MODEL, measured, usage)}"
        (folder / CARD).write_text(text, encoding="utf-8")
        (folder / CONFIG).write_text(json.dumps(_config(exported), indent=2, ensure_ascii=False) + "\n", "utf-8")
        write_arrays(weights, folder / WEIGHTS, exported.metadata.dump())
        (folder / MODEL).write_bytes(exported.content)


def _test_data(exported: Exported) -> tuple[np.ndarray, np.ndarray]:
    """The golden inputs, repeated to the batch that the model takes, and what it gives for them here.

    Raises:
        RunError: it is something else than the golden outputs.
    """
    golden = exported.golden.images
    images = golden[np.arange(exported.signature.batch or len(golden)) % len(golden)]
    found = OnnxRuntimeEngine.start(exported.model).run(images)
    error = exported.golden.error({name: value[: len(golden)] for name, value in found.items()})
    if not error <= exported.golden.tolerance:
        raise RunError(
            f"no package is written: the model's outputs on ONNX Runtime differ from the golden ones by {error:.1e} of"
            " the largest here; package it on another machine, or with another version of onnxruntime"
        )
    return images, found[exported.signature.output_name]


def _write_tar(file: gzip.GzipFile, contents: dict[str, bytes]) -> None:
    """Write files into a tar archive, the same bytes for the same contents."""
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def _header(exported: Exported, name: str, measured: Sequence[Score]) -> str:
    """The head of the card that Hugging Face reads, YAML."""
    family = find_family(exported.name).title
    trained_on = _DATASETS.get(exported.dataset or "")
    content: dict[str, Any] = {
        "license": (exported.licence or "unknown").lower(),
        "library_name": "onnx",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "onnx", "mindspore", family.lower()],
        **({"datasets": [trained_on]} if trained_on else {}),
        "metrics": ["accuracy"],
    }
    scores = [(one.dataset, one.title, one.split, one.images, one.top1, one.top5) for one in measured]
    if exported.record and exported.is_as_published and not exported.is_int8:  # the score is the float network's
        record = exported.record
        scores.append((record.dataset, record.dataset, "val", record.images, record.top1, record.top5))
    results = [
        {
            "task": {"type": "image-classification"},
            "dataset": {
                "type": _DATASETS.get(dataset, dataset),
                "name": f"{title}, {counted(images, 'image')}",
                "split": "validation" if split == "val" else split,
            },
            "metrics": [
                {"type": "accuracy", "name": "top-1", "value": top1},
                {"type": "accuracy", "name": "top-5", "value": top5},
            ],
        }
        for dataset, title, split, images, top1, top5 in scores
    ]
    if results:
        content["model-index"] = [{"name": name, "results": results}]
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _config(exported: Exported) -> dict[str, Any]:
    """The keys of timm, whose means and deviations are of 0 to 1, and under our own name what it has no key for."""
    own, layers = exported.preprocessing, exported.layers
    classes = exported.signature.num_classes
    return {
        "architecture": exported.name,
        "num_classes": classes,
        "num_features": layers[layers[-1].inputs[0]].channels,
        **({"label_names": [*exported.labels]} if exported.labels else {}),
        "pretrained_cfg": {
            "input_size": [own.channels, own.image_resize, own.image_resize],
            "interpolation": own.interpolation,
            "crop_pct": own.crop_pct,
            "crop_mode": "center",
            "mean": [round(value / 255, 6) for value in own.mean],
            "std": [round(value / 255, 6) for value in own.std],
            "num_classes": classes,
            "first_conv": layers[1].name,
            "classifier": layers[-1].name,
            "license": exported.licence,
        },
        "mindcv_shufflenet": {"network": exported.network_options, "preprocessing": own.options()},
    }
