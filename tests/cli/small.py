"""``shufflenet VERB`` with a network of one block a stage, for tests where any network will do."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mindcv_shufflenet.__main__ import run
from mindcv_shufflenet.weights import keys

SMALL_BLOCKS, SMALL_TENSORS = (1, 1, 1), 86

if __name__ == "__main__":
    keys.STAGE_BLOCKS = SMALL_BLOCKS
    sys.exit(run())
