"""The truth is whole, and the sources leave out as much of it as they should."""

from __future__ import annotations

import numpy as np
import pytest

from tests.demo.conftest import Small, dense


@pytest.mark.parametrize("source", ["paco", "partimagenet"])
def test_sources_that_overlook_parts_leave_out_five_to_ten_percent(small: Small, source: str) -> None:
    parts = [part for _, item in small.objects(source) for part in item["parts"]]
    asked = [part for part in parts if part["state"] in ("annotated", "without_mask", "unannotated")]
    asked = [part for part in asked if part["state"] != "unannotated" or _labeled(small, source, part)]
    share = sum(part["state"] == "unannotated" for part in asked) / len(asked)
    assert 0.05 <= share <= 0.10


def _labeled(small: Small, source: str, part: object) -> bool:
    """Whether the part is of an object that the source labels."""
    return any(
        item["object_key"] is not None
        for _, item in small.objects(source)
        if any(other is part for other in item["parts"])
    )


def test_pascal_part_labels_every_visible_part(small: Small) -> None:
    for _, item in small.objects("pascal_part"):
        if item["source_category"] is not None:
            assert all(part["annotated"] for part in item["parts"])


def test_some_of_pacos_objects_have_no_parts_labeled(small: Small) -> None:
    skipped = [item for _, item in small.objects("paco") if any(p["state"] == "parts_skipped" for p in item["parts"])]
    assert len(skipped) >= 5
    assert all(not part["annotated"] for item in skipped for part in item["parts"])


def test_masks_have_the_pixels_that_they_say(small: Small) -> None:
    for source in small.photographs:
        for line, item in small.objects(source):
            mask = dense(item["rle"])
            assert mask.shape == (line["height"], line["width"])
            assert mask.sum() == item["pixels"]
            rows, columns = np.nonzero(mask)
            box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
            assert item["box"] == box


def test_parts_lie_within_their_objects(small: Small) -> None:
    for source in small.photographs:
        for _, item in small.objects(source):
            whole = dense(item["rle"])
            for part in item["parts"]:
                mask = dense(part["rle"])
                assert mask.sum() == part["pixels"] > 0
                assert not (mask & ~whole).any()


def test_objects_do_not_overlap(small: Small) -> None:
    for source, lines in small.photographs.items():
        for line in lines:
            seen = sum(dense(item["rle"]).astype(int) for item in line["objects"])
            assert np.max(seen) == 1, (source, line["file_name"])


def test_an_eye_is_part_of_the_head_too(small: Small) -> None:
    checked = 0
    for _, item in small.objects("pascal_part"):
        masks = {part["source_part"]: dense(part["rle"]) for part in item["parts"]}
        for eye in ("leye", "reye"):
            if eye in masks and "head" in masks:
                assert not (masks[eye] & ~masks["head"]).any()
                checked += 1
    assert checked >= 10


def test_parts_of_one_pixel_or_few_occur(small: Small) -> None:
    assert any(part["pixels"] <= 2 for _, item in small.objects("pascal_part") for part in item["parts"])


def test_every_photograph_belongs_to_one_source_and_shows_something_of_it(small: Small) -> None:
    paths = [(source, line["path"]) for source, lines in small.photographs.items() for line in lines]
    assert len(paths) == len(set(paths)) == 300
    for source, lines in small.photographs.items():
        assert all(line["source"] == source for line in lines)
        assert all(any(item["source_category"] for item in line["objects"]) for line in lines)


def test_shares_of_the_sources(small: Small) -> None:
    counts = {source: len(lines) for source, lines in small.photographs.items()}
    assert counts == {"paco": 102, "partimagenet": 72, "pascal_part": 78, "partonomy": 48}
    assert counts == {source: count["images"] for source, count in small.made.counts.items()}


def test_several_instances_of_a_category_share_photographs(small: Small) -> None:
    for source in small.photographs:
        crowded = 0
        for line in small.photographs[source]:
            names = [item["category"] for item in line["objects"]]
            crowded += len(names) > len(set(names))
        assert crowded >= 3, source


def test_the_world_file_tells_what_each_source_means(small: Small) -> None:
    parts = {item["category"]: set(item["parts"]) for item in small.world["categories"]}
    for source, entries in small.world["sources"].items():
        named = {(entry["source_category"], name) for entry in entries for name in entry["parts"]}
        for entry in entries:
            assert {concept for concepts in entry["parts"].values() for concept in concepts} <= parts[entry["category"]]
        if source in ("paco", "partonomy"):
            for _, item in small.objects(source):
                for part in item["parts"]:
                    assert (item["source_category"], part["source_part"]) in named
