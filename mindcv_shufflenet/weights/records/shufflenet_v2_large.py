"""Published weights of Megvii's large ShuffleNetV2."""

from mindcv_shufflenet.options.preprocessing import Preprocessing
from mindcv_shufflenet.weights.records.publishers import megvii

PUBLISHED = (
    # the training code subtracts a mean image, and Preprocessing has a mean for each channel
    megvii("shufflenet_v2_large_megvii", "ShuffleNetV2.Large", 18.56, 4.48)._replace(
        preprocessing=Preprocessing(
            mean=(103.0626, 115.9029, 123.1516), std=(1.0, 1.0, 1.0), channel_order="bgr", resize_backend="opencv"
        ),
        remark="scored with a mean image subtracted; here its mean over the pixels is, from which a pixel of it differs"
        " by 4 of 255 on average and 13 at most",
    ),
)
