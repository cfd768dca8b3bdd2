"""The processor: its name, and the instructions that decide which numbers it computes fast."""

import functools
import platform
import re
from pathlib import Path
from typing import NamedTuple

# Instruction sets that matter to a network, as Linux spells them, and what people call them.
_INSTRUCTIONS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx_vnni": "AVX-VNNI",
    "avx512_vnni": "AVX512-VNNI",
    "avx512_bf16": "AVX512-BF16",
    "amx_bf16": "AMX-BF16",
    "amx_int8": "AMX-INT8",
    "asimd": "NEON",
    "asimddp": "NEON dot product",
}


class Processor(NamedTuple):
    """A processor.

    Attributes:
        name: as the machine tells it.
        instructions: names of the sets among ``AVX2``, ``AVX-512``, ``AVX512-VNNI``, ... that it has.
        machine: the kind of processor, such as ``x86_64``.
        flags: all that it has, as Linux spells them.
    """

    name: str
    instructions: tuple[str, ...]
    machine: str = ""
    flags: frozenset[str] = frozenset()

    @property
    def target(self) -> str:
        """The name of its kind among ``TARGETS`` of options/names.py."""
        if self.machine.lower() in ("arm64", "aarch64"):
            return "arm"
        return "x86-vnni" if any("VNNI" in name for name in self.instructions) else "x86"


@functools.cache
def processor() -> Processor:
    """Return the processor of this machine; without Linux's ``/proc/cpuinfo`` its instructions are not known."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    return parse_processor(text, platform.machine())


def parse_processor(text: str, machine: str) -> Processor:
    """Return the processor that the text of ``/proc/cpuinfo`` describes, on a kind of machine."""
    name = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*: (.+)$", text, re.MULTILINE)
    has = frozenset(flags[1].split() if flags else ())
    instructions = tuple(title for flag, title in _INSTRUCTIONS.items() if flag in has)
    return Processor(name[1].strip() if name else platform.processor() or machine, instructions, machine, has)
