"""Images of any kind to classes."""

import json
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from mindcv_shufflenet.data.images import image_files, open_image
from mindcv_shufflenet.deploy.predictor import Prediction, Predictor, inference_model
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.graph.interface import Interface
from mindcv_shufflenet.graph.model import onnx_model
from mindcv_shufflenet.weights.formats import write_arrays
from tests.weights.networks import arrays_of, random_network

MODEL = "shufflenet_v2_x0_5"
SMALL: dict[str, Any] = {"image_resize": 32, "crop_pct": 1.0}


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(random_network(num_classes=4), class_names=["a", "b", "c", "d"], topk=3, batch_size=4, **SMALL)


def picture(seed: int = 0, size: tuple[int, int] = (48, 40)) -> Image.Image:
    """Smooth colours, so that a conversion by way of JPEG changes little."""
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)


def test_one_image_in_every_form(predictor: Predictor, tmp_path: Path) -> None:
    image = picture()
    image.save(tmp_path / "bird.png")
    first = predictor(tmp_path / "bird.png")
    assert isinstance(first, Prediction)
    for form in (str(tmp_path / "bird.png"), image, np.asarray(image)):
        assert predictor(form) == first
    assert (first.label, first.index, first.score) == (first.topk[0].label, first.topk[0].index, first.topk[0].score)
    assert len(first.topk) == 3
    assert [c.score for c in first.topk] == sorted((c.score for c in first.topk), reverse=True)
    assert first.label == "abcd"[first.index]


