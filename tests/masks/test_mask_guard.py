"""The guard before pycocotools, and the measuring of many masks at once, against a plain decoder."""

from __future__ import annotations

import tracemalloc
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mask_oracle import (
    bitmap_of_runs,
    bitmaps,
    box_of,
    judge,
    patient,
    runs_of_bitmap,
    sizes,
    text_of_number,
    text_of_runs,
)
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from partonomy_data import masks
from partonomy_data.errors import MaskError
from partonomy_data.masks import guard

Mask = tuple[bytes, int, int]


@st.composite
def sound(draw: st.DrawFn) -> Mask:
    """A legal mask, canonical or with empty runs and padded numbers."""
    bitmap = draw(bitmaps)
    runs = runs_of_bitmap(bitmap)
    if draw(st.booleans()):
        at = draw(st.integers(0, len(runs) - 1))
        cut = draw(st.integers(0, runs[at]))
        runs[at : at + 1] = [cut, 0, runs[at] - cut]
    return text_of_runs(runs, padding=draw(st.sampled_from([0, 0, 1]))), *bitmap.shape


@st.composite
def mutated(draw: st.DrawFn) -> Mask:
    """A legal mask with its text cut, extended, or changed in one place."""
    text, height, width = draw(sound())
    start = draw(st.integers(0, len(text)))
    stop = draw(st.integers(start, min(len(text), start + 2)))
    return text[:start] + draw(st.binary(max_size=2) | alphabet) + text[stop:], height, width


alphabet = st.lists(st.integers(48, 111), max_size=12).map(bytes)
numbers = st.lists(st.integers(-(2**34), 2**34).map(text_of_number), max_size=6).map(b"".join)
anything = st.tuples(alphabet | numbers | st.binary(max_size=8), sizes).map(lambda mask: (mask[0], *mask[1]))
unusable = st.tuples(st.just(b"0"), st.integers(-1, 2**40), st.integers(-1, 2**40))
masks_as_text = sound() | mutated() | anything | unusable


@settings(deadline=None)
@given(st.lists(masks_as_text, max_size=12), st.sampled_from([1, 7, 40, guard.BLOCK_BYTES]))
def test_each_mask_of_many_is_judged_and_measured_as_if_it_were_alone(found: list[Mask], block_bytes: int) -> None:
    with mock.patch.object(guard, "BLOCK_BYTES", block_bytes):
        measured = masks.measure(*(list(column) for column in zip(*found, strict=True)) if found else ([], [], []))
    assert measured.areas.shape == (len(found),)
    assert measured.boxes.shape == (len(found), 4)
    for i, (text, height, width) in enumerate(found):
        verdict = judge(text, height, width)
        if isinstance(verdict, str):
            assert measured.errors[i].rule == verdict
            assert measured.areas[i] == 0
            assert not measured.boxes[i].any()
            assert i not in measured.canonical
            continue
        assert i not in measured.errors
        bitmap = bitmap_of_runs(verdict, height, width)
        assert measured.areas[i] == bitmap.sum()
        assert measured.boxes[i].tolist() == box_of(bitmap)
        canonical = masks.from_bitmap(bitmap).counts
        counts, rules = measured.canonical.get(i, (text, ()))
        assert counts == canonical
        assert bool(rules) == (text != canonical)
        assert ("rle_zero_runs" in rules) == (0 in verdict[1:])
        assert ("rle_padded_counts" in rules) == (text != text_of_runs(verdict))


@settings(deadline=None)
@given(mutated())
def test_a_damaged_text_is_refused_or_has_exactly_the_images_pixels(found: Mask) -> None:
    text, height, width = found
    try:
        rle = masks.from_compressed(text, [height, width], height, width)
    except MaskError:
        return
    runs = judge(rle.counts, height, width)
    assert isinstance(runs, list)
    assert sum(runs) == height * width
    assert masks.decode(rle).shape == (height, width)


@patient
@given(bitmaps)
def test_what_pycocotools_writes_is_accepted_unchanged(bitmap: NDArray[np.bool_]) -> None:
    written = coco_mask.encode(np.asfortranarray(bitmap, np.uint8))
    rle = masks.from_compressed(written["counts"].decode(), written["size"], *bitmap.shape)
    assert rle == masks.Rle(*bitmap.shape, written["counts"])


