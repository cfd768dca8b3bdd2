"""The one road to a network with its weights."""

from pathlib import Path
from typing import Any

import pytest

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.network import create_model, open_network, resolve_preprocessing
from mindcv_shufflenet.options.config import Config, parse_config
from mindcv_shufflenet.storage.run_directory import Classes
from mindcv_shufflenet.weights.checkpoint import save_checkpoint
from mindcv_shufflenet.weights.load import load_weights
from mindcv_shufflenet.weights.metadata import metadata_of
from tests.weights.networks import arrays_of, random_network, same

MODEL = "shufflenet_v2_x0_5"
MEAN = [11.0, 12.0, 13.0]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights whose file tells everything of them."""
    path = tmp_path_factory.mktemp("weights") / "any.ckpt"
    options = parse_config({"model": MODEL, "stem": "cifar", "layout": "megvii", "mean": MEAN, "image_resize": 32})
    classes = Classes(("cat", "dog", "owl"), {"cat": 0, "dog": 1, "owl": 2})
    save_checkpoint(random_network(MODEL, num_classes=3, stem="cifar"), path, metadata_of(options, classes, 5))
    return path


def test_a_file_opens_with_all_that_belongs_to_it(checkpoint: Path) -> None:
    opened = open_network({"ckpt_path": str(checkpoint)})
    assert same(arrays_of(opened.network), arrays_of(random_network(MODEL, num_classes=3, stem="cifar")))
    assert opened.class_names == ("cat", "dog", "owl")
    assert (opened.preprocessing.mean, opened.preprocessing.image_resize) == (tuple(MEAN), 32)
    assert any("stem=cifar" in note for note in opened.notes)


def test_a_classifier_is_drawn_anew_only_where_a_training_starts(checkpoint: Path) -> None:
    options = {"ckpt_path": str(checkpoint), "reset_classifier": True}
    with pytest.raises(UserError, match="its num_classes is 3 and 7 is asked for"):
        open_network(options, 7)
    opened = open_network(options, 7, is_start=True)
    assert arrays_of(opened.network)["classifier.weight"].shape == (7, 1024)
    assert opened.class_names is None
    assert "the classifier starts anew; all other weights are the checkpoint's" in opened.notes


def test_without_weights_a_network_is_drawn() -> None:
    opened = open_network({"model": MODEL, "num_classes": 4})
    assert arrays_of(opened.network)["classifier.weight"].shape == (4, 1024)
    assert (opened.class_names, opened.notes) == (None, [])


def test_the_preprocessing_of_a_name_a_run_and_a_file(checkpoint: Path, tmp_path: Path) -> None:
    assert resolve_preprocessing("shufflenet_v2_x1_5.tv_in1k").resize == 232
    assert resolve_preprocessing("shufflenet_v2_x1_5").resize_backend == "opencv"  # mindcv's weights
    assert resolve_preprocessing(checkpoint).mean == tuple(MEAN)
    (tmp_path / "config.yaml").write_text(
        f"mean: {MEAN}\nmodel: m\nstem: cifar\nresize_backend: pillow\nckpt_save_dir: x\n"
    )
    run = resolve_preprocessing(tmp_path)
    assert (run.mean, run.resize_backend, run.std) == (tuple(MEAN), "pillow", tuple(Config().std))
    for name, message in (("shufflenet_v2_x9", "no published weights"), (tmp_path / "none.ckpt", "no checkpoint")):
        with pytest.raises(UserError, match=message):
            resolve_preprocessing(name)
    with pytest.raises(UserError, match=r"has no config\.yaml of a run"):
        resolve_preprocessing(checkpoint.parent)


def test_none_is_no_checkpoint_and_no_class_is_refused() -> None:
    nothing: Any = {"checkpoint_path": None, "pretrained": None}
    assert arrays_of(create_model(MODEL, **nothing))["classifier.weight"].shape[0] == 1000
    with pytest.raises(UserError, match="num_classes=0: it must be a whole number above 0"):
        open_network({"model": MODEL}, num_classes=0)


def test_a_tag_tells_the_number_of_classes() -> None:
    classes = {name: create_model(name).plan.num_classes for name in (f"{MODEL}.cifar10", f"{MODEL}.cifar100", MODEL)}
    assert [*classes.values()] == [10, 100, 1000]
    assert create_model(f"{MODEL}.cifar10", num_classes=7).plan.num_classes == 7


def test_a_name_with_squeeze_and_excitation_does_not_lose_it(checkpoint: Path) -> None:
    """What its own name does not say is taken over from weights of the same row."""
    options = {"model": f"se_{MODEL}", "ckpt_path": str(checkpoint)}
    with pytest.raises(UserError, match=r"lacks features\.0\.se\."):
        open_network(options)
    opened = open_network({**options, "allow_missing": ["features.*.se.*"]}, is_start=True)
    assert (opened.network.options["se"], opened.network.options["stem"]) == (True, "cifar")
    assert opened.preprocessing.mean == tuple(MEAN)
    assert open_network({**options, "se": False}).network.options["se"] is False


def test_weights_of_another_family_are_refused(checkpoint: Path) -> None:
    with pytest.raises(UserError, match="has weights of ShuffleNetV2, and the network is of MobileNetV1"):
        load_weights(create_model("mobilenet_v1_025"), checkpoint)
    with pytest.raises(UserError, match=f"give their own --model: {MODEL}, se_{MODEL}"):
        open_network({"model": "mobilenet_v1_025", "ckpt_path": str(checkpoint)})
