"""The library of kernels is compiled once, and training goes on without it: each case in a process of its own."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

PRINT = """
import logging
logging.basicConfig(level=logging.INFO, format="%(message)s")
from mindcv_shufflenet.kernels.library import library
print(library(), library())
"""
# A compiler that writes down its calls, and links a library in no time.
COMPILER = """#!/bin/sh
echo "$@" >> {folder}/calls
for target; do :; done
case "$*" in
    *--version) echo 1 ;;
    *-shared*) echo 'extern "C" void set_kernel_threads(int) {{}}' | exec g++ -shared -fPIC -x c++ - -o "$target" ;;
    *) : > "$target" ;;
esac
"""
Run = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Start Python with a cache of its own; the compiler is the quick one, unless the environment says another."""
    compiler = tmp_path / "compiler"
    compiler.write_text(COMPILER.format(folder=tmp_path))
    compiler.chmod(0o755)

    def start(program: str = PRINT, **environment: str) -> subprocess.Popen[str]:
        environment = {"MINDCV_SHUFFLENET_HOME": str(tmp_path / "home"), "CXX": str(compiler), **environment}
        return subprocess.Popen(
            [sys.executable, "-c", program], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=os.environ | environment,
        )  # fmt: skip

    return start


def told(process: subprocess.Popen[str]) -> tuple[str, list[str]]:
    """Return the library that both calls have given, and the lines that were logged."""
    output, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors
    first, second = output.split()
    assert first == second
    return first, errors.splitlines()


def links(folder: Path) -> int:
    """Return how often the quick compiler has linked."""
    return sum("-shared" in call for call in (folder / "calls").read_text().splitlines())


def check_left_out(process: subprocess.Popen[str], *words: str) -> None:
    """Check that there is no library, and that one line says why."""
    path, lines = told(process)
    assert path == "None"
    assert len([line for line in lines if "MindSpore's own operators are used" in line]) == 1
    assert all(word in lines[-1] for word in words), lines


needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="there is no compiler")


def test_switched_off(run: Run, tmp_path: Path) -> None:
    for value in ("off", "OFF", "0"):
        check_left_out(run(MINDCV_SHUFFLENET_KERNELS=value), "MINDCV_SHUFFLENET_KERNELS")
    assert not (tmp_path / "calls").exists()


def test_no_compiler(run: Run, tmp_path: Path) -> None:
    check_left_out(run(PATH=str(tmp_path), CXX=""), "install g++")
    check_left_out(run(CXX="none -O1"), "no compiler none", "CXX")
    check_left_out(run(CXX='"g++'), 'CXX="g++ is no command (No closing quotation)')
    check_left_out(run(CXX="/bin/true"), "/bin/true has compiled nothing; let CXX name a C++ compiler")
    assert not list((tmp_path / "home").rglob("*.so"))


def test_a_folder_from_which_mindspore_loads_nothing(run: Run, tmp_path: Path) -> None:
    check_left_out(run(MINDCV_SHUFFLENET_HOME=str(tmp_path / "a:b")), "colon", "a:b")
    check_left_out(run(MS_CUSTOM_AOT_WHITE_LIST="/elsewhere"), "MS_CUSTOM_AOT_WHITE_LIST=/elsewhere")


def test_another_platform(run: Run) -> None:
    check_left_out(run("import platform\nplatform.system = lambda: 'Darwin'\n" + PRINT), "Linux", "Darwin")


