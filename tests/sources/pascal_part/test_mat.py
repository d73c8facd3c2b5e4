"""The `.mat` layout: nesting, repairs and quarantine, on files that scipy wrote."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.io import savemat

from partonomy_data.errors import SourceError
from partonomy_data.sources.records import Photograph, RefusedPart

from .pascal_files import SIZE, part, pixels, read, square, structs, thing, write_mat, write_photograph

STEM = "2008_000003"


def _one(tmp_path: Path, objects: Sequence[Mapping[str, Any]], name: str | None = None) -> Photograph:
    """The photograph of a source with one file."""
    write_mat(tmp_path / "source", STEM, objects, name)
    _, found, rejected = read(tmp_path / "source", tmp_path)
    assert rejected == []
    return found[STEM]


def test_parts_hang_on_the_object_that_they_are_nested_in(tmp_path: Path) -> None:
    head, torso = square(1, 1), square(5, 5)
    dogs = [
        thing("dog", square(0, 0, 9), [part("head", head), part("torso", torso)]),
        thing("dog", square(3, 3, 8), [part("head", torso)]),
    ]
    photograph = _one(tmp_path, dogs)
    assert [record.key for record in photograph.objects] == ["object_0", "object_1"]
    told = [(record.key, record.object_key, record.category) for record in photograph.parts]
    assert told == [
        ("object_0/head", "object_0", "dog/head"),
        ("object_0/torso", "object_0", "dog/torso"),
        ("object_1/head", "object_1", "dog/head"),
    ]
    assert np.array_equal(pixels(photograph.parts[1].segmentation), torso)
    assert (photograph.height, photograph.width) == SIZE
    assert photograph.photograph == f"voc/{STEM}"
    assert photograph.image_id == f"pascal_part/{STEM}"
    assert photograph.repairs == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_masks_come_back_pixel_by_pixel(tmp_path: Path, data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    bitmaps = data.draw(st.lists(arrays(np.uint8, shape, elements=st.integers(0, 1)), min_size=1, max_size=5))
    codes = ["head", "neck", "torso", "tail", "lear"]
    parts = [part(code, bitmap) for code, bitmap in zip(codes, bitmaps, strict=False)]
    photograph = _one(tmp_path, [thing("cat", np.ones(shape, np.uint8), parts)])
    assert [pixels(record.segmentation).tolist() for record in photograph.parts] == [b.tolist() for b in bitmaps]
    # An empty mask goes on to the checks of all masks, and then nothing can be said of absent parts.
    assert photograph.objects[0].exhaustive == all(bitmap.any() for bitmap in bitmaps)


def test_overlapping_parts_are_kept_as_they_are(tmp_path: Path) -> None:
    head, eye = square(1, 1, 5), square(2, 2, 2)
    photograph = _one(tmp_path, [thing("dog", square(0, 0, 9), [part("head", head), part("leye", eye)])])
    assert [int(pixels(record.segmentation).sum()) for record in photograph.parts] == [25, 4]


def test_objects_without_parts_are_kept_and_say_nothing_of_absent_parts(tmp_path: Path) -> None:
    photograph = _one(tmp_path, [thing("boat", square(1, 1)), thing("tvmonitor", square(6, 6))])
    assert [(record.category, record.exhaustive) for record in photograph.objects] == [
        ("boat", False), ("tvmonitor", False),
    ]  # fmt: skip
    # A boat never has any; a television has a screen.
    assert photograph.repairs == ["object_without_parts"]


def test_table_is_the_dining_table(tmp_path: Path) -> None:
    photograph = _one(tmp_path, [thing("table", square(1, 1), index=11), thing("diningtable", square(1, 1), index=11)])
    assert [record.category for record in photograph.objects] == ["diningtable", "diningtable"]
    assert photograph.repairs == ["table_for_dining_table"]


def test_a_class_index_of_another_class_is_not_believed(tmp_path: Path) -> None:
    photograph = _one(tmp_path, [thing("sheep", square(1, 1), [part("head", square(1, 1))], index=10)])
    assert photograph.objects[0].category == "sheep"
    assert photograph.repairs == ["class_index_mismatch"]


def test_an_unknown_class_is_quarantined_with_its_parts_and_no_more(tmp_path: Path) -> None:
    giraffe = thing("giraffe", square(1, 1), [part("head", square(1, 1)), part("neck", square(2, 2))])
    photograph = _one(tmp_path, [giraffe, thing("cow", square(4, 4))])
    assert [(row.table, row.row_id, row.rule) for row in photograph.rejected] == [
        ("objects", "object_0", "class_unknown"),
        ("parts", "object_0/head", "class_unknown"),
        ("parts", "object_0/neck", "class_unknown"),
    ]
    assert [(record.key, record.category) for record in photograph.objects] == [("object_1", "cow")]
    assert photograph.rejected[0].row == {"class": "giraffe", "class_ind": 1, "mask": "12x16 uint8", "n_parts": 2}


def test_rear_is_the_right_ear(tmp_path: Path) -> None:
    photograph = _one(tmp_path, [thing("dog", square(0, 0, 9), [part("rear", square(1, 1))])])
    assert photograph.parts[0].category == "dog/rear"
    assert photograph.repairs == ["rear_for_right_ear"]


def test_a_variant_of_a_code_is_read_as_the_nearest_and_counted(tmp_path: Path) -> None:
    rows = [part("head_bird", square(0, 0)), part("wing_1", square(2, 2)), part("wing_2", square(5, 5))]
    photograph = _one(tmp_path, [thing("bird", square(0, 0, 9), rows)])
    assert [(record.key, record.category) for record in photograph.parts] == [
        ("object_0/head_bird", "bird/head"),
        ("object_0/wing_1", "bird/wing"),
        ("object_0/wing_2", "bird/wing"),
    ]
    assert photograph.repairs == ["code_variant"] * 3


@pytest.mark.parametrize(
    "code", ["propeller", "leg_4", "", np.float64(3.0)], ids=["other", "unsure", "empty", "number"]
)
def test_a_code_that_names_no_part_is_quarantined_and_its_object_not_exhaustive(tmp_path: Path, code: Any) -> None:
    photograph = _one(tmp_path, [thing("cow", square(0, 0, 9), [part("head", square(1, 1)), part(code, square(2, 2))])])
    assert [record.category for record in photograph.parts] == ["cow/head"]
    assert [(row.table, row.rule) for row in photograph.rejected] == [("parts", "code_unknown")]
    assert photograph.refused == [RefusedPart("", "object_0")]
    assert not photograph.objects[0].exhaustive


def test_two_parts_of_one_name_are_both_kept(tmp_path: Path) -> None:
    rows = [part("leye", square(1, 1)), part("leye", square(5, 5))]
    photograph = _one(tmp_path, [thing("cat", square(0, 0, 9), rows)])
    assert [record.key for record in photograph.parts] == ["object_0/leye", "object_0/leye#2"]
    assert photograph.repairs == ["duplicate_part_name"]


@pytest.mark.parametrize(
    "mask",
    [square(2, 2, value=255), square(2, 2).astype(np.float64) * -0.5, square(2, 2).astype(np.int32) * 7],
    ids=["255", "fractions", "int32"],
)
def test_all_values_but_zero_are_the_mask(tmp_path: Path, mask: Any) -> None:
    photograph = _one(tmp_path, [thing("cat", square(0, 0, 9), [part("head", mask)])])
    assert np.array_equal(pixels(photograph.parts[0].segmentation), square(2, 2))
    assert photograph.repairs == ["mask_values"]


@pytest.mark.parametrize(
    "mask", [square(2, 2).astype(bool), square(2, 2).astype(np.float64), square(2, 2).astype(np.int16)]
)
def test_masks_of_other_types_with_zeros_and_ones_need_no_repair(tmp_path: Path, mask: Any) -> None:
    photograph = _one(tmp_path, [thing("cat", square(0, 0, 9), [part("head", mask)])])
    assert np.array_equal(pixels(photograph.parts[0].segmentation), square(2, 2))
    assert photograph.repairs == []


@pytest.mark.parametrize(
    "mask",
    [np.zeros((0, 0)), np.full(SIZE, np.nan), np.ones((*SIZE, 3), np.uint8), "mask"],
    ids=["nothing", "nan", "three axes", "text"],
)
def test_a_part_whose_mask_is_no_matrix_is_quarantined(tmp_path: Path, mask: Any) -> None:
    rows = [part("head", mask), part("tail", square(1, 1))]
    photograph = _one(tmp_path, [thing("cat", square(0, 0, 9), rows)])
    assert [record.key for record in photograph.parts] == ["object_0/tail"]
    assert [(row.row_id, row.rule) for row in photograph.rejected] == [("object_0/head", "mask_malformed")]
    assert photograph.refused == [RefusedPart("cat/head", "object_0")]
    assert not photograph.objects[0].exhaustive


def test_a_part_of_one_pixel_is_kept(tmp_path: Path) -> None:
    photograph = _one(tmp_path, [thing("cat", square(0, 0, 9), [part("leye", square(1, 1, 1))])])
    assert int(pixels(photograph.parts[0].segmentation).sum()) == 1
    assert photograph.repairs == ["part_of_one_pixel"]
    assert photograph.objects[0].exhaustive


@pytest.mark.parametrize(
    "mask",
    [np.zeros((0, 0)), np.zeros(SIZE, np.uint8), np.full(SIZE, np.inf), square(0, 0, size=(5, 5))],
    ids=["missing", "empty", "infinite", "other size"],
)
def test_an_object_without_a_usable_mask_keeps_its_parts(tmp_path: Path, mask: Any) -> None:
    rows = [part("head", square(1, 1)), part("tail", square(4, 4))]
    photograph = _one(tmp_path, [thing("cat", mask, rows)])
    assert photograph.objects[0].segmentation is None
    assert len(photograph.parts) == 2
    assert photograph.repairs == ["object_mask_unusable"]


@pytest.mark.parametrize("mask", [np.zeros(SIZE, np.uint8), square(0, 0, size=(5, 5))], ids=["empty", "other size"])
def test_an_unusable_mask_of_an_object_without_parts_is_left_to_the_checks_of_all_masks(
    tmp_path: Path, mask: Any
) -> None:
    photograph = _one(tmp_path, [thing("boat", square(1, 1)), thing("boat", square(2, 2)), thing("boat", mask)])
    assert np.array_equal(pixels(photograph.objects[2].segmentation), mask)
    assert photograph.repairs == []


def test_masks_of_another_size_go_on_to_the_checks_of_all_masks(tmp_path: Path) -> None:
    rows = [part("head", square(1, 1)), part("tail", square(1, 1, size=(5, 5)))]
    photograph = _one(tmp_path, [thing("cat", square(0, 0, 9), rows)])
    assert (photograph.height, photograph.width) == SIZE
    assert pixels(photograph.parts[1].segmentation).shape == (5, 5)
    assert not photograph.objects[0].exhaustive


def test_where_sizes_differ_the_photograph_decides(tmp_path: Path) -> None:
    write_photograph(tmp_path / "source" / "JPEGImages" / f"{STEM}.jpg", (5, 5))
    photograph = _one(tmp_path, [thing("cat", square(0, 0, 9), [part("tail", square(1, 1, size=(5, 5)))])])
    assert (photograph.height, photograph.width) == (5, 5)


def test_a_file_without_objects_is_a_photograph_without_objects(tmp_path: Path) -> None:
    write_photograph(tmp_path / "source" / "JPEGImages" / f"{STEM}.jpg", (20, 30))
    photograph = _one(tmp_path, [])
    assert (photograph.height, photograph.width) == (20, 30)
    assert photograph.objects == []
    assert photograph.repairs == ["photograph_without_objects"]


def test_a_file_without_masks_and_without_photograph_is_quarantined(tmp_path: Path) -> None:
    write_mat(tmp_path / "source", STEM, [])
    _, found, rejected = read(tmp_path / "source", tmp_path)
    assert found == {}
    assert [(row.table, row.row_id, row.rule) for row in rejected] == [("images", f"{STEM}.mat", "size_unknown")]


@pytest.mark.parametrize("name", ["2008_000099", "", "../../etc/passwd"])
def test_the_files_name_is_believed_over_the_name_inside(tmp_path: Path, name: str) -> None:
    photograph = _one(tmp_path, [thing("cat", square(1, 1))], name)
    assert (photograph.image_id, photograph.file_name) == (f"pascal_part/{STEM}", f"{STEM}.jpg")
    assert photograph.repairs == ["image_name_mismatch", "object_without_parts"]


def test_a_single_object_squeezed_to_a_struct_is_read(tmp_path: Path) -> None:
    path = tmp_path / "source" / "Annotations_Part" / f"{STEM}.mat"
    path.parent.mkdir(parents=True)
    cat = thing("cat", square(0, 0, 9)) | {"parts": part("head", square(1, 1))}
    savemat(path, {"anno": {"imname": STEM, "objects": cat}})
    _, found, _ = read(tmp_path / "source", tmp_path)
    assert [record.key for record in found[STEM].parts] == ["object_0/head"]


def test_columns_of_structs_and_cells_of_structs_are_read(tmp_path: Path) -> None:
    cells = np.empty((1, 2), dtype=object)
    cells[0, 0], cells[0, 1] = part("head", square(1, 1)), part("tail", square(5, 5))
    parts = structs([part("body", square(1, 1)), part("cap", square(5, 5))])
    objects = [thing("cat", square(0, 0, 9)) | {"parts": cells}, thing("bottle", square(0, 0, 9)) | {"parts": parts.T}]
    photograph = _one(tmp_path, objects)
    keys = [record.key for record in photograph.parts]
    assert keys == ["object_0/head", "object_0/tail", "object_1/body", "object_1/cap"]
    assert photograph.repairs == ["cell_for_struct"]


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ({"anno": {"imname": "x"}}, "anno_malformed"),
        ({"anno": {"objects": {"class": "cat"}}}, "anno_malformed"),
        ({"anno": {"objects": np.ones((2, 2))}}, "anno_malformed"),
        ({"anno": np.ones((2, 2))}, "anno_malformed"),
        ({"anno": np.zeros((0, 0))}, "anno_malformed"),
        ({"GTinst": {"Boundaries": 1.0}}, "anno_missing"),
        (b"", "mat_unreadable"),
        (b"MATLAB 7.3 MAT-file".ljust(200), "mat_version_73"),
    ],
)
def test_one_bad_file_among_good_ones_is_quarantined_and_the_others_read(tmp_path: Path, value: Any, rule: str) -> None:
    folder = tmp_path / "source"
    for number in range(3):
        write_mat(folder, f"2009_00000{number}", [thing("cat", square(1, 1))])
    bad = folder / "Annotations_Part" / "2008_000001.mat"
    if isinstance(value, bytes):
        bad.write_bytes(value)
    else:
        savemat(bad, value)
    plan, found, rejected = read(folder, tmp_path)
    assert sorted(found) == ["2009_000000", "2009_000001", "2009_000002"]
    assert [(row.table, row.row_id, row.rule) for row in rejected] == [("images", "2008_000001.mat", rule)]
    assert len(plan.files) == 4


def test_a_folder_of_other_mat_files_is_refused_in_one_line(tmp_path: Path) -> None:
    for number in range(2):
        savemat(tmp_path / f"2008_00000{number}.mat", {"GTcls": {"Segmentation": np.ones((4, 4))}})
    (tmp_path / "2009_000001.mat").write_bytes(b"")
    said = r"none of the 3 \.mat files .* of 2008_000000\.mat: it has no variable called anno"
    with pytest.raises(SourceError, match=said) as caught:
        read(tmp_path, tmp_path)
    assert "\n" not in str(caught.value)


def test_copies_of_macos_are_passed_over_and_counted(tmp_path: Path) -> None:
    path = write_mat(tmp_path / "source", STEM, [thing("cat", square(1, 1))])
    path.with_name(f"._{path.name}").write_bytes(b"Mac OS X")
    plan, found, rejected = read(tmp_path / "source", tmp_path)
    assert (list(found), rejected, plan.repairs) == ([STEM], [], {"macos_file": 1})


def test_a_folder_of_files_and_a_single_file_are_sources_too(tmp_path: Path) -> None:
    path = write_mat(tmp_path / "source", STEM, [thing("cat", square(1, 1))])
    write_mat(tmp_path / "source", "2009_000001", [thing("cat", square(1, 1))])
    write_photograph(tmp_path / "source" / "JPEGImages" / f"{STEM}.jpg")
    for given_path, n_found in ((path.parent, 2), (path, 1)):
        plan, found, _ = read(given_path, tmp_path)
        assert len(found) == n_found
        assert found[STEM].path == f"JPEGImages/{STEM}.jpg"
        assert plan.images_root == tmp_path / "source"


def test_limit_takes_the_same_photographs_whatever_else_is_there(tmp_path: Path) -> None:
    for number in range(12):
        write_mat(tmp_path / "source", f"2008_{number:06}", [thing("cat", square(1, 1))])
    _, all_found, _ = read(tmp_path / "source", tmp_path)
    plan, few, _ = read(tmp_path / "source", tmp_path, limit=4)
    assert len(few) == len(plan.files) == 4
    assert all(all_found[stem] == photograph for stem, photograph in few.items())


def test_a_fingerprint_follows_the_content_and_nothing_else(tmp_path: Path) -> None:
    def fingerprint(folder: Path) -> list[str]:
        return [shard.fingerprint for shard in read(folder, tmp_path)[0].shards]

    for name in ("a", "b"):
        write_mat(tmp_path / name, STEM, [thing("cat", square(1, 1))])
    # savemat writes the time into the header; the bytes are the content.
    (tmp_path / "b" / "Annotations_Part" / f"{STEM}.mat").write_bytes(
        (tmp_path / "a" / "Annotations_Part" / f"{STEM}.mat").read_bytes()
    )
    first = fingerprint(tmp_path / "a")
    assert fingerprint(tmp_path / "b") == first
    write_photograph(tmp_path / "b" / "JPEGImages" / f"{STEM}.jpg")
    with_photograph = fingerprint(tmp_path / "b")
    assert with_photograph != first
    (tmp_path / "b" / "ImageSets" / "Main").mkdir(parents=True)
    (tmp_path / "b" / "ImageSets" / "Main" / "train.txt").write_text(f"{STEM}\n")
    assert fingerprint(tmp_path / "b") != with_photograph
    write_mat(tmp_path / "a", STEM, [thing("cat", square(2, 2))])
    assert fingerprint(tmp_path / "a") != first


def test_a_file_whose_name_is_not_utf8_is_quarantined_and_the_others_read(tmp_path: Path) -> None:
    path = write_mat(tmp_path, "2008_000003", [thing("dog", square(0, 0, 6))])
    bad = os.path.join(os.fsencode(path.parent), b"2008_\xff.mat")
    os.link(path, bad)
    _, found, rejected = read(tmp_path, tmp_path)
    assert list(found) == ["2008_000003"]
    assert [(row.table, row.row_id, row.rule) for row in rejected] == [
        ("images", "Annotations_Part/2008_\\xff.mat", "file_name_undecodable")
    ]
    path.unlink()
    with pytest.raises(SourceError, match="UTF-8"):
        read(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("mask", "rule"), [(np.zeros((0, 0)), "size_unknown"), (np.ones((1, (1 << 24) + 1), np.uint8), "mask_too_large")]
)
def test_a_file_that_is_rejected_takes_its_objects_and_parts_along(tmp_path: Path, mask: Any, rule: str) -> None:
    source = tmp_path / "source"
    write_mat(source, STEM, [thing("dog", mask, [part("head", mask), part("tail", mask)]), thing("cat", mask)])
    write_mat(source, "2008_000004", [thing("dog", square(0, 0, 6))])
    _, found, rejected = read(source, tmp_path)
    assert list(found) == ["2008_000004"]
    assert [(row.table, row.row_id, row.rule) for row in rejected] == [
        ("images", f"{STEM}.mat", rule),
        ("objects", f"{STEM}.mat#object_0", "image_quarantined"),
        ("parts", f"{STEM}.mat#object_0/head", "image_quarantined"),
        ("parts", f"{STEM}.mat#object_0/tail", "image_quarantined"),
        ("objects", f"{STEM}.mat#object_1", "image_quarantined"),
    ]
    assert rejected[0].reason.startswith(f"{STEM}.mat: ")


def test_links_that_lead_out_are_not_opened(tmp_path: Path) -> None:
    source, other = tmp_path / "source", tmp_path / "other"
    for folder, stem in ((source, STEM), (source, "2008_000004"), (other, "2008_000005")):
        write_mat(folder, stem, [thing("dog", square(0, 0, 6))])
        write_photograph(folder / "JPEGImages" / f"{stem}.jpg")
    out = source / "Annotations_Part" / "2008_000005.mat"
    out.symlink_to(other / "Annotations_Part" / "2008_000005.mat")
    photograph = source / "JPEGImages" / f"{STEM}.jpg"
    photograph.unlink()
    photograph.symlink_to(other / "JPEGImages" / "2008_000005.jpg")
    (source / "Annotations_Part" / "2008_000006.mat").symlink_to("2008_000004.mat")
    (tmp_path / "link").symlink_to(source)
    for path in (source, tmp_path / "link"):
        plan, found, rejected = read(path, tmp_path / "work")
        assert sorted(found) == [STEM, "2008_000004", "2008_000006"]
        assert [(row.table, row.row_id, row.rule) for row in rejected] == [
            ("images", "Annotations_Part/2008_000005.mat", "link_leads_out")
        ]
        assert found[STEM].path is None
        assert found["2008_000004"].path == "JPEGImages/2008_000004.jpg"
        assert plan.repairs == {"link_out_of_folder": 1}
