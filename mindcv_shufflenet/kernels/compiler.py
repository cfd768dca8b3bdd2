"""The system's C++ compiler, and what it makes of the kernels' source for this processor."""

import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.runtime.cores import count_cores
from mindcv_shufflenet.runtime.processor import processor

SOURCE = Path(__file__).parent / "source"
FLAGS = (
    "-std=c++20", "-O3", "-fPIC", "-pthread", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden",
)  # fmt: skip
_COMPILERS = ("c++", "g++", "clang++")
# The compiler's options for instructions, by the processor's flags for them; the best level comes first.
_AVX2 = {"avx2": "-mavx2", "fma": "-mfma"}
_AVX512 = _AVX2 | {flag: f"-m{flag}" for flag in ("avx512f", "avx512bw", "avx512dq", "avx512vl")}
_AMX = _AVX512 | {"avx512_bf16": "-mavx512bf16", "amx_tile": "-mamx-tile", "amx_bf16": "-mamx-bf16"}
_LEVELS = (_AMX, _AVX512, _AVX2)


def find_compiler() -> list[str]:
    """Return the command of the compiler: that of the environment variable ``CXX``, or the first that is installed.

    Raises:
        UserError: there is none, ``CXX`` names none, or the kernels are not for this platform.
    """
    if platform.system() != "Linux":
        raise UserError(f"they are for Linux, and this is {platform.system()}")
    try:
        wanted = shlex.split(os.environ.get("CXX", ""))
    except ValueError as error:
        raise UserError(f"CXX={os.environ['CXX']} is no command ({error}); unset CXX, or name a compiler") from error
    if wanted:
        if shutil.which(wanted[0]) is None:
            raise UserError(f"there is no compiler {wanted[0]}, which CXX names; unset CXX, or name another")
        return wanted
    compiler = next((path for name in _COMPILERS if (path := shutil.which(name))), None)
    if compiler is None:
        raise UserError("there is no C++ compiler; install g++ for a faster training")
    return [compiler]


def instruction_flags() -> tuple[str, ...]:
    """Return the compiler's options for the instructions that this processor has; none of them: plain C++.

    A vector of 16 floats is one register where there are such, and every processor with AVX2 takes, or leaves out, a
    prefetch for writing.
    """
    level = next((level for level in _LEVELS if level.keys() <= processor().flags), None)
    return (*level.values(), "-mprfchw", "-mprefer-vector-width=512") if level else ()


def build(command: Sequence[str], sources: Sequence[Path], target: Path, *linking: str) -> None:
    """Compile sources at the same time, and link them.

    Args:
        command: the compiler and its options.
        sources: files whose names differ.
        target: is written.
        linking: options of the linker.

    Raises:
        UserError: the compiler fails; its first error is given. Or it has written nothing.
    """
    sources = sorted(sources, key=lambda source: source.stat().st_size, reverse=True)  # what takes longest begins first
    with tempfile.TemporaryDirectory() as folder:
        objects = [os.path.join(folder, f"{source.stem}.o") for source in sources]
        with ThreadPoolExecutor(count_cores()) as pool:
            commands = [[*command, "-c", str(source), "-o", to] for source, to in zip(sources, objects, strict=True)]
            list(pool.map(_call, commands))
        _call([*command, *linking, *objects, "-o", str(target)])
    if not target.is_file():
        raise UserError(f"{command[0]} has compiled nothing; let CXX name a C++ compiler")


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        reason = next((line for line in done.stderr.splitlines() if "error" in line), f"status {done.returncode}")
        raise UserError(f"{command[0]} does not compile them: {reason}")
