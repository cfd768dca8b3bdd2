"""Small text files and names: JSON that may be missing, text of any encoding, names in one Unicode form."""

import codecs
import json
import unicodedata
from pathlib import Path
from typing import Any

from mindcv_shufflenet.errors import UserError


def read_json(path: Path) -> dict[str, Any]:
    """The table in a JSON file; an empty one where the file is missing, damaged, or something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def read_text(path: Path) -> str:
    """Return the text of a file, in UTF-8 or UTF-16 with a byte order mark, with any line ends.

    Raises:
        UserError: the file cannot be read, or is no text.
    """
    try:
        content = path.read_bytes()
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path} as text: {error}; check the file and its permissions") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def normal(name: str) -> str:
    """Return a name in Unicode's composed form (NFC), since macOS writes an accent as a letter of its own."""
    return unicodedata.normalize("NFC", name)
