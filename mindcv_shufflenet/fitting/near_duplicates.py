"""Groups of photos that look alike: equal ones, and those that differ in size, compression or a little light.

The dHash is Krawetz's ("Kind of Like That", 2013): each bit says whether a pixel of a tiny copy is brighter than its
left neighbour.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mindcv_shufflenet.fitting.photos import PhotoStats

# Bits of the hashes that may differ, and grey levels by which the thumbnails may differ on average (root mean square).
_BITS, _LEVELS = 3, 8.0
# A hash is cut into so many parts: if at most three bits differ, one of the parts is the same.
_PARTS = _BITS + 1
# Plain photos share their hashes. Beyond so many of the same part pairs would be too many to look at.
_MOST = 200


def groups_of(seen: Sequence[PhotoStats]) -> np.ndarray:
    """Return the number of the group of each photo, ``[N] int32``; most are a group of their own."""
    pairs = {pair for pair in _candidates(seen) if _are_alike(seen[pair[0]], seen[pair[1]])}
    first, second = np.array(sorted(pairs), int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(len(seen), len(seen)))
    return connected_components(graph, directed=False)[1]


def _candidates(seen: Sequence[PhotoStats]) -> Iterator[tuple[int, int]]:
    """Yield pairs of photos with an equal digest, or with an equal part of the hash."""
    buckets: dict[object, list[int]] = {}
    width = 64 // _PARTS
    for number, one in enumerate(seen):
        buckets.setdefault(one.digest, []).append(number)
        for part in range(_PARTS):
            buckets.setdefault((part, one.difference_hash >> part * width & (1 << width) - 1), []).append(number)
    for members in buckets.values():
        yield from combinations(members, 2) if len(members) <= _MOST else pairwise(members)


def _are_alike(one: PhotoStats, other: PhotoStats) -> bool:
    if one.digest == other.digest:
        return True
    if (one.difference_hash ^ other.difference_hash).bit_count() > _BITS:
        return False
    difference = one.thumbnail.astype(np.float32) - other.thumbnail
    return float(np.sqrt((difference**2).mean())) <= _LEVELS
