"""What an exported network takes and gives."""

from dataclasses import dataclass

from mindcv_shufflenet.graph.base import LOGITS
from mindcv_shufflenet.options.preprocessing import Preprocessing


@dataclass(frozen=True)
class Interface:
    """What a graph takes and gives.

    Attributes:
        size: height and width of the images.
        batch: how many images at once; None: any number.
        is_dynamic_size: images of any height and width.
        normalize: take ``[N, H, W, C] uint8`` images and normalise them as this says; None: take
            ``[N, C, H, W] float32``, normalised.
        softmax: give probabilities instead of logits.
        input_name: of the images.
        output_name: of logits or probabilities; empty: these words. Maps of stages have the names of the stages.
    """

    size: int
    batch: int | None = None
    is_dynamic_size: bool = False
    normalize: Preprocessing | None = None
    softmax: bool = False
    input_name: str = "image"
    output_name: str = ""

    @property
    def classes_name(self) -> str:
        """The name of the output that tells classes."""
        return self.output_name or ("probabilities" if self.softmax else LOGITS)
