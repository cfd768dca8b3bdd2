"""The weights that fitting starts from: those that the user names, published ones, or newly drawn ones."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.families import find_family
from mindcv_shufflenet.weights.provenance import Settled, settle

# Sizes of the images of a network that starts from nothing: the largest that is not above that of the photos.
_SIZES = (96, 128, 160)
# With photos up to so many pixels the first layers keep the resolution of images of that size, which takes as long as
# four times the size.
_SMALL, _TINY = 40, 32


class Start(NamedTuple):
    """What fitting starts from.

    Attributes:
        options: of the network and its preprocessing, by name.
        settled: the same with the weights, and with what belongs to them.
        is_pretrained: whether there are weights.
        note: what the user has to know of them.
    """

    options: dict[str, Any]
    settled: Settled
    is_pretrained: bool
    note: str

    @property
    def model(self) -> str:
        """The name of the network."""
        return self.settled.config.model_name.model

    def for_photos(self, short_side: int) -> "Start":
        """Return the same; where it starts from nothing, with images that are as small as the photos.

        Args:
            short_side: pixels of the short side of a usual photo.
        """
        if self.is_pretrained:
            return self
        size = max((size for size in _SIZES if size <= short_side), default=_SIZES[0])
        images: dict[str, Any] = {"image_resize": size}
        is_small = max(short_side, self.options.get("image_resize", _TINY)) <= _SMALL
        if is_small and "cifar" in find_family(self.model).options.get("stem", ()):
            images = {"image_resize": _TINY, "stem": "cifar"}
        options = images | {"crop_pct": 1.0} | self.options
        return self._replace(options=options, settled=settle(options))


def choose_start(options: Mapping[str, Any]) -> Start:
    """Take the weights of ``ckpt_path``, else the published ones of the model, else newly drawn ones.

    Args:
        options: of the user, by name; ``pretrained`` False: newly drawn weights.

    Raises:
        UserError: an option is wrong, or the weights that the user names cannot be had.
    """
    own = dict(options)
    if own.get("ckpt_path"):
        settled = settle({**own, "reset_classifier": True})
        return Start(own, settled, True, f"starting from the weights of {own['ckpt_path']}")
    bare = settle({**own, "pretrained": False})
    reason = "--pretrained False"
    if own.get("pretrained", True):
        try:
            settled = settle({**own, "pretrained": True})
            return Start(own, settled, True, f"starting from published weights, {settled.config.model}")
        except UserError as error:
            if "pretrained" in own:
                raise
            reason = f"{error}; --ckpt_path takes weights that are here"
    note = f"starting from nothing, which takes many more photos and much more time to be as good ({reason})"
    return Start(own, bare, False, note)
