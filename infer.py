"""Name what is in images: ``python infer.py --image_path IMAGE --model NAME``; the same as ``shufflenet predict``."""

import sys

from mindcv_shufflenet.__main__ import run

sys.exit(run(verb="predict"))
