"""Every target has a style."""

from mindcv_shufflenet.graph.targets import STYLES
from mindcv_shufflenet.options.names import TARGETS


def test_every_target_has_a_style() -> None:
    assert tuple(STYLES) == TARGETS
