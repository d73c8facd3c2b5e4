"""Random numbers that depend on what they are for alone: not on how many are drawn, in which order, or where.

A number is a hash of the seed, a purpose and whole numbers that say which item it is for; all items at once. The mixing
is that of SplitMix64 (Steele, Lea, Flood 2014).
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Floats = NDArray[np.float64]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def _mixed(words: Words) -> Words:
    words = (words ^ (words >> np.uint64(30))) * _FIRST
    words = (words ^ (words >> np.uint64(27))) * _SECOND
    return np.asarray(words ^ (words >> np.uint64(31)))


def key(*of: object) -> int:
    """A whole number of 64 bits that stands for the values' texts."""
    text = "\0".join(map(str, of)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")


def keys(texts: Iterable[str]) -> Words:
    """The same for each of some texts."""
    return np.array([key(text) for text in texts], np.uint64)


def words(seed: int, purpose: str, *items: Any) -> Words:
    """64 random bits for each item; `items` are arrays of whole numbers ≥ 0, which broadcast."""
    found: Words = np.array([key(seed, purpose)], np.uint64)
    for one in items:
        found = _mixed((found ^ np.asarray(one).astype(np.uint64)) + _STEP)
    return found


def uniform(seed: int, purpose: str, *items: Any) -> Floats:
    """Numbers from 0 (included) to 1 (excluded)."""
    return np.asarray((words(seed, purpose, *items) >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def normal(seed: int, purpose: str, *items: Any) -> Floats:
    """Numbers of mean 0 and standard deviation 1."""
    from scipy.special import ndtri

    return np.asarray(ndtri(uniform(seed, purpose, *items) + 2.0**-54))


def whole_numbers(seed: int, purpose: str, below: int, n: int) -> NDArray[np.int64]:
    """`n` whole numbers from 0 to `below` - 1, some of which may be equal."""
    return np.asarray((uniform(seed, purpose, np.arange(n)) * below).astype(np.int64))
