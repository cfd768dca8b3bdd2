"""The process that does the checks: ``python -m mindcv_shufflenet.diagnosis.worker DEVICE RANKS FIRST``.

It is a process of its own, since what is checked may end it. For each check it writes a line, the outcome as JSON.
"""

import importlib
import json
import logging
import os
import sys
import time
import traceback
from typing import Any

from mindcv_shufflenet.diagnosis.checks import CHECKS, Check
from mindcv_shufflenet.diagnosis.outcome import FAILED, LEFT_OUT, PASSED, CheckFailed, CheckLeftOut, Outcome
from mindcv_shufflenet.errors import RunError, UserError

# What a line begins with that is meant for the self-test: libraries print as well.
MARK = "selftest "


def do(check: Check, device_target: str, ranks: int) -> Outcome:
    """Do a check."""
    module, _, name = check.function.partition(".")
    start = time.perf_counter()
    try:
        function = getattr(importlib.import_module(f"mindcv_shufflenet.diagnosis.{module}"), name)
        status, detail = PASSED, function(*_arguments(check, device_target, ranks))
    except CheckLeftOut as error:
        status, detail = LEFT_OUT, str(error)
    except (CheckFailed, UserError, RunError) as error:
        status, detail = FAILED, str(error)
    except Exception as error:
        traceback.print_exc()
        status, detail = FAILED, f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    meaning = check.meaning if status == FAILED else ""
    return Outcome(check.name, status, detail, meaning, time.perf_counter() - start)


def _arguments(check: Check, device_target: str, ranks: int) -> list[Any]:
    """Return what a check is given."""
    arguments: dict[str, Any] = {"ranks": ranks}
    if "device" in check.takes:
        from mindcv_shufflenet.runtime.device import choose_device, use_device

        arguments["device"] = choose_device(device_target)
        use_device(arguments["device"])
    return [arguments[name] for name in check.takes]


def main() -> None:
    """Do the checks from a number on."""
    device_target, ranks, first = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    logging.disable(logging.INFO)
    os.environ.setdefault("GLOG_v", "4")
    for check in CHECKS[first:]:
        print("\n" + MARK + json.dumps(do(check, device_target, ranks)), flush=True)


if __name__ == "__main__":
    main()
