"""The pages, and what stands in them: blocks, command lines."""

import ast
import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [
    path.relative_to(ROOT).as_posix()
    for pattern in ("README*.md", "docs/*.md", "examples/*.md")
    for path in sorted(ROOT.glob(pattern))
]


def fenced(page: str, language: str) -> list[str]:
    """The blocks of a page in a language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[str]:
    """The command lines of a page, without comments: of its blocks, and those in its sentences that have options."""
    blocks = "\n".join(fenced(page, "bash")).replace("\\\n", " ")
    lines = [shlex.join(words) for line in blocks.splitlines() if (words := shlex.split(line, comments=True))]
    prose = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    quoted = re.findall(r"`((?:(?:python|mpirun|msrun) [^`]*\.py|shufflenet \w+) [^`]*--[^`]+)`", prose)
    return lines + [shlex.join(shlex.split(text)) for text in quoted]


def python(page: str) -> list[str]:
    """The Python blocks of a page without their comments."""
    return [ast.unparse(ast.parse(block)) for block in fenced(page, "python")]
