"""What /proc/cpuinfo tells of a processor."""

import pytest

from mindcv_shufflenet.runtime.processor import parse_processor, processor


@pytest.mark.parametrize(
    ("flags", "machine", "target"),
    [
        ("flags\t\t: fpu avx2 avx512f avx512_vnni amx_int8", "x86_64", "x86-vnni"),
        ("flags\t\t: fpu avx2 avx_vnni", "x86_64", "x86-vnni"),
        ("flags\t\t: fpu avx2 avx512f", "AMD64", "x86"),
        ("Features\t: fp asimd asimddp", "aarch64", "arm"),
        ("", "x86_64", "x86"),
    ],
)
def test_the_target_follows_from_the_instructions(flags: str, machine: str, target: str) -> None:
    assert parse_processor(f"model name\t: A processor\n{flags}\n", machine).target == target


def test_the_name_and_the_instructions_are_read() -> None:
    found = parse_processor("processor: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t\t: avx2 amx_bf16\n", "x86_64")
    assert (found.name, found.instructions) == ("Some CPU @ 2 GHz", ("AVX2", "AMX-BF16"))
    assert processor().name
