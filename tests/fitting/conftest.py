"""Photos to look at."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mindcv_shufflenet.fitting.photos import Photos, scan


def scene(seed: int, size: tuple[int, int] = (120, 90)) -> Image.Image:
    """A picture with coarse and fine structure."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 6, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
    noise = rng.normal(0, 12, (size[1], size[0], 3))
    return Image.fromarray((np.asarray(coarse) + noise).clip(0, 255).astype(np.uint8))


def photos_of(folder: Path, tmp_path: Path, seconds: float = 60) -> Photos:
    copies = tmp_path / "copies"
    copies.mkdir()
    return scan(folder, copies, seconds, 256, 2)


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    """Photos as people have them."""
    folder = tmp_path / "messy"
    for name, seeds in (("猫 🐱", range(8)), ("a dog", range(10, 18)), ("one", range(20, 21))):
        (folder / name).mkdir(parents=True)
        for seed in seeds:
            scene(seed).save(folder / name / f"{seed}.jpg")
    (folder / "a dog" / "deep").mkdir()
    scene(30).convert("CMYK").save(folder / "a dog" / "deep" / "cmyk.jpg")
    (folder / "a dog" / "damaged.jpg").write_bytes((folder / "a dog" / "10.jpg").read_bytes()[:700])
    (folder / "a dog" / "phone.heic").write_bytes(b"ftypheic")
    scene(0).save(folder / "a dog" / "the cat.png")
    scene(31, (1200, 40)).save(folder / "one" / "panorama.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    scene(32).save(folder / "one" / "turned.jpg", exif=turned)
    return folder
