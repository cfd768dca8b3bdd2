"""The teacher: where it comes from, what it computes, and what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mindspore import Tensor, nn

from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.sources import Pixels
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.network import create_model
from mindcv_shufflenet.options.config import Config, parse_config
from mindcv_shufflenet.runtime.device import Machine
from mindcv_shufflenet.storage.run_directory import Classes
from mindcv_shufflenet.training.record.resume import differences
from mindcv_shufflenet.training.record.state import Circumstances, Data
from mindcv_shufflenet.training.teacher import open_teacher
from mindcv_shufflenet.weights.checkpoint import save_checkpoint
from mindcv_shufflenet.weights.formats import write_arrays
from mindcv_shufflenet.weights.metadata import metadata_of
from tests.small import MODEL, MODEL_V1
from tests.weights.networks import arrays_of, random_network

pytestmark = pytest.mark.usefixtures("pynative")

NAMES = ("ant", "bee", "cat", "dog")


def split_of(*names: str) -> Split:
    source = Pixels(np.zeros((len(names), 8, 8, 3), np.uint8))
    indices = {name: index for index, name in enumerate(names)}
    return Split(source, np.arange(len(names), dtype=np.int32), names, indices)


def teacher_file(folder: Path, model: str, **options: Any) -> tuple[nn.Cell, str]:
    """A network whose BatchNorm statistics are not those of its first step, and its checkpoint."""
    own = {name: value for name, value in options.items() if name in ("layout", "in_channels", "drop_path_rate")}
    network = random_network(model, num_classes=len(NAMES), **own)
    indices = {name: index for index, name in enumerate(NAMES)}
    metadata = metadata_of(parse_config({"model": model, **options}), Classes(NAMES, indices))
    save_checkpoint(network, folder / "teacher.ckpt", metadata)
    return network, str(folder / "teacher.ckpt")


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (MODEL, {"mean": (0.0,) * 3, "std": (1.0,) * 3, "channel_order": "bgr"}),
        (MODEL_V1, {"layout": "imgclsmob", "drop_path_rate": 0.5}),
    ],
)
def test_it_computes_in_a_training_step_what_it_does_in_inference(
    model: str, options: dict[str, Any], tmp_path: Path
) -> None:
    network, path = teacher_file(tmp_path, model, **options)
    teacher = open_teacher(Config(teacher=path), split_of(*NAMES))
    assert teacher.network is not None
    teacher.network.set_train()
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 3, 64, 64))
    mean, std = (np.array(getattr(Config(), name)).reshape(1, 3, 1, 1) for name in ("mean", "std"))
    given = Tensor(((pixels - mean) / std).astype(np.float32))
    wanted = Tensor(pixels[:, ::-1].astype(np.float32)) if "mean" in options else given
    expected = network.set_train(False)(wanted).asnumpy()
    np.testing.assert_allclose(
        teacher.network(given).asnumpy(), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max()
    )
    assert f"teacher: from {path}: model={model}" in teacher.notes[0]


def test_the_shapes_tell_the_model_of_a_plain_file(tmp_path: Path) -> None:
    network = create_model("shufflenet_v2_x0_5", num_classes=4)
    write_arrays(arrays_of(network), tmp_path / "teacher.npz")
    teacher = open_teacher(Config(teacher=str(tmp_path / "teacher.npz")), split_of(*NAMES))
    assert teacher.network is not None
    assert teacher.network(Tensor(np.zeros((1, 3, 32, 32), np.float32))).shape == (1, 4)
    assert "does not say how its network was trained" in teacher.notes[0]


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (NAMES[:3], {}, r"teacher=.*teacher\.ckpt has 4 classes and the data have 3: take one that was trained on"),
        (NAMES[::-1], {}, r"was trained on other classes \(ant, bee, cat \.\.\.\) than the data have \(dog, cat, bee"),
        (
            NAMES,
            {"in_channels": 1, "mean": (9.0,), "std": (9.0,)},
            r"reads images of 3 channels and the network of 1",
        ),
        (NAMES, {"teacher": "nowhere.ckpt"}, r"there is no checkpoint nowhere\.ckpt"),
        (NAMES, {"teacher": "shufflenet_v2_x1_O"}, r"teacher=shufflenet_v2_x1_O: there are no published weights"),
        (NAMES, {"teacher": "."}, r"teacher=\.: \. is a folder: give one of the checkpoints in it"),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused(
    names: tuple[str, ...], options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    _, path = teacher_file(tmp_path, MODEL)
    with pytest.raises(UserError, match=message):
        open_teacher(Config(**({"teacher": path} | options)), split_of(*names))


def test_a_resumed_run_tells_that_its_teacher_is_another_one() -> None:
    machine, data = Machine("CPU", 2, 2, "2.8.0"), Data(100, 22)
    stopped, now = (Circumstances(Config(teacher="t.ckpt").record(), machine, data, number) for number in (1, 2))
    assert differences(stopped, now) == ["the weights of the teacher t.ckpt are not those of the stopped run"]
    assert differences(stopped, stopped) == []
    moved = replace(stopped, config=Config(teacher="moved.ckpt").record())
    assert differences(stopped, moved) == []
    assert differences(stopped, replace(moved, teacher=2))[0].startswith("teacher was t.ckpt when the run was stopped")


def test_a_share_of_the_loss_is_at_most_one() -> None:
    with pytest.raises(UserError, match=r"kd_alpha=2\.0: with kd=hinton it is a share of the loss, at most 1"):
        parse_config({"kd_alpha": 2})
    assert parse_config({"kd_alpha": 2, "kd": "decoupled"}).kd_alpha == 2
