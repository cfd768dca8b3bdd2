"""Published weights: where they lie, how they are checked, and the preprocessing that belongs to them.

Scores are those that the publisher gives for ImageNet-1K's 50,000 validation images, in percent. No address here was
visited from this project's own machines, so the checksums are the publishers' (the digits in the files' names).
"""

from pathlib import Path
from typing import Any, Literal, NamedTuple

from mindcv_shufflenet.errors import UserError, nearest
from mindcv_shufflenet.storage.download import fetch_to_cache

_MEAN, _STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


class Record(NamedTuple):
    """One file of published weights.

    Attributes:
        model: the network's name.
        tag: who trained it on what.
        url: the file's address; None where there is no stable one.
        sha256: the checksum's first digits, or None.
        size: bytes, where the publisher tells them exactly.
        top1: published top-1 in percent.
        top5: published top-5 in percent.
        source: where the scores stand.
        licence: of the weights.
        by_hand: where to get the file if there is no address.
        layout: the network's layout.
        pool: the padding of its max pool.
        image_resize: height and width of the input.
        resize: length of the short side from which the centre is cropped.
        mean: a channel, of 0..255.
        std: a channel, of 0..255.
        channel_order: ``rgb`` or ``bgr``.
        interpolation: of the resize.
        resize_backend: who resizes.
    """

    model: str
    tag: str
    url: str | None
    sha256: str | None
    size: int | None
    top1: float
    top5: float
    source: str
    licence: str
    by_hand: str = ""
    layout: Literal["megvii", "torchvision"] = "megvii"
    pool: Literal["same", "pad"] = "pad"
    image_resize: int = 224
    resize: int = 256
    mean: tuple[float, ...] = _MEAN
    std: tuple[float, ...] = _STD
    channel_order: Literal["rgb", "bgr"] = "rgb"
    interpolation: Literal["bilinear"] = "bilinear"
    resize_backend: Literal["opencv", "pillow"] = "pillow"

    @property
    def name(self) -> str:
        """Model and tag: ``shufflenet_v2_x1_0.tv_in1k``."""
        return f"{self.model}.{self.tag}"

    def options(self) -> dict[str, Any]:
        """The options of network and preprocessing that belong to the weights, as ``schema.py`` names them."""
        names = ("layout", "pool", "image_resize", "channel_order", "interpolation", "resize_backend")
        chosen = {name: getattr(self, name) for name in names}
        return chosen | {"crop_pct": self.image_resize / self.resize, "mean": [*self.mean], "std": [*self.std]}


def _mindcv(variant: str, digits: str, top1: float, top5: float) -> Record:
    folder = "https://download.mindspore.cn/toolkits/mindcv/shufflenet/shufflenetv2"
    return Record(
        f"shufflenet_v2_{variant}", "mindcv_in1k", f"{folder}/shufflenet_v2_{variant}-{digits}.ckpt", digits, None,
        top1, top5, "mindcv, configs/shufflenetv2/README.md", "Apache-2.0", pool="same", resize_backend="opencv",
    )  # fmt: skip


# mindcv's weights for Ascend 910 of the second version, of another training.
_MINDCV_910V2 = Record(
    "shufflenet_v2_x0_5", "mindcv_910v2_in1k",
    "https://download-mindspore.osinfra.cn/toolkits/mindcv/shufflenet/shufflenetv2/"
    "shufflenet_v2_x0_5-39d05bb6-910v2.ckpt",
    "39d05bb6", None, 60.65, 82.26, "mindcv, configs/shufflenetv2/README.md", "Apache-2.0", pool="same",
    resize_backend="opencv",
)  # fmt: skip


def _torchvision(variant: str, file: str, digits: str, top1: float, top5: float, resize: int) -> Record:
    return Record(
        f"shufflenet_v2_{variant}", "tv_in1k", f"https://download.pytorch.org/models/{file}-{digits}.pth", digits, None,
        top1, top5, "torchvision, models/shufflenetv2.py", "BSD-3-Clause", layout="torchvision", resize=resize,
    )  # fmt: skip


# Megvii's training code evaluates with OpenCV's resize (class OpencvResize) on BGR of 0..255.
def _megvii(variant: str, top1: float, top5: float) -> Record:
    return Record(
        f"shufflenet_v2_{variant}", "megvii_in1k", None, None, None, top1, top5,
        "ShuffleNet-Series, ShuffleNetV2/README.md", "MIT",
        by_hand="the drives that https://github.com/megvii-model/ShuffleNet-Series links to",
        mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), channel_order="bgr", resize_backend="opencv",
    )  # fmt: skip


