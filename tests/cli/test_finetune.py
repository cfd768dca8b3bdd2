"""Training that starts from weights with another classifier, of another project, or of a backbone alone."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import yaml

from mindcv_shufflenet.weights import records
from mindcv_shufflenet.weights.formats import write_arrays
from tests.cli.conftest import MODEL, TINY, Command
from tests.storage.test_download import serve
from tests.weights.networks import X0_5, arrays_of, random_network, read_arrays

# With learning rate 0 the weights that are saved are those that the training started from.
STILL = [*TINY, "--epoch_size", 1, "--lr", 0, "--min_lr", 0, "--no-val_while_train"]


@pytest.fixture
def imagenet_weights(tmp_path: Path) -> Path:
    path = tmp_path / "imagenet.npz"
    write_arrays(arrays_of(random_network(MODEL, layout="torchvision"), "torchvision"), path)
    return path


def start_weights(folder: Path) -> dict[str, np.ndarray]:
    return read_arrays(folder / f"{MODEL}-last.ckpt")


def test_another_classifier_only_when_asked_for(imagenet_weights: Path, tmp_path: Path, command: Command) -> None:
    words = [*STILL, "--ckpt_path", imagenet_weights, "--ckpt_save_dir", tmp_path / "run"]
    status, _, error = command("train", *words)
    assert status == 2
    assert "classifier.weight is (1000, 1024) there and (10, 1024) here" in error
    assert "--reset_classifier" in error
    assert not (tmp_path / "run").exists()
    status, output, error = command("train", *words, "--reset_classifier")
    assert status == 0, error
    assert "note: the classifier starts anew" in output
    assert f"note: from {imagenet_weights}: layout=torchvision, pool=pad" in output
    got, source = start_weights(tmp_path / "run"), arrays_of(random_network(MODEL, layout="torchvision"))
    assert got["classifier.weight"].shape == (10, 1024)
    assert np.array_equal(got["features.1.branch_main.5.weight"], source["features.1.branch_main.5.weight"])
    recorded = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert (recorded["layout"], recorded["pool"], recorded["stem"]) == ("torchvision", "pad", "cifar")


def test_a_run_in_the_weights_layout_goes_on_with_the_same_command(
    imagenet_weights: Path, tmp_path: Path, command: Command
) -> None:
    words = [*STILL, "--ckpt_path", imagenet_weights, "--reset_classifier", "--ckpt_save_dir", tmp_path / "run"]
    assert command("train", *words)[0] == 0
    imagenet_weights.unlink()
    status, output, error = command("train", *words, "--resume_opt", "--epoch_size", 2)
    assert status == 0, error
    assert "epoch 2/2" in output


def test_published_weights_bring_a_new_classifier_unasked(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINDCV_SHUFFLENET_HOME", str(tmp_path / "home"))
    write_arrays(arrays_of(random_network(MODEL)), tmp_path / "file.ckpt")
    body = (tmp_path / "file.ckpt").read_bytes()
    digits = hashlib.sha256(body).hexdigest()[:8]
    with serve({f"/net-{digits}.ckpt": body}) as server:
        record = records.get_pretrained_cfg(X0_5)._replace(
            model=MODEL, url=f"{server.url}/net-{digits}.ckpt", sha256=digits
        )
        monkeypatch.setitem(records.RECORDS, record.name, record)
        words = [*STILL, "--pretrained", "--num_classes", 10, "--ckpt_save_dir", tmp_path / "run"]
        status, output, error = command("train", *words)
        assert status == 0, error
        assert "note: the classifier starts anew; all other weights are the checkpoint's" in output
        status, _, error = command("validate", "--model", MODEL, "--dataset", "digits", "--pretrained")
        assert status == 2
        assert "classifier.weight is (1000, 1024) there and (10, 1024) here" in error
    got, source = start_weights(tmp_path / "run"), arrays_of(random_network(MODEL))
    assert np.array_equal(got["conv_last.0.weight"], source["conv_last.0.weight"])


def test_a_backbone_where_that_is_said(tmp_path: Path, command: Command) -> None:
    backbone = {
        name: value
        for name, value in arrays_of(random_network(MODEL), "megvii").items()
        if not name.startswith(("conv_last", "classifier"))
    }
    write_arrays(backbone, tmp_path / "backbone.npz")
    words = [*STILL, "--ckpt_path", tmp_path / "backbone.npz", "--ckpt_save_dir", tmp_path / "run"]
    status, _, error = command("train", *words)
    assert status == 2
    assert "lacks conv_last.0.weight (and 5 more)" in error
    status, output, error = command("train", *words, "--allow_missing", "conv_last.*", "classifier.*")
    assert status == 0, error
    assert "left as drawn: conv_last.0.weight" in output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--reset_classifier"], "reset_classifier is for the weights of ckpt_path or pretrained"),
        (["--model", f"{X0_5}.tv_in2k"], f"unknown weights {X0_5}.tv_in2k"),
        (["--model", f"{X0_5}.megvii_in1k", "--pretrained"], "has no stable address"),
        (["--ckpt_path", "http://127.0.0.1/net.ckpt"], "is not fetched: only https is"),
    ],
)
def test_bad_input_gets_one_line(words: list[str], message: str, command: Command, tmp_path: Path) -> None:
    status, _, error = command("train", *TINY, *words, "--ckpt_save_dir", tmp_path / "run")
    assert status == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "run").exists()


def test_a_recipe_by_its_name(tmp_path: Path, command: Command) -> None:
    """mmpretrain's name stands for model, tag and recipe."""
    name = "shufflenet-v2-1x_16xb64_in1k"
    status, _, error = command("train", "-c", name, "--data_dir", tmp_path / "nowhere")
    assert status == 2
    assert f"no folder {tmp_path}/nowhere" in error
