"""How a command ends that fails for a reason that no part of it has foreseen."""

import errno

import numpy as np
import pytest

from mindcv_shufflenet.cli.failures import end, is_out_of_memory

# As MindSpore 2.8 says it on a CPU, in a graph and in the data pipeline.
GRAPH = """
----------------------------------------------------
- Memory not enough:
----------------------------------------------------
Memory isn't enough and alloc failed, kernel name: Default/data-0, alloc size: 32B.
"""
PIPELINE = "Exception thrown from dataset pipeline.\n[ERROR] Failed to allocate memory for tensor.\n"


@pytest.mark.parametrize(
    ("verb", "advice"),
    [
        ("train", "give a smaller --batch_size or --image_resize or --num_parallel_workers, or end other programs"),
        ("predict", "give a smaller --batch_size or --image_resize, or end other programs"),
        ("convert", "end other programs"),
        (None, "end other programs"),
    ],
)
def test_too_little_memory_is_one_line(verb: str | None, advice: str, capsys: pytest.CaptureFixture[str]) -> None:
    for error in (MemoryError(), RuntimeError(GRAPH), RuntimeError(PIPELINE), OSError(errno.ENOMEM, "no memory")):
        assert end(error, verb) == 1
        assert capsys.readouterr().err == f"error: there is not enough memory; {advice}\n"
    with pytest.raises(MemoryError) as caught:
        np.empty((1 << 46,))
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize("error", [RuntimeError("Malloc memory failed."), RuntimeError("std::bad_alloc")])
def test_other_words_for_it(error: Exception) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize("error", [ValueError("out of memory"), RuntimeError("the memory format NHWC"), OSError("x")])
def test_a_fault_of_the_program_keeps_its_traceback(error: Exception) -> None:
    assert not is_out_of_memory(error)
    with pytest.raises(type(error)):
        end(error, "train")
