"""Small variants, for tests where any network will do. Importing this module adds them.

They have one block a stage, which compiles in a quarter of the time.
"""

from mindcv_shufflenet.families import shufflenet_v1
from mindcv_shufflenet.families.shufflenet_v2 import FAMILY, Variant

MODEL = "tiny_shufflenet_v2"
# Its stem has other channels than half of its first stage, so its layouts differ in shape, as most variants' do.
FAMILY.variants[MODEL] = Variant((1, 1, 1), (16, 48, 96, 192, 1024))
# Parameters and BatchNorm statistics of a network without a bias.
TENSORS = 86

# Of ShuffleNetV1, with a block of stride 1 in one of the stages.
MODEL_V1 = "tiny_shufflenet_v1"
shufflenet_v1.FAMILY.variants[MODEL_V1] = shufflenet_v1.Variant(3, (12, 60, 120, 240), (1, 2, 1))
