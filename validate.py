"""Validate a checkpoint: ``python validate.py --model NAME --ckpt_path FILE``; the same as ``shufflenet validate``."""

import sys

from mindcv_shufflenet.cli import main

sys.exit(main(verb="validate"))
