"""Train a network: ``python train.py -c configs/shufflenetv2/digits.yaml``; the same as ``shufflenet train``."""

import sys

from mindcv_shufflenet.__main__ import run

sys.exit(run(verb="train"))
