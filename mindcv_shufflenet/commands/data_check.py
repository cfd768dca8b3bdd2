"""``data check``: the findings of :func:`mindcv_shufflenet.data_check`, as lines and as JSON."""

import argparse
from collections.abc import Iterable
from dataclasses import asdict

from mindcv_shufflenet.commands.output import reporting, write_json
from mindcv_shufflenet.data.inspection.check import DataFindings, Duplicate, data_check
from mindcv_shufflenet.errors import RunError
from mindcv_shufflenet.lines import counted


def run(arguments: argparse.Namespace) -> None:
    """Look for faults and print each in a line.

    Raises:
        RunError: there are some; the exit status is 1.
    """
    with reporting(arguments) as console:
        findings = data_check(arguments.options, given=arguments.given, console=console)
    for fault in findings.faults:
        console.print(f"fault: {fault}")
    for image in findings.unreadable:
        console.print(f"unreadable: {image.image}: {image.reason}")
    for path in findings.strangers:
        console.print(f"no image: {path}")
    for duplicate in findings.duplicates:
        console.print(_line(duplicate))
    counts = ", ".join(f"{counted(count, 'image')} in {name}" for name, count in findings.images.items())
    console.print(f"{findings.dataset} in {findings.data_dir}: {counts} looked at")
    duplicates = [
        {"is_leak": one.is_leak, "is_conflict": one.is_conflict, **asdict(one)} for one in findings.duplicates
    ]
    write_json(arguments.json, {**asdict(findings), "duplicates": duplicates, "is_clean": findings.is_clean})
    if not findings.is_clean:
        raise RunError(_summary(findings))


def _line(duplicate: Duplicate) -> str:
    """The equal images, with what is wrong with that."""
    splits = _each_once(copy.split for copy in duplicate.copies)
    classes = _each_once(copy.class_name for copy in duplicate.copies)
    kinds = [f"leak, in {splits}"] if duplicate.is_leak else []
    kinds += [f"label conflict, {classes}"] if duplicate.is_conflict else []
    return f"{'; '.join(kinds) or 'duplicate'}: {' = '.join(copy.image for copy in duplicate.copies)}"


def _each_once(words: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(words))


def _summary(findings: DataFindings) -> str:
    """How many findings of each kind there are, and what to do."""
    leaks = sum(one.is_leak for one in findings.duplicates)
    conflicts = sum(one.is_conflict for one in findings.duplicates)
    leak = "of these in several splits, so validation sees what was trained on"
    conflict = "of these in several classes, so a label is wrong"
    counts = (
        (len(findings.faults), "fault of folders or lists", "faults of folders or lists"),
        (len(findings.unreadable), "unreadable image", "unreadable images"),
        (len(findings.strangers), "file that is no image", "files that are no images"),
        (len(findings.duplicates), "image there more than once", "images there more than once"),
        (leaks, leak, leak),
        (conflicts, conflict, conflict),
    )
    told = ", ".join(counted(*row) for row in counts if row[0])
    return f"{findings.data_dir} has {told}: mend or remove what is named above"
