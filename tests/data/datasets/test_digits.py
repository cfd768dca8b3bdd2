"""The digits data set against scikit-learn's own arrays."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from mindcv_shufflenet.data.datasets import Request, open_split
from mindcv_shufflenet.errors import UserError
from tests.data.sources import pixels_of


def test_train_and_val_are_all_the_digits_once():
    train, val = open_split("digits", Request(Path(), "train")), open_split("digits", Request(Path(), "val"))
    assert (len(train), len(val)) == (1437, 360)
    assert train.num_classes == val.num_classes == 10
    bunch = load_digits()
    ours = np.concatenate([pixels_of(train)[..., 0], pixels_of(val)[..., 0]]).reshape(-1, 64)
    ours = np.column_stack([ours, np.concatenate([train.labels, val.labels])])
    theirs = np.column_stack([np.rint(bunch.data / 16 * 255), bunch.target])
    np.testing.assert_array_equal(ours[np.lexsort(ours.T)], theirs[np.lexsort(theirs.T)])


def test_pixels_are_grey_rgb_over_the_full_range():
    images = pixels_of(open_split("digits", Request(Path(), "train")))
    assert images.shape == (1437, 8, 8, 3)
    assert images.dtype == np.uint8
    assert images.flags.c_contiguous
    assert (images.min(), images.max()) == (0, 255)
    assert (images == images[..., :1]).all()


def test_every_digit_has_the_same_share_in_val():
    counts = np.bincount(open_split("digits", Request(Path(), "val")).labels)
    assert counts.min() >= 35
    assert counts.max() <= 37


def test_the_split_is_fixed_and_test_means_val():
    val, again = open_split("digits", Request(Path(), "val")), open_split("digits", Request(Path(), "test"))
    np.testing.assert_array_equal(pixels_of(val), pixels_of(again))
    np.testing.assert_array_equal(val.labels, again.labels)
    assert val.labels.dtype == np.int32
    # Two runs on two machines must be scored on the same images: the first labels of the split, as drawn once.
    assert val.labels[:12].tolist() == [1, 4, 8, 6, 5, 9, 9, 1, 3, 2, 2, 2]


def test_unknown_split():
    with pytest.raises(UserError, match=r"no split 'validation': use train or val"):
        open_split("digits", Request(Path(), "validation"))


def test_unknown_data_set_gets_the_nearest_name():
    with pytest.raises(
        UserError, match=r"unknown data set CIFAR-10 \(did you mean cifar10\?\).*digits, folder, imagenet"
    ):
        open_split("CIFAR-10", Request(Path(), "val"))


def test_a_data_set_that_cannot_be_downloaded_names_those_that_can():
    with pytest.raises(UserError, match=r"works for tiny_imagenet, cifar10, .* alone: get digits by hand"):
        open_split("digits", Request(Path(), "val"), download=True)
