"""A worker that dies at its second check."""

import json
import os
import signal
import sys

from mindcv_shufflenet.diagnosis.checks import CHECKS
from mindcv_shufflenet.diagnosis.outcome import PASSED, Outcome
from mindcv_shufflenet.diagnosis.worker import MARK

if __name__ == "__main__":
    first = int(sys.argv[3])
    print("a line of a library")
    for number in range(first, len(CHECKS)):
        if number == 2:
            print("the last words", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGSEGV)
        print(MARK + json.dumps(Outcome(CHECKS[number].name, PASSED, "fine")), flush=True)
