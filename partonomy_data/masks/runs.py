"""COCO's compressed counts of many masks at once, to run lengths, areas and boxes: NumPy over their joined bytes.

Nothing here loops over masks. Arrays are named for what they hold one of: bytes, numbers, pairs of runs, or masks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]
Bools = NDArray[np.bool_]
#: Six bits for each byte of text: five of a number, and one that says that the number goes on.
Codes = NDArray[np.uint8]

ASCII_ZERO, GOES_ON, LOW_BITS, SIGN_BIT = np.uint8(48), np.uint8(32), np.uint8(31), np.uint8(16)
#: Farther down than any pixel's row.
BELOW_ALL = float(1 << 30)


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers in the text of several masks."""

    values: Int64s
    """All numbers, one mask's after the other's, (numbers,)."""
    last: Int64s
    """Where each mask's last number is, (masks,)."""
    padded: Bools
    """Masks that hold a number with more characters than it needs, (masks,)."""


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of several masks in pairs, background and foreground. An odd run out is paired with an empty one."""

    background: Int64s
    """Run lengths in pixels, one mask's after the other's, (pairs,)."""
    foreground: Int64s
    """The same, (pairs,)."""
    first: Int64s
    """Where each mask's first pair is, (masks,)."""
    filled: Bools
    """Masks whose last foreground run was added to make a pair, (masks,)."""

    @property
    def last(self) -> Int64s:
        """Where each mask's last pair is, (masks,)."""
        return np.append(self.first, len(self.background))[1:] - 1

    def totals(self) -> Int64s:
        """Pixels of each mask, background and foreground, (masks,)."""
        totals: Int64s = np.add.reduceat(self.background + self.foreground, self.first)
        return totals

    def only(self, kept: Bools) -> Runs:
        """The runs of some of the masks; `kept` is (masks,)."""
        pairs = np.diff(self.first, append=len(self.background))
        inside = np.repeat(kept, pairs)
        first = np.cumsum(pairs[kept]) - pairs[kept]
        return Runs(self.background[inside], self.foreground[inside], first, self.filled[kept])

    def of(self, mask: int) -> Int64s:
        """The run lengths of one of the masks, int64 (runs,)."""
        pairs = slice(int(self.first[mask]), int(self.last[mask]) + 1)
        runs = np.stack([self.background[pairs], self.foreground[pairs]], axis=1).ravel()
        return runs[:-1] if self.filled[mask] else runs

    def with_empty_runs(self) -> Bools:
        """Masks with an empty run after their first, (masks,)."""
        empty = 2 * len(self.background) - np.count_nonzero(self.background) - np.count_nonzero(self.foreground)
        allowed = np.count_nonzero(self.background[self.first] == 0) + np.count_nonzero(self.filled)
        if empty == allowed:
            return np.zeros(len(self.first), np.bool_)
        no_background, no_foreground = self.background == 0, self.foreground == 0
        no_background[self.first], no_foreground[self.last[self.filled]] = False, False
        found: Bools = np.logical_or.reduceat(no_background | no_foreground, self.first)
        return found

    def outside(self, low: int, high: int) -> Bools:
        """Masks with a run shorter than `low` or longer than `high`, (masks,)."""
        found = np.zeros(len(self.first), np.bool_)
        for lengths in (self.background, self.foreground):
            if int(lengths.min()) < low or int(lengths.max()) > high:
                found |= np.logical_or.reduceat((lengths < low) | (lengths > high), self.first)
        return found


def codes_of(text: bytes) -> Codes:
    """Text as codes, uint8 (bytes,); 64 and more stand for characters outside COCO's alphabet."""
    return np.frombuffer(text, np.uint8) - ASCII_ZERO


