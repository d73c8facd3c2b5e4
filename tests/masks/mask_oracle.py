"""Masks the slow and plain way: one at a time, one number at a time. What the fast code is compared with."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

MAX_PIXELS, MAX_SIDE, MAX_CHARACTERS = 2**28, 2**24, 6

#: No limit on the time of one example: other work may run beside the tests.
patient = settings(deadline=None)
sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))
bitmaps = sizes.flatmap(lambda size: hnp.arrays(np.bool_, size))


def runs_of_bitmap(bitmap: NDArray[np.bool_]) -> list[int]:
    """Run lengths down the columns, background first."""
    runs, value = [0], False
    for pixel in bitmap.ravel(order="F").tolist():
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    return runs


def bitmap_of_runs(runs: list[int], height: int, width: int) -> NDArray[np.bool_]:
    """The pixels of run lengths that add up to height x width."""
    pixels = [bool(i % 2) for i, run in enumerate(runs) for _ in range(run)]
    return np.array(pixels, np.bool_).reshape((height, width), order="F")


def text_of_number(number: int, padding: int = 0) -> bytes:
    """One number in COCO's alphabet, lowest five bits first, with so many characters more than it needs."""
    text, more = [], True
    while more or padding:
        if not more:
            padding -= 1
        group = number & 31
        number >>= 5
        more = number != (-1 if group & 16 else 0)
        text.append(group | 32)
    text[-1] &= 31
    return bytes(code + 48 for code in text)


def text_of_runs(runs: list[int], padding: int = 0) -> bytes:
    """COCO's compressed counts."""
    return b"".join(text_of_number(run - (runs[i - 2] if i > 2 else 0), padding) for i, run in enumerate(runs))


def judge(text: bytes, height: int, width: int) -> str | list[int]:
    """The runs of a compressed mask, or the name of the rule that it breaks."""
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE and height * width <= MAX_PIXELS):
        return "mask_too_large"
    if len(text) > MAX_CHARACTERS * (height * width + 1):
        return "rle_overlong"
    codes = [byte - 48 for byte in text]
    if any(not 0 <= code < 64 for code in codes):
        return "rle_alphabet"
    if codes and codes[-1] & 32:
        return "rle_truncated"
    groups: list[list[int]] = [[]]
    for code in codes:
        groups[-1].append(code & 31)
        if not code & 32:
            groups.append([])
    groups.pop()
    if any(len(group) > MAX_CHARACTERS for group in groups):
        return "rle_overlong"
    runs: list[int] = []
    for group in groups:
        number = sum(bits << (5 * i) for i, bits in enumerate(group)) - ((group[-1] & 16) << 1 + 5 * (len(group) - 1))
        runs.append(number + (runs[-2] if len(runs) > 2 else 0))
    if any(run < 0 for run in runs):
        return "rle_negative_run"
    return runs if sum(runs) == height * width else "rle_wrong_total"


def box_of(bitmap: NDArray[np.bool_]) -> list[int]:
    """xywh of the foreground; zeros if there is none."""
    y, x = np.nonzero(bitmap)
    if not len(x):
        return [0, 0, 0, 0]
    return [int(x.min()), int(y.min()), int(np.ptp(x)) + 1, int(np.ptp(y)) + 1]
