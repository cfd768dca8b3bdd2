"""Whose published weights a file holds, and whether its content proves it."""

from typing import NamedTuple

from mindcv_shufflenet.weights.provenance import Settled, is_file_of
from mindcv_shufflenet.weights.records import RECORDS, Record, find_record, get_pretrained_cfg


class Publication(NamedTuple):
    """A record that weights are taken for.

    Attributes:
        record: the record.
        is_proven: the weights were fetched from its address, or their file has its checksum. A tag that the user gives,
            or the name of the file, proves nothing.
    """

    record: Record
    is_proven: bool


def publication(settled: Settled, sha256: str) -> Publication | None:
    """Return the record that the weights are taken for; None where nothing names one.

    Args:
        settled: the options and the weights.
        sha256: of the file of the weights.
    """
    config, weights = settled.config, settled.weights
    if weights is None:
        return None
    if config.pretrained and not config.ckpt_path:
        return Publication(get_pretrained_cfg(config.model), is_proven=True)
    if record := next((r for r in RECORDS.values() if r.sha256 and sha256.startswith(r.sha256)), None):
        return Publication(record, is_proven=True)
    named = find_record(config.model) or next((r for r in RECORDS.values() if is_file_of(r, weights)), None)
    return Publication(named, is_proven=False) if named else None
