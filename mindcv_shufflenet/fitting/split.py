"""The split of photos into training and validation: fixed, stratified, with photos that look alike on one side."""

import warnings

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from mindcv_shufflenet.errors import UserError

# One photo in five validates.
FOLDS = 5


def split_photos(labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return whether each photo is for validation, ``[N] bool``.

    Groups stay on one side. A class of two groups or more has photos on both.

    Args:
        labels: index of the class of each photo, ``[N]``.
        groups: number of the group of photos that look alike, ``[N]``.

    Raises:
        UserError: no class has two groups, or so few have that nothing can be held out.
    """
    if all(len(np.unique(groups[labels == label])) < 2 for label in np.unique(labels)):
        raise UserError("each class has one photo alone, or copies of one, so there is none to check with: add photos")
    fold = folds_of(labels, groups) == 0
    for label in np.unique(labels):
        members = labels == label
        own = np.unique(groups[members])
        if len(own) < 2:  # nothing can be on both sides: it is trained on
            fold[np.isin(groups, own)] = False
        elif not fold[members].any():
            fold[groups == _smallest(groups, own)] = True
        elif fold[members].all():
            fold[groups == _smallest(groups, own)] = False
    if not fold.any() or len(np.unique(labels[~fold])) < 2:
        raise UserError("too many of the photos are copies of one, so there is none to check with: add photos")
    return fold


def folds_of(labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the fold of each photo, ``[N] int64``; groups stay in one fold, and the classes are shared out evenly.

    Args:
        labels: index of the class of each photo, ``[N]``; a class has two photos.
        groups: number of the group of photos that look alike, ``[N]``; of a single one, all are in fold 0.
    """
    count = max(2, min(FOLDS, len(np.unique(groups)), np.bincount(labels).max()))
    folds = np.zeros(len(labels), int)
    if len(np.unique(groups)) < 2:
        return folds
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)  # as rare classes are
        for number, (_, members) in enumerate(splitter.split(labels, labels, groups)):
            folds[members] = number
    return folds


def _smallest(groups: np.ndarray, own: np.ndarray) -> int:
    """Return the smallest of some groups, so that little moves."""
    return int(min(own, key=lambda group: (groups == group).sum()))
