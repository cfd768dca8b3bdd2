"""Published weights of MobileNetV1. They have 1001 outputs, of which 1000 are classes."""

from mindcv_shufflenet.weights.records.publishers import mindcv

_FOLDER = "mobilenet/mobilenetv1"

PUBLISHED = (
    mindcv("mobilenet_v1_025", f"{_FOLDER}/mobilenet_v1_025-d3377fba", 53.87, 77.66),
    mindcv("mobilenet_v1_050", f"{_FOLDER}/mobilenet_v1_050-23e9ddbe", 65.94, 86.51),
    mindcv("mobilenet_v1_075", f"{_FOLDER}/mobilenet_v1_075-5bed0c73", 70.44, 89.49),
    mindcv("mobilenet_v1_100", f"{_FOLDER}/mobilenet_v1_100-91c7b206", 72.95, 91.01),
    mindcv("mobilenet_v1_025", f"{_FOLDER}/mobilenet_v1_025-cbe3d3b3-910v2", 54.05, 77.74),
)
