"""Published weights of ShuffleNetV1."""

from mindcv_shufflenet.weights.records.publishers import imgclsmob, megvii, mindcv, mmpretrain

_FOLDER = "shufflenet/shufflenetv1"

PUBLISHED = (
    mindcv("shufflenet_v1_g3_x0_5", f"{_FOLDER}/shufflenet_v1_g3_05-42cfe109", 57.05, 79.73),
    mindcv("shufflenet_v1_g3_x1_0", f"{_FOLDER}/shufflenet_v1_g3_10-245f0ccf", 67.77, 87.73),
    mindcv("shufflenet_v1_g3_x0_5", f"{_FOLDER}/shufflenet_v1_g3_05-56209ef3-910v2", 57.08, 79.89),
    megvii("shufflenet_v1_g3_x0_5", "ShuffleNetV1", 42.7, 20.0),
    megvii("shufflenet_v1_g3_x1_0", "ShuffleNetV1", 32.2, 12.3),
    megvii("shufflenet_v1_g3_x1_5", "ShuffleNetV1", 28.4, 9.8),
    megvii("shufflenet_v1_g3_x2_0", "ShuffleNetV1", 25.9, 8.6),
    megvii("shufflenet_v1_g8_x0_5", "ShuffleNetV1", 41.2, 19.0),
    megvii("shufflenet_v1_g8_x1_0", "ShuffleNetV1", 32.0, 13.6),
    megvii("shufflenet_v1_g8_x1_5", "ShuffleNetV1", 29.0, 10.4),
    megvii("shufflenet_v1_g8_x2_0", "ShuffleNetV1", 27.1, 9.2),
    mmpretrain(
        "shufflenet_v1_g3_x1_0", "shufflenet_v1", "shufflenet_v1_batch1024_imagenet_20200804-5d6cec73", 68.13, 87.81
    ),
    imgclsmob("shufflenet_v1_g1_x0_25", "v0.0.134", "shufflenet_g1_wd4-3729-47dbd0f2", 62.44, 37.29),
    imgclsmob("shufflenet_v1_g3_x0_25", "v0.0.135", "shufflenet_g3_wd4-3653-6abdd65e", 61.74, 36.53),
    imgclsmob("shufflenet_v1_g1_x0_5", "v0.0.174", "shufflenet_g1_wd2-2261-dae4bdad", 46.59, 22.61),
    imgclsmob("shufflenet_v1_g3_x0_5", "v0.0.167", "shufflenet_g3_wd2-2080-ccaacfc8", 44.16, 20.80),
    imgclsmob("shufflenet_v1_g1_x0_75", "v0.0.218", "shufflenet_g1_w3d4-1711-161cd24a", 39.58, 17.11),
    imgclsmob("shufflenet_v1_g3_x0_75", "v0.0.219", "shufflenet_g3_w3d4-1650-3f3b0aef", 38.20, 16.50),
    imgclsmob("shufflenet_v1_g1_x1_0", "v0.0.223", "shufflenet_g1_w1-1389-4cfb65a3", 34.93, 13.89),
    imgclsmob("shufflenet_v1_g2_x1_0", "v0.0.241", "shufflenet_g2_w1-1363-07256203", 34.25, 13.63),
    imgclsmob("shufflenet_v1_g3_x1_0", "v0.0.244", "shufflenet_g3_w1-1348-ce54f64e", 34.39, 13.48),
    imgclsmob("shufflenet_v1_g4_x1_0", "v0.0.245", "shufflenet_g4_w1-1335-e2415f82", 34.19, 13.35),
    imgclsmob("shufflenet_v1_g8_x1_0", "v0.0.250", "shufflenet_g8_w1-1342-9a979b36", 34.06, 13.42),
)