def numbers_of(codes: Codes, last_byte: Int64s) -> Numbers:
    """The numbers that codes spell: groups of 5 bits, lowest first, the top bit of the last group being the sign.

    `last_byte` is where each mask's text ends, (masks,). Each text must be whole, and no number above 12 groups.
    """
    ends = np.flatnonzero(codes < GOES_ON)
    values = ((codes[ends] & LOW_BITS) ^ SIGN_BIT).astype(np.int64) - 16
    last = np.searchsorted(ends, last_byte)
    # Before the first byte comes, by NumPy's counting, the very last. It ends a number, so nothing is added from it.
    at = ends - 1
    before = codes[at]
    longer = np.flatnonzero(before >= GOES_ON)
    at, before = at[longer], before[longer]
    # A last group that only repeats the sign of the group before it could have been left out.
    padding = longer[values[longer] == -((before & SIGN_BIT) >> 4).astype(np.int64)]
    while len(longer):
        values[longer] = (values[longer] << 5) | (before & LOW_BITS)
        at = at - 1
        before = codes[at]
        further = np.flatnonzero(before >= GOES_ON)
        longer, at, before = longer[further], at[further], before[further]
    padded = np.zeros(len(last), np.bool_)
    padded[np.searchsorted(last, padding)] = True
    return Numbers(values, last, padded)


def runs_of(numbers: Numbers) -> Runs:
    """Run lengths from numbers: from a mask's fourth run on, a number is the difference from the run two before it."""
    n_numbers = np.diff(numbers.last, prepend=-1)
    filled = (n_numbers & 1).astype(np.bool_)
    n_pairs = (n_numbers + 1) >> 1
    final = np.cumsum(n_pairs) - 1
    first = final - n_pairs + 1
    written = np.ones(2 * int(final[-1] + 1), np.bool_)
    written[2 * final[filled] + 1] = False
    both = np.zeros(len(written), np.int64)
    both[written] = numbers.values
    background, foreground = both[0::2].copy(), both[1::2].copy()
    _sum_chains(foreground, first)
    # The third number is no difference either, so a mask's first background run is a chain by itself.
    _sum_chains(background, np.sort(np.concatenate([first, first[n_pairs > 1] + 1])))
    foreground[final[filled]] = 0
    return Runs(background, foreground, first, filled)


def run_lengths(text: bytes) -> Int64s:
    """The run lengths of one mask that was checked, int64 (runs,)."""
    return runs_of(numbers_of(codes_of(text), np.array([len(text) - 1]))).of(0)


def _sum_chains(values: Int64s, starts: Int64s) -> None:
    """Running sums in place that begin anew at each of `starts`, which ascend from 0."""
    sums = np.add.reduceat(values, starts)
    values[starts[1:]] -= sums[:-1]
    np.cumsum(values, out=values)


def areas_and_boxes(runs: Runs, totals: Int64s, heights: Int64s) -> tuple[Int64s, NDArray[np.float32]]:
    """Areas in pixels, int64 (masks,), and bounding boxes xywh, float32 (masks, 4), zeros where a mask is empty.

    `totals` are `runs.totals()`, `heights` those of the images; both (masks,). No run may be empty but a first one.
    """
    first, last = runs.first, runs.last
    areas: Int64s = np.add.reduceat(runs.foreground, first)
    lengths = runs.background + runs.foreground
    lengths[first[1:]] -= totals[:-1]
    starts = np.cumsum(lengths) - runs.foreground
    # On many processors float64 divides several times faster than int64. Below 2**53 its quotient's floor is exact.
    high = np.repeat(heights.astype(np.float64), np.diff(first, append=len(starts)))
    top = starts - np.floor(starts / high) * high
    bottom = top + runs.foreground
    added = last[runs.filled]
    top[added], bottom[added] = BELOW_ALL, 0
    y0, y1 = np.minimum.reduceat(top, first), np.maximum.reduceat(bottom, first)
    # A run that goes on in the next column touches the image's last row and its first.
    wraps = y1 > heights
    y0[wraps], y1[wraps] = 0, heights[wraps]
    x0 = runs.background[first] // heights
    x1 = (totals - np.where(runs.filled, runs.background[last], 0) - 1) // heights + 1
    boxes = np.stack([x0, y0, x1 - x0, y1 - y0], axis=1).astype(np.float32)
    boxes[areas == 0] = 0
    return areas, boxes
