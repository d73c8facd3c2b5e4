"""Checks and measures compressed run-length masks, thousands at a time, before any C code sees them.

pycocotools trusts its input: counts that are too short decode to uninitialized memory, a size of 200,000 x 200,000
with one byte of counts asks for 37 GiB, and `area` of more than 255 masks overflows under NumPy 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from partonomy_data.errors import MaskError
from partonomy_data.masks.rle import MAX_PIXELS, Rle, check_image, from_runs, too_large, usable_sizes
from partonomy_data.masks.runs import (
    GOES_ON,
    Bools,
    Codes,
    Int64s,
    Runs,
    areas_and_boxes,
    codes_of,
    numbers_of,
    runs_of,
)

#: Bytes of text that are parsed at a time. From some 100 kB on, the system takes back the memory of NumPy's temporary
#: arrays after each step, and the page faults halve the speed.
BLOCK_BYTES = 3 << 14
#: Characters of the longest number that a mask of MAX_PIXELS can need: 6 groups of 5 bits, sign included.
MAX_CHARACTERS = 6

_TOO_LARGE, _ALPHABET, _TRUNCATED, _OVERLONG, _NEGATIVE, _TOTAL = range(1, 7)


@dataclass(frozen=True, slots=True)
class Measured:
    """What `measure` found of n masks."""

    areas: Int64s
    """Pixels, int64 (n,); 0 for a mask that was refused."""
    boxes: NDArray[np.float32]
    """Bounding boxes xywh in whole pixels, float32 (n, 4); zeros for a mask that is empty or was refused."""
    errors: dict[int, MaskError] = field(default_factory=dict)
    """The masks that were refused, by position."""
    canonical: dict[int, tuple[bytes, tuple[str, ...]]] = field(default_factory=dict)
    """The masks that weren't canonical, by position: the counts to use instead, and the rules that were applied."""


@dataclass(frozen=True, slots=True)
class _Block:
    """Some of the masks: positions, lengths in bytes, heights and widths in pixels, each int64 (masks,)."""

    which: Int64s
    lengths: Int64s
    heights: Int64s
    widths: Int64s

    def only(self, kept: Bools) -> _Block:
        return _Block(self.which[kept], self.lengths[kept], self.heights[kept], self.widths[kept])


def from_compressed(counts: str | bytes, size: Sequence[int], height: int, width: int) -> Rle:
    """Mask of an (h, w) image from COCO's compressed counts and the size (h, w) written beside them.

    Counts that are legal but not canonical are written anew. Raises MaskError: `mask_size_mismatch`, `mask_too_large`,
    `rle_alphabet`, `rle_truncated`, `rle_overlong`, `rle_negative_run`, `rle_wrong_total`.
    """
    check_size(size, height, width)
    check_image(height, width)
    text = as_bytes(counts)
    measured = measure([text], [height], [width])
    if measured.errors:
        raise measured.errors[0]
    text, _ = measured.canonical.get(0, (text, ()))
    return Rle(int(height), int(width), text)


def as_bytes(counts: str | bytes) -> bytes:
    """Counts as bytes. What isn't ASCII becomes bytes outside COCO's alphabet, which `measure` refuses."""
    if isinstance(counts, bytes):
        return counts
    return counts.encode() if counts.isascii() else counts.encode("utf-8", "surrogatepass")


def check_size(size: Sequence[int], height: int, width: int) -> None:
    """Raises MaskError `mask_size_mismatch` unless a mask's `size` is its image's (h, w)."""
    if len(size) != 2:
        reason = f"the mask's size is a list of {len(size)}, not a height and a width"
        raise MaskError("mask_size_mismatch", reason)
    if size[0] != height or size[1] != width:
        reason = f"the mask's size is {size[0]} x {size[1]}, its image's is {height} x {width}"
        raise MaskError("mask_size_mismatch", reason)


def measure(counts: Sequence[bytes], heights: ArrayLike, widths: ArrayLike) -> Measured:
    """Checks n masks in COCO's compressed form, and gives areas and boxes of those that are sound.

    `heights` and `widths` are those of the images, integers (n,). A mask is sound if its text is whole and in COCO's
    alphabet, no run is negative, and the runs add up to h·w. Each mask is judged by itself, whatever the others are
    like. Nothing is raised for a mask: see `Measured`.
    """
    n = len(counts)
    height, width = np.asarray(heights, np.int64), np.asarray(widths, np.int64)
    lengths = np.fromiter(map(len, counts), np.int64, n)
    measured = Measured(np.zeros(n, np.int64), np.zeros((n, 4), np.float32))
    faults = np.zeros(n, np.uint8)
    usable = usable_sizes(height, width)
    pixels = np.where(usable, height, 0) * np.where(usable, width, 0)
    faults[lengths == 0] = _TOTAL
    faults[lengths > MAX_CHARACTERS * (pixels + 1)] = _OVERLONG
    faults[~usable] = _TOO_LARGE
    for which in _blocks(np.flatnonzero(faults == 0), lengths):
        codes = codes_of(b"".join([counts[i] for i in which.tolist()]))
        block = _Block(which, lengths[which], height[which], width[which])
        _measure_block(codes, block, measured, faults)
    if measured.canonical:
        anew = list(measured.canonical)
        again = measure([text for text, _ in measured.canonical.values()], height[anew], width[anew])
        measured.areas[anew], measured.boxes[anew] = again.areas, again.boxes
    for i in np.flatnonzero(faults).tolist():
        measured.errors[i] = _error(int(faults[i]), int(height[i]), int(width[i]))
    return measured


