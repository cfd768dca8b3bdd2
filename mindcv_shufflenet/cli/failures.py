"""Unforeseen failures of a command: no memory, an output or path that cannot be used, a fault of the program."""

import errno
import re
import sys
import traceback

from mindcv_shufflenet.errors import RunError, first_line
from mindcv_shufflenet.lines import output_error, silence
from mindcv_shufflenet.options.tables import saves_memory
from mindcv_shufflenet.parallel.group import current

# MindSpore raises RuntimeErrors; its words differ from kernel to kernel and in the data pipeline.
_MINDSPORE = r"out of memory|bad_alloc|memory (is)?n[o']t enough|fail(ed)? to allocate|(alloc\w*|memory) (\w+ )?fail"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory could not be had."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and bool(re.search(_MINDSPORE, str(error), re.IGNORECASE))
    )


def _smaller(verb: str | None) -> str:
    """Return a line that says what makes a verb use less memory."""
    options = [f"--{name}" for name in saves_memory(verb)] if verb else []
    advice = f"give a smaller {' or '.join(options)}, or " if options else ""
    return f"there is not enough memory; {advice}end other programs"


def _output_failed(error: OSError) -> int:
    """End quietly if the reader of the output has closed it, as ``head`` does; else report why it failed."""
    if not isinstance(error, BrokenPipeError) and error.errno != errno.ENOSPC:
        raise error
    silence(sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return 0
    failed = output_error(error)
    return current().fail(str(failed), failed.status)


def end(error: Exception, verb: str | None) -> int:
    """Report an error that no other part of the program has turned into a line, and return the exit status.

    Raises:
        Exception: the error again if it is a fault of the program, in a job of one process. Of several ranks each one
            writes its traceback before the job ends.
    """
    if is_out_of_memory(error):
        return current().fail(_smaller(verb), RunError.status)
    if isinstance(error, BrokenPipeError) or (isinstance(error, OSError) and error.filename is None):
        return _output_failed(error) if current().world.size == 1 else current().fail(str(error), 1)
    if isinstance(error, OSError):
        advice = "make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "check the path and its permissions"
        return current().fail(f"cannot use {error.filename}: {error.strerror}; {advice}", 2)
    if current().world.size == 1:
        raise error
    traceback.print_exception(error)
    return current().fail(
        f"{type(error).__name__}: {first_line(error)} (a fault of the program; its traceback is above)", 1
    )
