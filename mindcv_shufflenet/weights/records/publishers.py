"""The publishers of weights: where the files of each are, and what all its weights have in common.

Each function makes a record of a row of figures. The network options are those with which the project trains the
family: its description has them.
"""

from collections.abc import Mapping
from typing import Any

from mindcv_shufflenet.families import find_family
from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.weights.records.base import Record

# Images of 224 pixels out of 256, unless told otherwise: crop_pct = 0.875.
_OPENCV, _PILLOW = Preprocessing(resize_backend="opencv"), Preprocessing(resize_backend="pillow")

# Megvii's training code evaluates with OpenCV's resize (class OpencvResize) on BGR of 0..255.
_MEGVII = Preprocessing(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), channel_order="bgr", resize_backend="opencv")

_CIFAR_NORMALISATION = {
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "cifar100": ((0.5070, 0.4865, 0.4409), (0.2673, 0.2564, 0.2761)),
}


def mindcv(model: str, file: str, top1: float, top5: float) -> Record:
    """Weights of mindcv, with the default network options; the README of their release has the score.

    Those for Ascend 910 of the second version are of another training, and on another host.

    Args:
        model: the network's name.
        file: ``FOLDER/FAMILY/NAME-DIGITS`` or ``FOLDER/FAMILY/NAME-DIGITS-910v2``.
        top1: in percent.
        top5: in percent.
    """
    is_new = file.endswith("-910v2")
    host = "https://download-mindspore.osinfra.cn" if is_new else "https://download.mindspore.cn"
    release = "0.5.0" if is_new else "0.3.0"
    _, family, name = file.split("/")
    return Record(
        model, "mindcv_910v2_in1k" if is_new else "mindcv_in1k", f"{host}/toolkits/mindcv/{file}.ckpt",
        name.split("-")[1], None, top1, top5, f"mindcv {release}, configs/{family}/README.md", "Apache-2.0",
        {}, _OPENCV,
    )  # fmt: skip


def megvii(model: str, folder: str, error1: float, error5: float) -> Record:
    """Weights of ShuffleNet-Series, of the paper's authors, which publishes errors.

    Args:
        model: the network's name.
        folder: of its README in the repository.
        error1: top-1 error in percent.
        error5: top-5 error in percent.
    """
    return Record(
        model, "megvii_in1k", None, None, None, round(100 - error1, 2), round(100 - error5, 2),
        f"ShuffleNet-Series, {folder}/README.md", "MIT", _options(model, "megvii"), _MEGVII,
        by_hand="the drives that https://github.com/megvii-model/ShuffleNet-Series links to",
    )  # fmt: skip


def torchvision(model: str, module: str, file: str, top1: float, top5: float, *, resize: int = 256) -> Record:
    """Weights of torchvision.

    Args:
        model: the network's name.
        module: of ``torchvision.models``, which has the score.
        file: ``NAME-DIGITS``.
        top1: in percent.
        top5: in percent.
        resize: the short side out of which 224 pixels are cropped.
    """
    return Record(
        model, "tv_in1k", f"https://download.pytorch.org/models/{file}.pth", file.split("-")[1], None, top1, top5,
        f"torchvision, models/{module}.py", "BSD-3-Clause", _options(model, "torchvision"),
        Preprocessing(crop_pct=224 / resize, resize_backend="pillow"),
    )  # fmt: skip


def mmpretrain(model: str, family: str, file: str, top1: float, top5: float) -> Record:
    """Weights of mmpretrain.

    Args:
        model: the network's name.
        family: the folder of its configurations and of its weights.
        file: ``NAME-DIGITS``.
        top1: in percent.
        top5: in percent.
    """
    return Record(
        model, "mmpretrain_in1k", f"https://download.openmmlab.com/mmclassification/v0/{family}/{file}.pth",
        file.split("-")[1], None, top1, top5, f"mmpretrain, configs/{family}/README.md", "Apache-2.0",
        _options(model, "mmpretrain"), _PILLOW,
    )  # fmt: skip


def imgclsmob(model: str, release: str, file: str, error1: float, error5: float) -> Record:
    """Weights of imgclsmob: zip archives with a .pth in them, checked by SHA-1.

    The evaluation resizes with Pillow. The errors are those of the PyTorch weights; the Gluon weights that they were
    converted from have errors of their own.

    Args:
        model: the network's name.
        release: that has the file.
        file: its name, without ``.pth.zip``.
        error1: top-1 error in percent.
        error5: top-5 error in percent.
    """
    return Record(
        model, "imgclsmob_in1k", None, None, None, round(100 - error1, 2), round(100 - error5, 2),
        "pytorchcv 0.0.74, README.md", "MIT", _options(model, "imgclsmob"), _PILLOW,
        by_hand=f"release {release} of https://github.com/osmr/imgclsmob, unpack {file}.pth.zip",
    )  # fmt: skip


def chenyaofo(model: str, dataset: str, file: str, top1: float, top5: float) -> Record:
    """Weights of pytorch-cifar-models, for images of 32 pixels, with a stem of stride 1; the data set is the tag.

    Mean and std are those of its training logs (its branch ``logs``).

    Args:
        model: the network's name.
        dataset: ``cifar10`` or ``cifar100``.
        file: ``FAMILY_WIDTH-DIGITS``, behind the data set.
        top1: in percent.
        top5: in percent.
    """
    mean, std = (tuple(round(255 * share, 4) for share in shares) for shares in _CIFAR_NORMALISATION[dataset])
    folder = f"https://github.com/chenyaofo/pytorch-cifar-models/releases/download/{file.split('_')[0]}"
    return Record(
        model, dataset, f"{folder}/{dataset}_{file}.pt", file.split("-")[1], None, top1, top5,
        "pytorch-cifar-models, README.md", "BSD-3-Clause", {"layout": "torchvision", "stem": "cifar"},
        Preprocessing(image_resize=32, crop_pct=1.0, mean=mean, std=std, resize_backend="pillow"), dataset=dataset,
    )  # fmt: skip


def _options(model: str, project: str) -> Mapping[str, Any]:
    """The network options with which a project trains the family of a model."""
    return find_family(model).projects[project].options
