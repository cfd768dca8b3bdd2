"""Published weights of ShuffleNetV2."""

from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.weights.records.base import Record

# Images of 224 pixels out of 256, unless told otherwise: crop_pct = 0.875.
_OPENCV, _PILLOW = Preprocessing(resize_backend="opencv"), Preprocessing(resize_backend="pillow")


def _mindcv(variant: str, digits: str, top1: float, top5: float, *, tag: str = "mindcv_in1k", url: str = "") -> Record:
    folder = "https://download.mindspore.cn/toolkits/mindcv/shufflenet/shufflenetv2"
    return Record(
        f"shufflenet_v2_{variant}", tag, url or f"{folder}/shufflenet_v2_{variant}-{digits}.ckpt", digits, None,
        top1, top5, "mindcv, configs/shufflenetv2/README.md", "Apache-2.0",
        {"layout": "megvii", "pool": "same"}, _OPENCV,
    )  # fmt: skip


# mindcv's weights for Ascend 910 of the second version, of another training.
_MINDCV_910V2 = _mindcv(
    "x0_5", "39d05bb6", 60.65, 82.26, tag="mindcv_910v2_in1k",
    url="https://download-mindspore.osinfra.cn/toolkits/mindcv/shufflenet/shufflenetv2/"
    "shufflenet_v2_x0_5-39d05bb6-910v2.ckpt",
)  # fmt: skip


def _torchvision(variant: str, file: str, digits: str, top1: float, top5: float, resize: int) -> Record:
    return Record(
        f"shufflenet_v2_{variant}", "tv_in1k", f"https://download.pytorch.org/models/{file}-{digits}.pth", digits, None,
        top1, top5, "torchvision, models/shufflenetv2.py", "BSD-3-Clause",
        {"layout": "torchvision", "pool": "pad"}, Preprocessing(crop_pct=224 / resize, resize_backend="pillow"),
    )  # fmt: skip


# Megvii's training code evaluates with OpenCV's resize (class OpencvResize) on BGR of 0..255.
def _megvii(variant: str, top1: float, top5: float) -> Record:
    return Record(
        f"shufflenet_v2_{variant}", "megvii_in1k", None, None, None, top1, top5,
        "ShuffleNet-Series, ShuffleNetV2/README.md", "MIT", {"layout": "megvii", "pool": "pad"},
        Preprocessing(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), channel_order="bgr", resize_backend="opencv"),
        by_hand="the drives that https://github.com/megvii-model/ShuffleNet-Series links to",
    )  # fmt: skip


_MMPRETRAIN = Record(
    "shufflenet_v2_x1_0", "mmpretrain_in1k",
    "https://download.openmmlab.com/mmclassification/v0/shufflenet_v2/"
    "shufflenet_v2_batch1024_imagenet_20200812-5bf4721e.pth",
    "5bf4721e", None, 69.55, 88.92, "mmpretrain, configs/shufflenet_v2/README.md", "Apache-2.0",
    {"layout": "torchvision", "pool": "pad"}, _PILLOW,
)  # fmt: skip

PUBLISHED = (
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