def test_a_compiler_that_fails(run: Run, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho 'lanes.h:1: error: what is this' >&2\nexit 1\n")
    broken.chmod(0o755)
    check_left_out(run(CXX=str(broken)), "broken", "error: what is this")
    assert not list((tmp_path / "home").rglob("*.so"))


def test_a_compiler_that_cannot_be_started(run: Run, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("no program")
    broken.chmod(0o755)
    check_left_out(run(CXX=str(broken)))


def test_a_cache_that_cannot_be_written(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check_left_out(run(MINDCV_SHUFFLENET_HOME=str(tmp_path / "file")), "cannot write", str(tmp_path / "file"))


@needs_compiler
def test_a_library_that_does_not_load(run: Run, tmp_path: Path) -> None:
    compiler = tmp_path / "compiler"
    compiler.write_text(compiler.read_text().replace("g++ -shared -fPIC -x c++ - -o", "tee"))
    check_left_out(run(), "file too short")
    check_left_out(run(), "file too short")
    assert links(tmp_path) == 1


@needs_compiler
@pytest.mark.parametrize("damage", [lambda content: content[: len(content) // 2], lambda content: b"x" * 100])
def test_a_damaged_library_is_compiled_anew(run: Run, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = Path(told(run())[0])
    path.write_bytes(damage(path.read_bytes()))
    again, lines = told(run())
    assert Path(again).exists()
    assert lines == ["compiling the kernels for this processor, once; that takes some seconds"]
    assert links(tmp_path) == 2
    assert told(run()) == (again, [])


@needs_compiler
def test_several_processes_compile_it_once(run: Run, tmp_path: Path) -> None:
    results = [told(process) for process in [run() for _ in range(4)]]
    assert len({path for path, _ in results}) == 1
    assert len([lines for _, lines in results if lines]) == 1
    assert links(tmp_path) == 1


@needs_compiler
def test_another_compiler_or_processor_has_another_library(run: Run, tmp_path: Path) -> None:
    first, _ = told(run())
    processor = """
import mindcv_shufflenet.runtime.processor as module
module.processor = lambda: module.Processor("a", ("AVX2",), {machine!r})
"""
    others = [told(run(processor.format(machine=machine) + PRINT))[0] for machine in ("x86_64", "aarch64")]
    compiler = tmp_path / "compiler"
    compiler.write_text(compiler.read_text().replace("echo 1", "echo 2"))
    compilers = (str(compiler), f"{compiler} -ffast-math")
    assert len({first, *others, *(told(run(CXX=command))[0] for command in compilers)}) == 5


@needs_compiler
def test_a_relative_cache_is_found_from_another_folder(run: Run, tmp_path: Path) -> None:
    path, _ = told(run(MINDCV_SHUFFLENET_HOME=os.path.relpath(tmp_path / "near")))
    assert path.startswith(f"{tmp_path}/near/")


@needs_compiler
def test_forgotten_libraries_are_removed(run: Run, tmp_path: Path) -> None:
    """They go when another one is compiled; one that is loaded now and then stays."""
    used = Path(told(run())[0])
    old, recent = used.with_name("kernels-1-1.so"), used.with_name("kernels-2-2.so")
    for path, days in ((used, 40), (old, 40), (recent, 20)):
        path.touch()
        os.utime(path, (time.time() - days * 24 * 3600,) * 2)
    assert told(run())[0] == str(used)
    compiler = tmp_path / "compiler"
    compiler.write_text(compiler.read_text().replace("echo 1", "echo 2"))
    told(run())
    assert used.exists()
    assert recent.exists()
    assert not old.exists()


FORK = """
import ctypes, os, signal, sys, threading
import numpy as np
library = ctypes.CDLL(sys.argv[1])
library.set_kernel_threads(3)

def settings(activation):
    return np.array((1e-5, 0.1, activation, 0), np.float32)

def ones(*shape):
    return np.ones(shape, np.float32)

def block():
    norm = [ones(9)] * 4
    arrays = [
        ones(2, 18, 5, 5), ones(9, 9, 1, 1), settings(1), *norm, ones(9, 1, 3, 3), settings(0), *norm, ones(9, 9, 1, 1),
        settings(1), *norm, ones(2, 18, 5, 5) * np.nan, ones(2, 9, 5, 5), ones(2, 9, 5, 5), *(ones(2, 9),) * 3,
    ]
    shapes = [(ctypes.c_int64 * array.ndim)(*array.shape) for array in arrays]
    count = len(arrays)
    status = library.block_megvii(
        count, (ctypes.c_void_p * count)(*(array.ctypes.data for array in arrays)),
        (ctypes.c_int * count)(*(array.ndim for array in arrays)),
        (ctypes.c_void_p * count)(*(ctypes.addressof(shape) for shape in shapes)),
        (ctypes.c_char_p * count)(*(b"float32",) * count), None, None,
    )
    return status == 0 and np.isfinite(arrays[19]).all()

assert block()
over = threading.Event()
def go_on():
    while not over.is_set():
        block()
thread = threading.Thread(target=go_on)
thread.start()
children = []
for _ in range(40):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(0 if all(block() for _ in range(5)) else 1)
    children.append(child)
statuses = [os.waitpid(child, 0)[1] for child in children]
over.set()
thread.join()
assert not any(statuses), statuses
"""


def test_a_forked_process_computes() -> None:
    """It has none of the threads, and is forked while another thread computes."""
    from mindcv_shufflenet.kernels.library import library

    if library() is None:
        pytest.skip("there are no kernels on this machine")
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORK, str(library())], check=True, timeout=100)
