"""The split of photos."""

import numpy as np
import pytest

from mindcv_shufflenet.errors import UserError
from mindcv_shufflenet.fitting.split import folds_of, split_photos


def test_a_split_keeps_groups_together_and_classes_on_both_sides() -> None:
    rng = np.random.default_rng(0)
    labels = np.concatenate([np.repeat([0, 1], 60), [2, 2, 3]])
    groups = np.arange(len(labels))
    groups[1] = groups[0]
    groups[60:70] = groups[60]
    order = rng.permutation(len(labels))
    is_val = split_photos(labels[order], groups[order])
    assert (split_photos(labels[order], groups[order]) == is_val).all()
    assert 0.15 < is_val.mean() < 0.25
    for group in np.unique(groups):
        assert len({*is_val[groups[order] == group].tolist()}) == 1
    for label in (0, 1, 2):
        assert {*is_val[labels[order] == label].tolist()} == {True, False}
    assert not is_val[labels[order] == 3].any()


def test_photos_of_which_none_can_be_held_out_are_refused() -> None:
    with pytest.raises(UserError, match="each class has one photo alone, or copies of one"):
        split_photos(np.array([0, 0, 1]), np.array([0, 0, 1]))
    with pytest.raises(UserError, match="too many of the photos are copies of one"):  # A has two, B copies of one of A
        split_photos(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 0, 0, 0]))


def test_photos_that_are_all_alike_are_in_one_fold() -> None:
    assert not folds_of(np.array([0, 1, 0, 1]), np.zeros(4, int)).any()
