"""Published weights of ShuffleNetV2+."""

from mindcv_shufflenet.weights.records.publishers import megvii

PUBLISHED = (
    megvii("shufflenet_v2_plus_small", "ShuffleNetV2+", 25.9, 8.3),
    megvii("shufflenet_v2_plus_medium", "ShuffleNetV2+", 24.3, 7.4),
    megvii("shufflenet_v2_plus_large", "ShuffleNetV2+", 22.9, 6.7),
)
