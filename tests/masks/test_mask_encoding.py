"""Whatever a source writes, to masks with areas and boxes: one at a time and in bulk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mask_oracle import bitmap_of_runs, bitmaps, box_of, patient, runs_of_bitmap, text_of_runs
from pycocotools.coco import COCO

from partonomy_data import masks
from partonomy_data.errors import MaskError

SQUARE = [2.0, 2.0, 8.0, 2.0, 8.0, 8.0, 2.0, 8.0]


def as_segmentation(bitmap: np.ndarray, form: str) -> masks.Segmentation:
    """A bitmap in one of the forms that sources write."""
    runs, size = runs_of_bitmap(bitmap), list(bitmap.shape)
    return {
        "checked": masks.from_bitmap(bitmap),
        "compressed": masks.RleJson(size, text_of_runs(runs).decode()),
        "padded": masks.RleJson(size, text_of_runs(runs, padding=1).decode()),
        "list": masks.RleJson(size, runs),
        "list with empty runs": masks.RleJson(size, [*runs, 0]),
    }[form]


FORMS = {
    "checked": [],
    "compressed": [],
    "padded": ["rle_padded_counts"],
    "list": [],
    "list with empty runs": ["rle_zero_runs"],
}


@patient
@given(st.lists(st.tuples(bitmaps, st.sampled_from(sorted(FORMS))), max_size=10))
def test_all_forms_of_a_mask_give_the_same_bytes_area_and_box(found: list[tuple[np.ndarray, str]]) -> None:
    segmentations = [as_segmentation(bitmap, form) for bitmap, form in found]
    encoded = masks.encode_many(segmentations, [b.shape[0] for b, _ in found], [b.shape[1] for b, _ in found])
    kept = [(i, form) for i, (bitmap, form) in enumerate(found) if bitmap.any()]
    assert encoded.repairs == [(i, rule) for i, form in kept for rule in FORMS[form]]
    for i, (bitmap, form) in enumerate(found):
        if bitmap.any():
            assert encoded.counts[i] == masks.from_bitmap(bitmap).counts
            alone = masks.encode(segmentations[i], *bitmap.shape)
            assert alone == (masks.from_bitmap(bitmap), FORMS[form])
        else:
            assert encoded.counts[i] is None
            assert encoded.errors[i].rule == "mask_empty"
        assert encoded.areas[i] == bitmap.sum()
        assert encoded.boxes[i].tolist() == box_of(bitmap)
    assert len(encoded.errors) == sum(not bitmap.any() for bitmap, _ in found)


BAD: list[tuple[Any, str]] = [
    ([], "mask_missing"),
    ([[1.0, 2.0, 3.0, 4.0]], "polygon_degenerate"),
    ([[25.0, 25.0, 35.0, 25.0, 35.0, 35.0]], "mask_empty"),
    (masks.RleJson([20, 20], text_of_runs([400]).decode()), "mask_empty"),
    (masks.RleJson([20, 20], [400]), "mask_empty"),
    (masks.RleJson([20, 20], [100, 100]), "rle_wrong_total"),
    (masks.RleJson([20, 20], [500, -100]), "rle_negative_run"),
    (masks.RleJson([20, 20], text_of_runs([100, 100]).decode()), "rle_wrong_total"),
    (masks.RleJson([20, 20], "<>!"), "rle_alphabet"),
    (masks.RleJson([200_000, 200_000], "1"), "mask_size_mismatch"),
    (masks.RleJson([10, 40], [0, 400]), "mask_size_mismatch"),
    (masks.Rle(10, 40, text_of_runs([0, 400])), "mask_size_mismatch"),
    (masks.Rle(20, 20, text_of_runs([0, 399])), "rle_wrong_total"),
]


@pytest.mark.parametrize(("segmentation", "rule"), BAD)
def test_a_bad_mask_is_refused_by_its_name(segmentation: masks.Segmentation, rule: str) -> None:
    with pytest.raises(MaskError) as caught:
        masks.encode(segmentation, 20, 20)
    assert caught.value.rule == rule


def test_bad_masks_in_bulk_are_refused_and_the_good_ones_among_them_kept() -> None:
    segmentations = [one for bad, _ in BAD for one in (bad, [SQUARE])]
    encoded = masks.encode_many(segmentations, np.full(2 * len(BAD), 20), np.full(2 * len(BAD), 20))
    assert [(i, error.rule) for i, error in encoded.errors.items()] == [
        (2 * i, rule) for i, (_, rule) in enumerate(BAD)
    ]
    square, _ = masks.from_polygons([SQUARE], 20, 20)
    assert encoded.counts == [None, square.counts] * len(BAD)
    assert encoded.areas.tolist() == [0, 36] * len(BAD)
    assert encoded.boxes.tolist() == [[0, 0, 0, 0], [2, 2, 6, 6]] * len(BAD)
    assert encoded.boxes.dtype == np.float32
    assert encoded.areas.dtype == np.int64


def test_images_of_other_sizes_beside_it_do_not_change_a_mask() -> None:
    sizes = [(20, 20), (200_000, 200_000), (20, 30), (20, 20), (0, 5)]
    encoded = masks.encode_many([[SQUARE]] * 5, [h for h, _ in sizes], [w for _, w in sizes])
    assert {i: error.rule for i, error in encoded.errors.items()} == {
        1: "mask_too_large",
        4: "mask_too_large",
    }
    for i in (0, 2, 3):
        assert encoded.counts[i] == masks.from_polygons([SQUARE], *sizes[i])[0].counts


def test_repairs_of_polygons_are_told_with_their_position() -> None:
    encoded = masks.encode_many([[SQUARE], [[1.0], SQUARE, []], [SQUARE]], [20] * 3, [20] * 3)
    assert encoded.repairs == [(1, "degenerate_ring")] * 2


def test_a_refused_mask_counts_as_no_repair() -> None:
    segmentations = [[[1.0], [25.0, 25.0, 35.0, 25.0, 35.0, 35.0]], masks.RleJson([20, 20], [200, 0, 200])]
    encoded = masks.encode_many(segmentations, [20, 20], [20, 20])
    assert [error.rule for error in encoded.errors.values()] == ["mask_empty"] * 2
    assert encoded.repairs == []


def test_no_masks_at_all_are_no_error() -> None:
    encoded = masks.encode_many([], [], [])
    assert encoded.counts == []
    assert encoded.areas.shape == (0,)
    assert encoded.boxes.shape == (0, 4)


class Annotation(msgspec.Struct):
    image_id: int
    segmentation: list[list[float]] | masks.RleJson


class Image(msgspec.Struct):
    id: int
    height: int
    width: int


class Instances(msgspec.Struct):
    images: list[Image]
    annotations: list[Annotation]


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")
def test_real_coco_annotations_are_drawn_pixel_by_pixel_as_pycocotools_does(shared_data: Path) -> None:
    path = shared_data / "coco" / "instances_train2017.json"
    read = msgspec.json.decode(path.read_bytes(), type=Instances)
    images = {image.id: image for image in read.images}
    of = [images[annotation.image_id] for annotation in read.annotations]
    segmentations = [annotation.segmentation for annotation in read.annotations]
    assert sum(isinstance(segmentation, list) for segmentation in segmentations) == 465
    assert sum(isinstance(segmentation, masks.RleJson) for segmentation in segmentations) == 5
    encoded = masks.encode_many(segmentations, [image.height for image in of], [image.width for image in of])
    assert not encoded.errors
    assert not encoded.repairs
    coco = COCO(str(path))
    for i, annotation in enumerate(coco.dataset["annotations"]):
        bitmap = coco.annToMask(annotation)
        counts = encoded.counts[i]
        assert counts is not None
        assert (masks.decode(masks.Rle(of[i].height, of[i].width, counts)) == bitmap).all()
        assert encoded.areas[i] == bitmap.sum()
        assert encoded.boxes[i].tolist() == box_of(bitmap)


def test_uncompressed_runs_are_the_pixels_that_they_count() -> None:
    runs = [3, 4, 0, 5, 8]
    rle, repairs = masks.encode(masks.RleJson([4, 5], runs), 4, 5)
    assert repairs == ["rle_zero_runs"]
    assert (masks.decode(rle) == bitmap_of_runs(runs, 4, 5)).all()
