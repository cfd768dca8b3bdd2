"""Whose published weights a file holds."""

from pathlib import Path

import pytest

from mindcv_shufflenet.weights.checkpoint import save_checkpoint
from mindcv_shufflenet.weights.metadata import Metadata
from mindcv_shufflenet.weights.provenance import settle
from mindcv_shufflenet.weights.publication import publication
from tests.weights.networks import random_network

MODEL, TAGGED = "shufflenet_v2_x0_5", "shufflenet_v2_x0_5.mindcv_in1k"
PUBLISHED, OTHER = "8c841061" + "0" * 56, "1" * 64


@pytest.mark.parametrize(
    ("file", "model", "sha256", "expected"),
    [
        ("net.ckpt", MODEL, OTHER, None),
        ("net.ckpt", TAGGED, OTHER, (TAGGED, False)),
        ("shufflenet_v2_x0_5-8c841061.ckpt", MODEL, OTHER, (TAGGED, False)),
        ("net.ckpt", MODEL, PUBLISHED, (TAGGED, True)),
        ("net.ckpt", "shufflenet_v2_x0_5.mindcv_910v2_in1k", PUBLISHED, (TAGGED, True)),
        ("net.ckpt", "shufflenet_v2_x0_5.megvii_in1k", OTHER, ("shufflenet_v2_x0_5.megvii_in1k", False)),
    ],
)
def test_a_checksum_proves_what_a_name_claims(
    file: str, model: str, sha256: str, expected: tuple[str, bool] | None, tmp_path: Path
) -> None:
    path = tmp_path / file
    save_checkpoint(random_network(MODEL), path, Metadata({"model": MODEL}))
    found = publication(settle({"model": model, "ckpt_path": str(path)}), sha256)
    assert (found and (found.record.name, found.is_proven)) == expected
