"""From an image to the network's input: against Pillow, against known pixels, and against validation."""

from pathlib import Path
from typing import Any

import mindspore.dataset as ds
import numpy as np
import pytest
from mindspore.dataset import vision
from PIL import Image

from mindcv_shufflenet.data.datasets import Split
from mindcv_shufflenet.data.loader import eval_loader
from mindcv_shufflenet.data.sources import Files, Pixels
from mindcv_shufflenet.data.transforms import create_transform, denormalise, normalise
from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.options.augmentation import Augmentation
from mindcv_shufflenet.options.config import parse_config
from mindcv_shufflenet.options.preprocessing import Preprocessing

AS_IT_IS: dict[str, Any] = {"image_resize": 16, "crop_pct": 1.0, "mean": (0.0,) * 3, "std": (1.0,) * 3}
STILL: dict[str, Any] = {"hflip": 0.0, "color_jitter": None}


def noise(height: int = 120, width: int = 90, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(256, size=(height, width, 3), dtype=np.uint8)


def transform(**fields: Any) -> Any:
    return create_transform(Preprocessing(**(AS_IT_IS | fields)))


def test_pixels_of_the_right_size_stay() -> None:
    image = noise(16, 16)
    for backend in ("opencv", "pillow"):
        result = transform(resize_backend=backend)(image)
        assert result.dtype == np.float32
        np.testing.assert_array_equal(result, image.transpose(2, 0, 1))


def test_the_centre_of_the_resized_image_is_cropped() -> None:
    image = noise(32, 40)
    view = transform(crop_pct=0.5).view(image)  # a short side of 32 stays
    np.testing.assert_array_equal(view, image[8:24, 12:28])


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
def test_the_resize_of_pillow_is_its_own(interpolation: str) -> None:
    image = noise()
    resample = Image.Resampling[interpolation.upper()]
    resized = np.asarray(Image.fromarray(image).resize((32, int(32 * 120 / 90)), resample))
    view = transform(resize_backend="pillow", crop_pct=0.5, interpolation=interpolation).view(image)
    np.testing.assert_array_equal(view, resized[13:29, 8:24])


def test_the_resize_of_opencv_does_not_antialias() -> None:
    """Without antialiasing noise keeps its spread when it is made smaller."""
    spread = {backend: transform(resize_backend=backend).view(noise()).std() for backend in ("opencv", "pillow")}
    assert spread["opencv"] > 1.3 * spread["pillow"]


def test_mean_and_deviation_are_those_of_the_channels() -> None:
    image = noise(16, 16)
    result = transform(mean=(1.0, 2.0, 3.0), std=(2.0, 4.0, 8.0))(image)
    expected = (image.astype(np.float32) - [1, 2, 3]) / [2, 4, 8]
    np.testing.assert_allclose(result, expected.transpose(2, 0, 1), rtol=1e-6)


def test_a_batch_is_normalised_as_mindspore_does() -> None:
    preprocessing = Preprocessing(image_resize=32)
    views = np.stack([noise(32, 32, seed) for seed in range(4)])
    found = normalise(np.ascontiguousarray(views.transpose(0, 3, 1, 2)), preprocessing)
    operation = vision.Normalize(preprocessing.mean, preprocessing.std, is_hwc=True)
    np.testing.assert_array_equal(found, np.stack([operation(view).transpose(2, 0, 1) for view in views]))


def test_bgr_swaps_the_planes_before_the_mean_is_taken_off() -> None:
    image = noise(16, 16)
    result = transform(channel_order="bgr", mean=(1.0, 2.0, 3.0), std=(2.0, 2.0, 4.0))(image)
    expected = (image[..., ::-1].astype(np.float32) - [1, 2, 3]) / [2, 2, 4]
    np.testing.assert_allclose(result, expected.transpose(2, 0, 1), rtol=1e-6)


def test_one_mean_makes_a_grey_image() -> None:
    image = noise(16, 16)
    result = transform(mean=(10.0,), std=(2.0,))(image)
    assert result.shape == (1, 16, 16)
    np.testing.assert_allclose(result[0], (image @ [0.299, 0.587, 0.114] - 10) / 2, atol=0.5)


@pytest.mark.parametrize("backend", ["opencv", "pillow"])
def test_every_form_of_an_image_gives_what_validation_gives(tmp_path: Path, backend: Any) -> None:
    path, png = tmp_path / "photo.jpg", tmp_path / "photo.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise()).save(path, exif=exif)
    Image.fromarray(noise()).save(png)
    own = create_transform(Preprocessing(image_resize=32, resize_backend=backend))
    config = parse_config({"image_resize": 32, "resize_backend": backend, "batch_size": 2})
    split = Split(Files([path, png]), np.zeros(2, np.int32), ("a",), {"a": 0})
    (files,) = eval_loader(config, split, 1).batches()
    np.testing.assert_array_equal([own(path), own(str(png))], files.image)
    (pixels,) = eval_loader(config, Split(Pixels(noise()[None]), split.labels[:1], ("a",), {"a": 0}), 1).batches()
    np.testing.assert_array_equal(own(noise()), pixels.image[0])
    np.testing.assert_array_equal(own(Image.fromarray(noise())), pixels.image[0])


def test_the_defaults_are_those_of_the_options() -> None:
    options = parse_config({"dataset": "folder"})
    assert Preprocessing.of(options) == Preprocessing()
    assert Augmentation.of(options) == Augmentation(train_crop="resized")
    assert create_transform()(noise()).shape == (3, 224, 224)


def test_training_draws_and_the_seed_repeats_it() -> None:
    train = create_transform(Preprocessing(image_resize=16), is_training=True)

    def draw(seed: int) -> np.ndarray:
        ds.config.set_seed(seed)
        return np.stack([create_transform(Preprocessing(image_resize=16), is_training=True)(noise()) for _ in "ab"])

    assert train(noise()).shape == (3, 16, 16)
    assert train(noise()).dtype == np.float32
    np.testing.assert_array_equal(draw(1), draw(1))
    assert not np.array_equal(draw(1), draw(2))


def test_the_random_operations_are_those_of_the_augmentation() -> None:
    image = noise(16, 16)
    preprocessing = Preprocessing(**AS_IT_IS)

    def train(**fields: Any) -> np.ndarray:
        augmentation = Augmentation(**(STILL | {"train_crop": "padded", "crop_padding": 0} | fields))
        return create_transform(preprocessing, is_training=True, augmentation=augmentation).view(image)

    np.testing.assert_array_equal(train(), image)
    np.testing.assert_array_equal(train(hflip=1.0), image[:, ::-1])
    np.testing.assert_array_equal(train(vflip=1.0), image[::-1])
    assert (train(color_jitter=0.4) != image).any()
    assert train(train_crop="resized", scale=(0.1, 0.2)).shape == image.shape
    shifted = train(crop_padding=15)
    assert (shifted == 0).all(axis=2).any()


def test_what_is_no_image_is_told(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    with pytest.raises(UserError, match="its header is not that of an image"):
        transform()(tmp_path / "text.jpg")
    with pytest.raises(UserError, match=r"an image is \[H, W, 3\]"):
        transform()(np.zeros((4, 4, 3), np.float32))


@pytest.mark.parametrize(
    "options",
    [{}, {"channel_order": "bgr"}, {"in_channels": 1, "mean": [90], "std": [70]}],
    ids=["rgb", "bgr", "grey"],
)
def test_the_input_of_the_network_becomes_the_picture_again(options: dict[str, object]) -> None:
    preprocessing = Preprocessing.of(parse_config({"image_resize": 8, "crop_pct": 1, **options}))
    pixels = noise(8, 8)
    if preprocessing.channels == 1:
        pixels[:] = pixels[:, :, :1]
    whole = create_transform(preprocessing)
    picture = denormalise(whole(pixels), preprocessing)
    assert (picture.shape, picture.dtype) == ((8, 8, 3), np.uint8)
    assert np.abs(picture.astype(int) - whole.view(pixels)).max() <= 1


def test_what_no_pixel_has_is_cut_off() -> None:
    image = np.array([-9.0, 300.0, 7.4], np.float32).reshape(3, 1, 1)
    assert denormalise(image, Preprocessing(**AS_IT_IS)).tolist() == [[[0, 255, 7]]]