def _error(fault: int, height: int, width: int) -> MaskError:
    """The error for a mask of an (h, w) image."""
    if fault == _TOO_LARGE:
        return too_large(height, width)
    if fault == _ALPHABET:
        return MaskError("rle_alphabet", "the counts hold a character outside '0' to 'o'")
    if fault == _TRUNCATED:
        return MaskError("rle_truncated", "the counts end within a number")
    if fault == _OVERLONG:
        reason = f"the counts hold a number of more than {MAX_CHARACTERS} characters, or more than the image can need"
        return MaskError("rle_overlong", reason)
    if fault == _NEGATIVE:
        return MaskError("rle_negative_run", "a run is negative")
    return MaskError("rle_wrong_total", f"the run lengths don't add up to {height} x {width}")


def _blocks(which: Int64s, lengths: Int64s) -> Iterator[Int64s]:
    """Cuts masks into stretches of about BLOCK_BYTES."""
    if not len(which):
        return
    total = np.cumsum(lengths[which])
    cuts = np.unique(np.searchsorted(total, np.arange(BLOCK_BYTES, int(total[-1]), BLOCK_BYTES)))
    yield from np.split(which, cuts[cuts > 0])


def _measure_block(codes: Codes, block: _Block, measured: Measured, faults: NDArray[np.uint8]) -> None:
    """Measures a block of masks into `measured`, and writes into `faults`. `codes` are those of the block's text."""
    text_faults = _text_faults(codes, np.cumsum(block.lengths) - 1)
    if text_faults.any():
        faults[block.which] = text_faults
        sound = text_faults == 0
        codes, block = codes[np.repeat(sound, block.lengths)], block.only(sound)
        if not len(block.which):
            return
    numbers = numbers_of(codes, np.cumsum(block.lengths) - 1)
    runs, padded = runs_of(numbers), numbers.padded
    # Sums of runs stay within 64 bits only once no run is longer than an image.
    unusable = runs.outside(0, MAX_PIXELS)
    if unusable.any():
        negative = runs.outside(0, np.iinfo(np.int64).max)
        faults[block.which[unusable]] = _TOTAL
        faults[block.which[negative]] = _NEGATIVE
        runs, block, padded = runs.only(~unusable), block.only(~unusable), padded[~unusable]
        if not len(block.which):
            return
    totals = runs.totals()
    wrong = totals != block.heights * block.widths
    faults[block.which[wrong]] = _TOTAL
    areas, boxes = areas_and_boxes(runs, totals, block.heights)
    areas[wrong], boxes[wrong] = 0, 0
    measured.areas[block.which], measured.boxes[block.which] = areas, boxes
    _write_anew(runs, block, padded, ~wrong, measured)


def _text_faults(codes: Codes, last_byte: Int64s) -> NDArray[np.uint8]:
    """The fault of each mask's text, uint8 (masks,), 0 where there is none. `last_byte` is where each text ends."""
    goes_on = codes & GOES_ON
    two = goes_on[:-1] & goes_on[1:]
    four = two[:-2] & two[2:]
    six = four[:-2] & four[2:]
    found = np.zeros(len(last_byte), np.uint8)
    if int(codes.max()) < 64 and not goes_on[last_byte].any() and not six.any():
        return found
    # What is assigned later wins, so that a text's fault never depends on the texts beside it: a number can seem to
    # go on from one text into the next only where the first is truncated.
    found[np.searchsorted(last_byte, np.flatnonzero(six))] = _OVERLONG
    found[goes_on[last_byte] != 0] = _TRUNCATED
    found[np.searchsorted(last_byte, np.flatnonzero(codes > 63))] = _ALPHABET
    return found


def _write_anew(runs: Runs, block: _Block, padded: Bools, sound: Bools, measured: Measured) -> None:
    """Puts canonical counts of the block's masks that have others into `measured`."""
    empty = runs.with_empty_runs()
    for mask in np.flatnonzero((empty | padded) & sound).tolist():
        position, height, width = int(block.which[mask]), int(block.heights[mask]), int(block.widths[mask])
        counts = from_runs(runs.of(mask), height, width).counts
        rules = ("rle_zero_runs",) * bool(empty[mask]) + ("rle_padded_counts",) * bool(padded[mask])
        measured.canonical[position] = (counts, rules)
