"""A small variant of ShuffleNetV2, for tests where any network will do. Importing this module adds it.

It has one block a stage, which compiles in a quarter of the time.
"""

from mindcv_shufflenet.families.shufflenet_v2 import FAMILY, Variant

MODEL = "tiny_shufflenet_v2"
# Its stem has other channels than half of its first stage, so its layouts differ in shape, as most variants' do.
FAMILY.variants[MODEL] = Variant((1, 1, 1), (16, 48, 96, 192, 1024))
# Parameters and BatchNorm statistics of a network without a bias.
TENSORS = 86
