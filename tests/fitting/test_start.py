"""What fitting starts from."""

import pytest

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.fitting.start import choose_start


@pytest.mark.parametrize(
    ("short_side", "size", "stem"), [(28, 32, "cifar"), (64, 96, None), (130, 128, None), (4000, 160, None)]
)
def test_without_weights_the_images_are_as_small_as_the_photos(short_side: int, size: int, stem: str | None) -> None:
    start = choose_start({"pretrained": False, "model": "shufflenet_v2_x0_5"}).for_photos(short_side)
    assert (start.is_pretrained, start.settled.config.image_resize, start.options.get("stem")) == (False, size, stem)
    assert "--pretrained False" in start.note


def test_what_the_user_says_of_the_images_holds() -> None:
    options = {"pretrained": False, "model": "shufflenet_v2_x0_5", "image_resize": 224}
    start = choose_start(options).for_photos(28)
    assert start.settled.config.image_resize == 224
    assert "stem" not in start.options


def test_weights_that_are_named_are_not_replaced_by_new_ones() -> None:
    with pytest.raises(UserError, match="nowhere"):
        choose_start({"ckpt_path": "nowhere.ckpt"})
