"""Validate a checkpoint: ``python validate.py --model NAME --ckpt_path FILE``; the same as ``shufflenet validate``."""

import sys

from mindcv_shufflenet.__main__ import run

sys.exit(run(verb="validate"))
