"""``msrun``'s scheduler, through which the workers find each other, and an observer that reports its end to rank 0.

Without the observer, workers wait for a dead scheduler until MindSpore's timeout, and the scheduler for dead workers.
The scheduler holds Python's global lock while it serves, so the observer is a process of its own.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from mindcv_shufflenet.errors import RunError, UserError
from mindcv_shufflenet.parallel.rendezvous import bind, meet_as_scheduler, receive, send

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

# What the scheduler writes when it ends for a mistake that the ranks make and report as well.
_SAME_MISTAKE = b"\0"
# What it writes when its port is free and it starts to serve.
_READY = b"\1"


def serve(check: Callable[[], object]) -> None:
    """Run the scheduler until the workers have ended.

    Args:
        check: checks the command line as the workers do, and raises if it is wrong.

    Raises:
        UserError: its port is taken.
    """
    scheduler, alone = os.getpid(), os.environ["MS_WORKER_NUM"] == "1"  # a single worker has no connections
    told, tell = os.pipe()
    if not alone and not os.fork():
        os.close(tell)
        _observe(told, scheduler)
    try:
        check()
    except (UserError, SystemExit):
        os.write(tell, _SAME_MISTAKE)
        raise
    host, port = os.environ["MS_SCHED_HOST"], int(os.environ["MS_SCHED_PORT"])
    try:  # before the workers wait for it inside MindSpore, where no message reaches them
        bind(host, port).close()
    except UserError as error:
        os.write(tell, str(error).encode())
        raise
    os.write(tell, _READY)
    import mindspore as ms
    from mindspore.communication import init

    ms.set_device("CPU")
    init()


def _observe(told: int, scheduler: int) -> NoReturn:
    """Wait for the end of the scheduler or of the job, whichever comes first, and end the other."""
    status = 1
    try:
        connection = meet_as_scheduler()
        message = _next(told, connection)
        if message == _READY:
            send(connection, {"value": None})
            message = _next(told, connection)
        if message != _SAME_MISTAKE:
            text = message.decode() or "it is gone: killed, out of memory, or crashed"
            send(connection, {"failed": [text, 1]})
        status = receive(connection)["end"]
    except RunError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
    except (OSError, EOFError):
        pass  # rank 0 is gone
    if status and os.getppid() == scheduler:
        os.kill(scheduler, signal.SIGKILL)
    os._exit(0)


def _next(told: int, connection: Connection) -> bytes:
    """Return what the scheduler writes next; ``_SAME_MISTAKE`` if rank 0 sends something or ends first."""
    ready, _, _ = select.select([told, connection.fileno()], [], [])
    return os.read(told, 1000) if told in ready else _SAME_MISTAKE
