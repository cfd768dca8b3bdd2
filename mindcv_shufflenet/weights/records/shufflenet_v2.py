"""Published weights of ShuffleNetV2."""

from mindcv_shufflenet.weights.records.publishers import chenyaofo, megvii, mindcv, mmpretrain, torchvision

_FOLDER = "shufflenet/shufflenetv2"

PUBLISHED = (
    mindcv("shufflenet_v2_x0_5", f"{_FOLDER}/shufflenet_v2_x0_5-8c841061", 60.53, 82.11),
    mindcv("shufflenet_v2_x1_0", f"{_FOLDER}/shufflenet_v2_x1_0-0da4b7fa", 69.47, 88.88),
    mindcv("shufflenet_v2_x1_5", f"{_FOLDER}/shufflenet_v2_x1_5-00b56131", 72.79, 90.93),
    mindcv("shufflenet_v2_x2_0", f"{_FOLDER}/shufflenet_v2_x2_0-ed8e698d", 75.07, 92.08),
    mindcv("shufflenet_v2_x0_5", f"{_FOLDER}/shufflenet_v2_x0_5-39d05bb6-910v2", 60.65, 82.26),
    torchvision("shufflenet_v2_x0_5", "shufflenetv2", "shufflenetv2_x0.5-f707e7126e", 60.552, 81.746),
    torchvision("shufflenet_v2_x1_0", "shufflenetv2", "shufflenetv2_x1-5666bf0f80", 69.362, 88.316),
    torchvision("shufflenet_v2_x1_5", "shufflenetv2", "shufflenetv2_x1_5-3c479a10", 72.996, 91.086, resize=232),
    torchvision("shufflenet_v2_x2_0", "shufflenetv2", "shufflenetv2_x2_0-8be3c8ee", 76.230, 93.006, resize=232),
    mmpretrain(
        "shufflenet_v2_x1_0", "shufflenet_v2", "shufflenet_v2_batch1024_imagenet_20200812-5bf4721e", 69.55, 88.92
    ),
    megvii("shufflenet_v2_x0_5", "ShuffleNetV2", 38.9, 17.4),
    megvii("shufflenet_v2_x1_0", "ShuffleNetV2", 30.6, 11.1),
    megvii("shufflenet_v2_x1_5", "ShuffleNetV2", 27.4, 9.4),
    megvii("shufflenet_v2_x2_0", "ShuffleNetV2", 25.0, 7.6),
    chenyaofo("shufflenet_v2_x0_5", "cifar10", "shufflenetv2_x0_5-1308b4e9", 90.13, 99.70),
    chenyaofo("shufflenet_v2_x1_0", "cifar10", "shufflenetv2_x1_0-98807be3", 92.98, 99.73),
    chenyaofo("shufflenet_v2_x1_5", "cifar10", "shufflenetv2_x1_5-296694dd", 93.55, 99.77),
    chenyaofo("shufflenet_v2_x2_0", "cifar10", "shufflenetv2_x2_0-ec31611c", 93.81, 99.79),
    chenyaofo("shufflenet_v2_x0_5", "cifar100", "shufflenetv2_x0_5-1977720f", 67.82, 89.93),
    chenyaofo("shufflenet_v2_x1_0", "cifar100", "shufflenetv2_x1_0-9ae22beb", 72.39, 91.46),
    chenyaofo("shufflenet_v2_x1_5", "cifar100", "shufflenetv2_x1_5-e2c85ad8", 73.91, 92.13),
    chenyaofo("shufflenet_v2_x2_0", "cifar100", "shufflenetv2_x2_0-e7e584cd", 75.35, 92.62),
)