_MMPRETRAIN = Record(
    "shufflenet_v2_x1_0", "mmpretrain_in1k",
    "https://download.openmmlab.com/mmclassification/v0/shufflenet_v2/"
    "shufflenet_v2_batch1024_imagenet_20200812-5bf4721e.pth",
    "5bf4721e", None, 69.55, 88.92, "mmpretrain, configs/shufflenet_v2/README.md", "Apache-2.0", layout="torchvision",
)  # fmt: skip

# mindcv's come first: a model without a tag means them.
RECORDS: dict[str, Record] = {
    record.name: record
    for record in (
        _mindcv("x0_5", "8c841061", 60.53, 82.11),
        _mindcv("x1_0", "0da4b7fa", 69.47, 88.88),
        _mindcv("x1_5", "00b56131", 72.79, 90.93),
        _mindcv("x2_0", "ed8e698d", 75.07, 92.08),
        _MINDCV_910V2,
        _torchvision("x0_5", "shufflenetv2_x0.5", "f707e7126e", 60.552, 81.746, resize=256),
        _torchvision("x1_0", "shufflenetv2_x1", "5666bf0f80", 69.362, 88.316, resize=256),
        _torchvision("x1_5", "shufflenetv2_x1_5", "3c479a10", 72.996, 91.086, resize=232),
        _torchvision("x2_0", "shufflenetv2_x2_0", "8be3c8ee", 76.230, 93.006, resize=232),
        _MMPRETRAIN,
        _megvii("x0_5", 61.1, 82.6),
        _megvii("x1_0", 69.4, 88.9),
        _megvii("x1_5", 72.6, 90.6),
        _megvii("x2_0", 75.0, 92.4),
    )
}

# Whose weights a file holds by the names of its parameters: the tag of that project's records.
TAG_OF_DIALECT = {"megvii": "megvii_in1k", "torchvision": "tv_in1k", "mmpretrain": "mmpretrain_in1k"}

# Names that other projects have for a model with its weights. The recipe of that name lies in configs/.
ALIASES = {"shufflenet-v2-1x_16xb64_in1k": "shufflenet_v2_x1_0.mmpretrain_in1k"}


def split_name(name: str) -> tuple[str, str | None]:
    """Return model and tag of ``MODEL``, ``MODEL.TAG`` or an alias."""
    model, dot, tag = ALIASES.get(name, name).partition(".")
    return model, tag if dot else None


def find_record(name: str) -> Record | None:
    """Return the record of ``MODEL.TAG`` or an alias; None for a model without a tag.

    Raises:
        UserError: the model has no weights of that tag.
    """
    model, tag = split_name(name)
    if tag is None:
        return None
    if f"{model}.{tag}" not in RECORDS:
        tags = [record.tag for record in RECORDS.values() if record.model == model]
        raise UserError(
            f"unknown weights {name}{nearest(f'{model}.{tag}', RECORDS)}; "
            + (f"{model} has {', '.join(tags)}" if tags else "`shufflenet models` lists the models and their weights")
        )
    return RECORDS[f"{model}.{tag}"]


def default_record(name: str) -> Record:
    """Return the record that ``pretrained`` means for a name: its tag's, or the model's first.

    Raises:
        UserError: there are no published weights of that name.
    """
    record = find_record(name)
    if record is None:
        record = next((record for record in RECORDS.values() if record.model == name), None)
    if record is None:
        models = {record.model for record in RECORDS.values()}
        raise UserError(
            f"there are no published weights of {name}{nearest(name, models)}; `shufflenet models` lists the networks"
            " and their weights; other weights go with --ckpt_path"
        )
    return record


def fetch_record(record: Record) -> Path:
    """Return the weights file of a record, out of the cache or from its address.

    Raises:
        UserError: as :func:`mindcv_shufflenet.storage.download.fetch`, or the record has no address.
    """
    if record.url is None:
        raise UserError(
            f"{record.name} has no stable address: get the file from {record.by_hand} and give it with --ckpt_path"
        )
    return fetch_to_cache(record.url, sha256=record.sha256, size=record.size)
