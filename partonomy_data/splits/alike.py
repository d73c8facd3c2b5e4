"""Perceptual hashes that differ in few bits, without comparing each with each.

Hashes that differ in at most `d` bits agree wholly in at least `k` of any `d + k` bands of bits. So it is enough to
sort by every choice of k bands, and to compare those that agree there (multi-index hashing: Norouzi, Punjani, Fleet,
"Fast search in Hamming space with multi-index hashing", CVPR 2012).
"""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: A hash with fewer ones than the first or more than the second has lost its bits to ties: nearly all of the picture's
#: frequencies are exactly zero. A photograph's has 32.
ONES: Final = (20, 44)
#: Hashes that agree in the bands sorted by are compared with so many that follow. Among a million hashes of
#: photographs a few agree, so all pairs are compared; the bound keeps the time linear for hashes made to agree.
WINDOW: Final = 256


def informative(hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether each hash tells anything of its picture; shape (n,)."""
    ones = np.bitwise_count(hashes)
    return (ones >= ONES[0]) & (ones <= ONES[1])


def near_pairs(hashes: NDArray[np.uint64], bits: int, window: int = WINDOW) -> NDArray[np.int64]:
    """Pairs (i, j), i < j, of positions in `hashes` whose values differ in 1 to `bits` bits; shape (m, 2), sorted.

    `hashes` are distinct and ascending, shape (n,). Time and memory are linear in n for hashes that are spread out.
    """
    if bits < 1 or len(hashes) < 2:
        return np.empty((0, 2), dtype=np.int64)
    n = len(hashes)
    found = [
        np.minimum(a, b) * n + np.maximum(a, b)
        for mask in _masks(bits)
        for a, b in _within(hashes, hashes & mask, bits, window)
    ]
    keys = np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)
    return np.stack(np.divmod(keys, n), axis=1)


def _masks(bits: int) -> list[np.uint64]:
    """The bits to agree in: every choice of two or three bands, so that about 20 bits or more are agreed in."""
    agree = 2 if bits <= 4 else 3
    edges = np.linspace(0, 64, bits + agree + 1).round().astype(int).tolist()
    bands = [(1 << high) - (1 << low) for low, high in pairwise(edges)]
    return [np.uint64(sum(chosen)) for chosen in combinations(bands, agree)]


def _within(
    hashes: NDArray[np.uint64], keys: NDArray[np.uint64], bits: int, window: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Positions of the hashes with equal keys that differ in at most `bits` bits."""
    order = np.argsort(keys, kind="stable")
    keys, sorted_hashes = keys[order], hashes[order]
    at = np.arange(len(keys))
    out = []
    for step in range(1, window + 1):
        at = at[: np.searchsorted(at, len(keys) - step)]
        at = at[keys[at] == keys[at + step]]
        if not len(at):
            break
        near = at[np.bitwise_count(sorted_hashes[at] ^ sorted_hashes[at + step]) <= bits]
        if len(near):
            out.append((order[near], order[near + step]))
    return out
