"""Small fixed homes for instances, so that a change in the data is felt in one of them alone.

Instances are compared only with those of their *stratum*: like them, they are cut off by the image's border or not, and
of nearly the same size. For how much of an object's parts can be seen goes with its size, and whoever is told the size
of a crop, or of the object, must not learn from it which choice is right.

The instances of a pool are the leaves of a binary tree of bit strings, hashes that each instance brings with it: at first
all are in one bucket; a bucket of more than MOST is cut in two by the next bit of its instances. So which bucket an
instance is in depends on its own bits, and on whether its neighbors are many.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Instances of a bucket.
MOST: Final = 64
#: Strata of an octave of the object's share of the image (of its area, that is).
LEVELS: Final = 2


@dataclass(frozen=True, slots=True)
class Bucket:
    """Some of a pool's instances: places in the arrays that `cut` was given, and the bits that they share."""

    members: NDArray[np.int64]
    bits: tuple[int, ...]


def strata(size: NDArray[np.float32], truncated: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The stratum of each instance: equal numbers for those that may be compared. `size`: log2 of the share, at most 0."""
    level = np.floor(np.asarray(size, np.float64) * LEVELS).astype(np.int64)
    return level * 2 + truncated


def bits_of(hashes: Sequence[int]) -> NDArray[np.uint8]:
    """The bit strings of whole numbers of 64 bits, as an array of shape (instances, 64)."""
    return np.unpackbits(np.array(hashes, np.uint64).astype(">u8").view(np.uint8).reshape(-1, 8), axis=1)


def cut(bits: NDArray[np.uint8], most: int = MOST) -> Iterator[Bucket]:
    """The buckets, in the order of their bits. Instances that share all bits stay together."""

    def halves(members: NDArray[np.int64], prefix: tuple[int, ...]) -> Iterator[Bucket]:
        depth = len(prefix)
        if len(members) <= most or depth == bits.shape[1]:
            if len(members):
                yield Bucket(members, prefix)
            return
        here = bits[members, depth]
        yield from halves(members[here == 0], (*prefix, 0))
        yield from halves(members[here == 1], (*prefix, 1))

    return halves(np.arange(len(bits)), ())