def test_large_masks_are_measured_as_pycocotools_does() -> None:
    generator = np.random.default_rng(7)
    made, heights, widths = [], [], []
    for height, width, corners in [
        (480, 640, 9),
        (3000, 2000, 40),
        (1, 100_000, 5),
        (100_000, 1, 5),
        (427, 640, 300),
    ]:
        for _ in range(20):
            ring = (generator.uniform(0, 1, (corners, 2)) * [width, height]).ravel().tolist()
            made.append(coco_mask.frPyObjects([ring], height, width)[0])
            heights.append(height)
            widths.append(width)
    measured = masks.measure([rle["counts"] for rle in made], heights, widths)
    assert not measured.errors
    assert not measured.canonical
    assert measured.areas.tolist() == [int(coco_mask.area(rle)) for rle in made]
    assert measured.boxes.tolist() == [coco_mask.toBbox(rle).tolist() for rle in made]


@pytest.mark.parametrize(
    ("text", "size", "rule"),
    [
        ("6", [3, 2], "mask_size_mismatch"),
        ("6", [2], "mask_size_mismatch"),
        ("6", [2, 3, 1], "mask_size_mismatch"),
        ("/", [2, 3], "rle_alphabet"),
        ("p", [2, 3], "rle_alphabet"),
        ("6\0", [2, 3], "rle_alphabet"),
        ("é", [2, 3], "rle_alphabet"),
        ("\ud800", [2, 3], "rle_alphabet"),
        ("1Q", [2, 3], "rle_truncated"),
        ("VPPPPP0", [2, 3], "rle_overlong"),
        ("0" * 43, [2, 3], "rle_overlong"),
        ("7O", [2, 3], "rle_negative_run"),
        ("", [2, 3], "rle_wrong_total"),
        ("5", [2, 3], "rle_wrong_total"),
        ("61", [2, 3], "rle_wrong_total"),
        (text_of_number(2**29 - 1), [2, 3], "rle_wrong_total"),
    ],
)
def test_each_way_to_be_no_mask_is_refused_by_its_name(text: str, size: list[int], rule: str) -> None:
    with pytest.raises(MaskError) as caught:
        masks.from_compressed(text, size, 2, 3)
    assert caught.value.rule == rule
    assert caught.value.reason


def test_runs_that_add_up_in_32_bits_only_are_refused() -> None:
    runs = [608] + [2**29 - 1] * 8
    assert sum(runs) % 2**32 == 20 * 30
    with pytest.raises(MaskError) as caught:
        masks.from_compressed(text_of_runs(runs), [20, 30], 20, 30)
    assert caught.value.rule == "rle_wrong_total"


def test_empty_runs_are_joined_and_counted() -> None:
    measured = masks.measure([text_of_runs([2, 0, 1, 2, 1, 0])], [2], [3])
    assert measured.canonical == {0: (text_of_runs([3, 2, 1]), ("rle_zero_runs",))}


def test_padded_numbers_are_shortened_and_counted() -> None:
    measured = masks.measure([text_of_runs([3, 2, 1], padding=2)], [2], [3])
    assert measured.canonical == {0: (text_of_runs([3, 2, 1]), ("rle_padded_counts",))}


@pytest.mark.parametrize("image", [(480, 640), (200_000, 200_000)])
def test_a_mask_that_asks_for_37_gib_is_refused_without_allocating(image: tuple[int, int]) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(MaskError) as caught:
            masks.decode(masks.from_compressed("1", [200_000, 200_000], *image))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.rule == ("mask_size_mismatch" if image == (480, 640) else "mask_too_large")
    assert peak < 1 << 20


def test_work_space_does_not_grow_with_the_number_of_masks() -> None:
    ring = [100.0, 100.0, 300.0, 120.0, 400.0, 380.0, 90.0, 300.0]
    counts = coco_mask.frPyObjects([ring], 480, 640)[0]["counts"]
    peaks = []
    for n in (2_000, 20_000):
        texts, heights, widths = [counts] * n, np.full(n, 480), np.full(n, 640)
        tracemalloc.start()
        try:
            masks.measure(texts, heights, widths)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    # What grows is one row of the result, and the few arrays with one entry for a mask.
    assert peaks[1] - peaks[0] < 18_000 * 150
