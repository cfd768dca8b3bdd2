"""The kernels' C++ test program (``native/``), built with the compiler's sanitizers and for any processor."""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.kernels.compiler import FLAGS, SOURCE, build, find_compiler, instruction_flags

NATIVE = Path(__file__).parent / "native"
# Without optimisation, which takes most of the time of compiling.
QUICK = ("-O0", "-Wno-psabi", f"-I{SOURCE}")
Program = Callable[..., bytes]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Build the program with some flags, run some of its checks or all, and return what it prints."""
    try:
        compiler = find_compiler()
    except UserError as error:
        pytest.skip(str(error))
    sources = [*SOURCE.glob("*.cc"), *NATIVE.glob("*.cc")]

    def run(*flags: str, checks: Sequence[str] = ()) -> bytes:
        path = tmp_path_factory.mktemp("native") / "checks"
        build([*compiler, *FLAGS, *QUICK, *flags], sources, path)
        done = subprocess.run([str(path), *checks], capture_output=True, timeout=100)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return run


def results(output: bytes) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name of each operator that was called, and all numbers that it has written."""
    while output:
        line, _, output = output.partition(b"\n")
        name, count = line.split()
        yield name.decode(), np.frombuffer(output, np.float32, int(count))
        output = output[4 * int(count) :]


def test_memory_and_undefined_behaviour_and_plain_code(program: Program) -> None:
    """Plain C++ computes the same as the instructions of this processor, up to rounding."""
    checked = program(*instruction_flags(), "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined")
    plain = program()
    for (name, found), (_, expected) in zip(results(plain), results(checked), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * np.abs(expected).max(), err_msg=name)


def test_threads(program: Program) -> None:
    pool = "few_and_many_items", "short_jobs", "jobs_of_several_threads", "jobs_within_jobs", "changing_callers"
    program(*instruction_flags(), "-fsanitize=thread", checks=(*pool, "results"))