def test_many_images_give_what_each_gives_alone(predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    for index in range(6):
        picture(index).save(tmp_path / ("below" if index % 2 else ".") / f"{index}.png")
    (tmp_path / "notes.txt").write_text("no image")
    together = predictor(tmp_path)
    files = image_files([tmp_path])
    assert [file.name for file in files] == ["0.png", "2.png", "4.png", "1.png", "3.png", "5.png"]
    for file, prediction in zip(files, together, strict=True):
        alone = predictor(file)
        assert alone.index == prediction.index
        assert alone.score == pytest.approx(prediction.score, rel=1e-5)
    assert [p.index for p in predictor([str(file) for file in files])] == [p.index for p in together]
    assert len(predictor([tmp_path, files[0], picture()])) == 8


def test_scores_are_the_softmax_of_the_logits_of_the_preprocessed_image(predictor: Predictor) -> None:
    import mindspore as ms

    image = picture(3)
    logits = predictor.network(ms.Tensor(predictor.preprocess(image)[None])).asnumpy()[0].astype(float)
    expected = np.exp(logits) / np.exp(logits).sum()
    result = inference_model(predictor, image)
    assert np.allclose(result["pred_scores"], expected, atol=1e-6)
    assert result["pred_label"] == int(expected.argmax())
    assert result["pred_score"] == pytest.approx(expected.max(), rel=1e-5)
    assert result["pred_class"] == "abcd"[int(expected.argmax())]


def test_modes_are_converted(tmp_path: Path) -> None:
    image = picture()
    expected = np.asarray(image).astype(int)
    grey = np.asarray(image.convert("L"))
    for mode in ("RGBA", "CMYK", "YCbCr"):
        converted = open_image(image.convert(mode))
        assert np.abs(converted.astype(int) - expected).max() <= 4, mode
    assert np.array_equal(open_image(image.convert("L"))[..., 1], grey)
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    deep.save(tmp_path / "deep.png")
    assert np.array_equal(open_image(tmp_path / "deep.png")[..., 0], grey)
    assert open_image(np.asarray(grey)).shape == (*grey.shape, 3)


def test_an_animation_shows_its_first_picture_and_a_photo_is_turned_upright(tmp_path: Path) -> None:
    pictures = [picture(seed) for seed in (0, 1)]
    pictures[0].save(tmp_path / "moving.webp", save_all=True, append_images=pictures[1:], lossless=True)
    assert np.array_equal(open_image(tmp_path / "moving.webp"), np.asarray(pictures[0]))
    exif = Image.Exif()
    exif[0x0112] = 6  # lying on its side: to be turned clockwise by a quarter
    pictures[0].save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(open_image(tmp_path / "turned.png"), np.rot90(np.asarray(pictures[0]), -1))


def bomb(path: Path) -> None:
    """A PNG of a few bytes that claims 20,000 x 20,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))


def test_what_is_no_image_gets_one_line(predictor: Predictor, tmp_path: Path) -> None:
    picture().save(tmp_path / "whole.jpg")
    whole = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    bomb(tmp_path / "bomb.png")
    Image.new("L", (20_000, 2)).save(tmp_path / "long.png")
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "float.tiff")
    for name, message in (
        ("long.png", "20000 x 2 pixels, more than 100 times"),
        ("float.tiff", "has pixels of 32 bits"),
        ("cut.jpg", "cannot read the image"),
        ("text.jpg", "its header is not that of an image"),
        ("empty.png", "its header is not that of an image"),
        ("bomb.png", "claims more than 250,000,000 pixels"),
        ("none.jpg", "No such file"),
        ("folder", "no images in"),
    ):
        with warnings.catch_warnings(), pytest.raises(UserError, match=message) as caught:
            warnings.simplefilter("error")
            predictor(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)
    (tmp_path / "late.jpg").write_bytes(whole[:-60])
    with Image.open(tmp_path / "late.jpg") as opened, pytest.raises(UserError, match="cannot read the image"):
        predictor(opened)
    with pytest.raises(UserError, match=r"pixels of shape \(2, 2, 4\) and type uint8"):
        predictor(np.zeros((2, 2, 4), np.uint8))
    with pytest.raises(UserError, match="there is no file or folder"):
        image_files([tmp_path / "none.jpg"])


def test_names_and_preprocessing_come_with_the_checkpoint(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_arrays(arrays_of(random_network(num_classes=3)), tmp_path / f"{MODEL}-best.ckpt")
    options: dict[str, Any] = {"ckpt_path": str(tmp_path / f"{MODEL}-best.ckpt"), "image_resize": 32}
    assert Predictor(MODEL, **options).class_names == ("0", "1", "2")
    (tmp_path / "classes.json").write_text(json.dumps({"names": ["x", "y", "z"], "indices": {"a": 0, "b": 1, "c": 2}}))
    run = f"model: {MODEL}\nstem: cifar\nmean: [1, 2, 3]\nresize_backend: opencv\nckpt_save_dir: run\n"
    (tmp_path / "config.yaml").write_text(run)
    predictor = Predictor(**options)
    assert predictor.class_names == ("x", "y", "z")
    assert predictor.config.mean == [1, 2, 3]
    assert predictor.network.max_pool is None
    with pytest.raises(UserError, match="2 class names for 3 classes"):
        Predictor(MODEL, class_names=["x", "y"], **options)
    (tmp_path / "config.yaml").write_text(run.replace("stem: cifar", "stem: flower"))
    caplog.set_level("INFO", "mindcv_shufflenet")
    Predictor(MODEL, **options)
    assert "config.yaml is not read: stem=flower" in caplog.text
    (tmp_path / "config.yaml").unlink()
    for foreign in ("{", "[" * 5000, '["x", "y", "z"]', '{"0": "cat"}'):
        (tmp_path / "classes.json").write_text(foreign)
        caplog.clear()
        assert Predictor(MODEL, **options).class_names == ("0", "1", "2")
        assert "classes.json is not read" in caplog.text


def test_what_a_predictor_does_not_read_is_refused(predictor: Predictor) -> None:
    with pytest.raises(UserError, match="Predictor has no argument lr; it takes"):
        Predictor(MODEL, lr=0.1, mode=1)
    with pytest.raises(UserError, match="whose weights"):
        Predictor(MODEL, pretrained=False)
    for options in ({}, {"image_resize": 64}, {"pretrained": False}):
        with pytest.raises(UserError, match="whose weights"):
            Predictor(**options)
    fixed: dict[str, Any] = {
        "ckpt_path": "a.ckpt",
        "ckpt_key": "ema",
        "pretrained": True,
        "num_classes": 4,
        "pool": "pad",
    }
    for name, value in fixed.items():
        with pytest.raises(UserError, match=f"{name} cannot be set on a network that is there"):
            Predictor(predictor.network, **{name: value})
    with pytest.raises(UserError, match="topk cannot be set on a predictor that is there"):
        inference_model(predictor, picture(), topk=3)


def test_names_of_imagenet_do_not_depend_on_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "synsets.txt").write_text("n1 one\nn2 two\n")
    monkeypatch.chdir(tmp_path)
    names = Predictor(random_network(), **SMALL).class_names
    assert (len(names), names[0]) == (1000, "tench, Tinca tinca")


def test_a_published_network_names_what_is_in_pictures(shared: Path, imagenet_sample: Path) -> None:
    weights = str(shared / "weights" / "shufflenetv2_x1_0_torchvision_keys.npz")
    predictor = Predictor("shufflenet_v2_x1_0.tv_in1k", ckpt_path=weights)
    assert predictor.config.resize_backend == "pillow"
    files = image_files([imagenet_sample])[::5]
    right = sum(p.label.split(",")[0].replace(" ", "_") in f.name for f, p in zip(files, predictor(files), strict=True))
    assert right >= 0.7 * len(files)


@pytest.mark.parametrize(
    "image",
    [None, b"bytes", 3, np.zeros((0, 0, 3), np.uint8), np.zeros((0, 5), np.uint8), [None], [b"bytes"]],
    ids=repr,
)
def test_what_is_no_image_is_told(predictor: Predictor, image: Any) -> None:
    with pytest.raises(UserError, match=r"is no image: give a path|an image is \[H, W, 3\]"):
        predictor(image)
    if not isinstance(image, list):
        with pytest.raises(UserError, match=r"is no image|an image is"):
            inference_model(predictor, image)


@pytest.mark.parametrize(("tag", "classes", "label"), [("cifar10", 10, "truck"), ("cifar100", 100, "worm")])
def test_a_tag_names_the_classes_of_its_data_set(tag: str, classes: int, label: str, tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    write_arrays(arrays_of(random_network(layout="torchvision", num_classes=classes), "torchvision"), path)
    found = Predictor(f"{MODEL}.{tag}", ckpt_path=str(path))
    assert (len(found.class_names), found.class_names[-1]) == (classes, label)
    assert Predictor(MODEL, ckpt_path=str(path)).class_names[-1] == str(classes - 1)


@pytest.mark.usefixtures("pynative")
def test_another_engine_and_a_file_give_the_same_scores(predictor: Predictor, tmp_path: Path) -> None:
    image = picture(3)
    scores = next(predictor.scores([image]))
    elsewhere = Predictor(predictor.network, class_names="abcd", engine="onnxruntime", **SMALL)
    np.testing.assert_allclose(next(elsewhere.scores([image])), scores, rtol=1e-4)
    onnx.save(onnx_model(predictor.network, Interface(32)), tmp_path / "net.onnx")
    as_it_is = Predictor(tmp_path / "net.onnx", crop_pct=1.0)
    np.testing.assert_allclose(next(as_it_is.scores([image])), scores, rtol=1e-4)
    assert as_it_is.class_names == ("0", "1", "2", "3")
    assert inference_model(str(tmp_path / "net.onnx"), image, crop_pct=1.0)["pred_label"] == int(scores.argmax())
    with pytest.raises(UserError, match="engine=onnxruntime computes logits alone: for the network itself give"):
        _ = as_it_is.network
