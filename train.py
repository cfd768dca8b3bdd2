"""Train a network: ``python train.py -c configs/shufflenetv2/digits.yaml``; the same as ``shufflenet train``."""

import sys

from mindcv_shufflenet.cli import main

sys.exit(main(verb="train"))
