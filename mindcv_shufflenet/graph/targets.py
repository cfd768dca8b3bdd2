"""Where an exported network is to run, and how its channels are arranged for that."""

from typing import NamedTuple


class Style(NamedTuple):
    """How channels are arranged.

    Attributes:
        multiple: to which the channels of a tensor are padded with zeros, where layers make and read it as a whole.
        group_multiple: to which those of each group are padded, where convolutions with groups make and read it.
        most_zeros: how many there may be for each channel. A tensor that would need more is not padded; pieces are.
        most_group_zeros: how many there may be for each channel of a group.
        is_separate: a convolution for each piece that is read, padded as well, instead of one whose output is split.
        overhead: with ``is_separate``, what one more convolution costs, as if it made so many channels more. Pieces
            that are neighbours are put together where that costs less: their readers then read all of them, with
            weights of zero for what is not theirs.
        shuffle: the operator for shuffles that remain, ``gather`` or ``transpose``.
    """

    multiple: int = 1
    group_multiple: int = 1
    most_zeros: float = 1.0
    most_group_zeros: float = 1.0
    is_separate: bool = False
    overhead: int = 0
    shuffle: str = "gather"

    def kept_shuffle(self, shuffle: str) -> str:
        """Return the operator for shuffles that remain: ``gather`` or ``transpose``.

        Args:
            shuffle: what is asked for: one of these, or ``pieces``.
        """
        return self.shuffle if shuffle == "pieces" else shuffle


# ONNX Runtime computes on blocks of 16 channels with AVX-512, and of 8 with AVX2. What is no multiple of a block, and a
# slice, is brought into another form and back. OpenVINO has no such forms; it knows a transpose for a shuffle, and has
# an operation of its own for it. docs/speed.md has what each setting gives.
_BLOCKS = Style(multiple=16, group_multiple=16, most_group_zeros=0.2, is_separate=True, overhead=15)

# By the names of options/names.py, TARGETS.
STYLES = {
    "x86": _BLOCKS,
    "x86-vnni": _BLOCKS,
    "arm": Style(),  # not run here
    "openvino": Style(multiple=16, most_zeros=0.125, shuffle="transpose"),
}
