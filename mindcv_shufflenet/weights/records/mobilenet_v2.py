"""Published weights of MobileNetV2."""

from mindcv_shufflenet.weights.records.publishers import mindcv, torchvision

_FOLDER = "mobilenet/mobilenetv2"

PUBLISHED = (
    mindcv("mobilenet_v2_075", f"{_FOLDER}/mobilenet_v2_075-bd7bd4c4", 69.98, 89.32),
    mindcv("mobilenet_v2_100", f"{_FOLDER}/mobilenet_v2_100-d5532038", 72.27, 90.72),
    mindcv("mobilenet_v2_140", f"{_FOLDER}/mobilenet_v2_140-98776171", 75.56, 92.56),
    mindcv("mobilenet_v2_075", f"{_FOLDER}/mobilenet_v2_075-755932c4-910v2", 69.73, 89.35),
    torchvision("mobilenet_v2_100", "mobilenetv2", "mobilenet_v2-b0353104", 71.878, 90.286),
)
