"""``verify``: measured against published, and what explains a gap."""

import json
from pathlib import Path

import numpy as np
import pytest

from mindcv_shufflenet.evaluation import verify
from mindcv_shufflenet.weights.formats import write_arrays
from tests.cli.conftest import Command
from tests.weights.networks import arrays_of, random_network


@pytest.mark.parametrize("name", ["shufflenetv2_x1_0_torchvision_keys.npz", "shufflenet-v2-12-int8.onnx"])
def test_published_weights_reach_their_reference_score(
    name: str, imagenet_sample: Path, shared: Path, command: Command
) -> None:
    """81 and 96 of the 100 images, within two, with Pillow's resize; another resize and the gap are told."""
    words = ["shufflenet_v2_x1_0.tv_in1k", "--data_dir", imagenet_sample, "--ckpt_path", shared / "weights" / name]
    status, output, error = command("verify", *words, "--batch_size", 50, "--json", "-")
    assert status == 0, error
    result = json.loads(output)
    assert result["model"] == "shufflenet_v2_x1_0.tv_in1k"
    assert result["published"]["top1"] == 69.362
    assert abs(result["measured"]["top1"] - 81) <= 2
    assert abs(result["measured"]["top5"] - 96) <= 2
    tried = {attempt["preprocessing"]: attempt["top1"] for attempt in result["tried"]}
    assert list(tried) == ["resize by opencv", "short side 232", "no crop margin", "channels bgr"]
    assert abs(tried["resize by opencv"] - 78) <= 2
    assert tried["channels bgr"] < 72
    assert "partial data: 100 of 50,000 images" in result["verdict"]
    assert result["agrees"]


def test_a_score_that_is_too_low_fails_the_command(
    imagenet_sample: Path, shared: Path, tmp_path: Path, command: Command
) -> None:
    """Classes that are numbered otherwise than the weights have them: the score is by chance."""
    weights = shared / "weights" / "shufflenetv2_x1_0_torchvision_keys.npz"
    (tmp_path / "val").symlink_to(imagenet_sample / "val")
    wnids = (imagenet_sample / "synsets.txt").read_text().split()
    (tmp_path / "synsets.txt").write_text("\n".join(wnids[1:] + wnids[:1]) + "\n")
    words = ["shufflenet_v2_x1_0.tv_in1k", "--data_dir", tmp_path, "--ckpt_path", weights, "--batch_size", 50]
    status, output, error = command("verify", *words)
    assert status == 1
    assert "error: shufflenet_v2_x1_0.tv_in1k does not reach its published score" in error
    assert "lower: -" in output


def test_options_that_are_not_read_are_told_and_change_nothing(
    imagenet_sample: Path, shared: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = {
        "model": "shufflenet_v2_x1_0.tv_in1k",
        "ckpt_path": shared / "weights" / "shufflenetv2_x1_0_torchvision_keys.npz",
        "data_dir": imagenet_sample,
        "num_samples": 2,
        "batch_size": 2,
        "mode": 1,
    }
    scores = []
    for more in ({}, {"lr": 1, "image_resize": 32}):
        with caplog.at_level("INFO", "mindcv_shufflenet"):
            scores.append(verify.verify(options | more).loss)
        assert ("verify does not read lr, image_resize" in caplog.messages) == bool(more)
    assert scores[0] == scores[1]


def test_all_images_leave_no_room_for_chance() -> None:
    assert verify.margin_of(70, 50_000, 50_000) == verify.TOLERANCE
    assert 8 < verify.margin_of(70, 100, 50_000) < 10


def test_weights_without_an_address_are_asked_for(command: Command, tmp_path: Path) -> None:
    status, _, error = command("verify", "shufflenet_v2_x1_0.megvii_in1k", "--data_dir", tmp_path)
    assert status == 2
    assert "has no stable address: get the file from the drives" in error


def test_weights_of_cifar10_are_verified_on_it(tmp_path: Path) -> None:
    """Of 10,000 images; all of them of one class, which a classifier without weights chooses."""
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    records = np.random.default_rng(0).integers(0, 256, (10_000, 3073), np.uint8)
    records[:, 0] = 0
    records.tofile(folder / "test_batch.bin")
    arrays = arrays_of(random_network("shufflenet_v2_x0_5", layout="torchvision", num_classes=10), "torchvision")
    arrays |= {"fc.weight": arrays["fc.weight"] * 0, "fc.bias": np.eye(10, dtype=np.float32)[0]}
    write_arrays(arrays, tmp_path / "net.npz")
    options = {"ckpt_path": str(tmp_path / "net.npz"), "data_dir": str(tmp_path), "num_samples": 100, "mode": 1}
    result = verify.verify({"model": "shufflenet_v2_x0_5.cifar10", **options})
    assert (result.images, result.top1, result.record.images) == (100, 100, 10_000)
    assert result.margin == verify.margin_of(90.13, 100, 10_000) < verify.margin_of(90.13, 100, 50_000)
    assert "partial data: 100 of 10,000 images" in result.verdict
    assert [attempt.preprocessing for attempt in result.tried] == ["resize by opencv", "channels bgr"]


def test_weights_are_compared_on_the_data_set_of_their_record(command: Command, tmp_path: Path) -> None:
    write_arrays(
        arrays_of(random_network("shufflenet_v2_x0_5", layout="torchvision", num_classes=100), "torchvision"),
        tmp_path / "net.npz",
    )
    words = ["--data_dir", tmp_path, "--ckpt_path", tmp_path / "net.npz"]
    status, _, error = command("verify", "shufflenet_v2_x0_5.cifar100", *words)
    assert status == 2
    assert f"no test.bin in {tmp_path}/cifar-100-binary" in error
    status, _, error = command(
        "verify", "shufflenet_v2_x0_5.cifar100", *words, "--dataset", "imagenet", "--dataset_download"
    )
    assert status == 2
    assert "error: --dataset_download works for " in error
