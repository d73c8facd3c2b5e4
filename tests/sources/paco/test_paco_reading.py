"""PACO's quirks, each on a real file with that quirk in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from partonomy_data.errors import SourceError
from partonomy_data.sources.base import Plan, SourceRequest, reader
from partonomy_data.sources.records import Photograph, RefusedPart, Rejected
from tests.helpers import paco


def read(folder: Path, work: Path, **options: Any) -> tuple[Plan, dict[str, Photograph], list[Rejected]]:
    """Plans and reads a whole source."""
    made = reader("paco")
    plan = made.plan(SourceRequest("paco", folder, **options), work)
    records = [record for shard in plan.shards for record in made.read(shard)]
    photographs = {record.image_id: record for record in records if isinstance(record, Photograph)}
    return plan, photographs, [*plan.rejected, *(r for r in records if isinstance(r, Rejected))]


@pytest.fixture
def data() -> dict[str, Any]:
    return paco.content()


def test_reads_objects_parts_and_their_links(tmp_path: Path) -> None:
    plan, photographs, rejected = read(paco.write(tmp_path / "paco"), tmp_path / "work")
    assert sorted(photographs) == ["paco/000000000001", "paco/000000000002", "paco/000000000003"]
    first = photographs["paco/000000000001"]
    assert [(thing.key, thing.category) for thing in first.objects] == [("1", "mug")]
    assert [(part.key, part.category, part.object_key) for part in first.parts] == [
        ("2", "mug:handle", "1"),
        ("3", "mug:inner_rim", "1"),
    ]
    assert (first.split, first.photograph, first.license) == ("train", "coco/000000000001", "coco/1")
    assert first.url == "http://images.cocodataset.org/train2017/000000000001.jpg"
    assert (rejected, plan.images_root) == ([], tmp_path / "paco")


@pytest.mark.parametrize("told", ["../../etc/passwd", "file:///etc/passwd", "javascript:alert(1)", ""])
def test_an_address_that_is_none_of_the_web_is_left_out(tmp_path: Path, data: dict[str, Any], told: str) -> None:
    data["images"][0]["coco_url"] = told
    _, photographs, rejected = read(paco.write(tmp_path / "paco", data), tmp_path / "work")
    first = photographs["paco/000000000001"]
    assert (first.url, rejected) == (None, [])
    assert "url_not_of_the_web" in first.repairs


def test_names_lose_the_syntax_and_categories_without_parts_stay(tmp_path: Path) -> None:
    plan, *_ = read(paco.write(tmp_path / "paco"), tmp_path / "work")
    assert {one.key: one.name for one in plan.vocabulary.objects} == {
        "mug": "mug",
        "cup_(drink_container)": "cup (drink container)",
        "ball": "ball",
    }
    assert {one.key: (one.object_key, one.name) for one in plan.vocabulary.parts} == {
        "mug:handle": ("mug", "handle"),
        "mug:inner_rim": ("mug", "inner rim"),
        "cup_(drink_container):handle": ("cup_(drink_container)", "handle"),
    }
    assert plan.repairs == {"category_without_parts": 1}


def test_object_without_mask_keeps_its_box(tmp_path: Path, data: dict[str, Any]) -> None:
    data["annotations"][0]["segmentation"] = []
    _, photographs, rejected = read(paco.write(tmp_path / "paco", data), tmp_path / "work")
    thing = photographs["paco/000000000001"].objects[0]
    assert (thing.segmentation, thing.box) == (None, (10.0, 10.0, 40.0, 30.0))
    assert photographs["paco/000000000001"].repairs == ["object_mask_missing"]
    assert rejected == []


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"obj_ann_id": 999}, "link_dangling"),
        ({"obj_ann_id": None}, "link_dangling"),
        ({"category_id": paco.CUP_HANDLE}, "link_category_mismatch"),
    ],
)
def test_a_link_that_cannot_be_believed_is_left_to_matching(
    tmp_path: Path, data: dict[str, Any], change: dict[str, Any], rule: str
) -> None:
    data["annotations"][1] |= change
    _, photographs, _ = read(paco.write(tmp_path / "paco", data), tmp_path / "work")
    first = photographs["paco/000000000001"]
    assert first.parts[0].object_key is None
    assert first.repairs == [rule]


def test_an_object_whose_link_is_not_its_own_is_still_an_object(tmp_path: Path, data: dict[str, Any]) -> None:
    data["annotations"][3]["obj_ann_id"] = 77
    _, photographs, _ = read(paco.write(tmp_path / "paco", data), tmp_path / "work")
    assert [thing.key for thing in photographs["paco/000000000002"].objects] == ["4", "5"]
    assert photographs["paco/000000000002"].repairs == ["object_link_not_own"]


@pytest.mark.parametrize(
    ("change", "rule", "table"),
    [
        ({"category_id": 0}, "category_unknown", "objects"),
        ({"id": 3}, "duplicate_annotation_id", "parts"),
        ({"image_id": 55}, "image_unknown", "parts"),
        ({"image_id": "1"}, "row_malformed", "parts"),
        ({"id": "two"}, "row_malformed", "parts"),
        ({"segmentation": None}, "row_malformed", "parts"),
        ({"segmentation": [[1, float("nan"), 3, 4, 5, 6]]}, "number_not_finite", "parts"),
        ({"segmentation": [[1, float("-inf"), 3, 4, 5, 6]]}, "number_not_finite", "parts"),
    ],
)
def test_a_bad_row_is_rejected_and_nothing_else_is_lost(
    tmp_path: Path, data: dict[str, Any], change: dict[str, Any], rule: str, table: str
) -> None:
    data["annotations"][1] |= change
    _, photographs, rejected = read(paco.write(tmp_path / "paco", data), tmp_path / "work")
    rejected += [row for photo in photographs.values() for row in photo.rejected]
    assert [(row.rule, row.table) for row in rejected] == [(rule, table)]
    assert sum(len(photo.objects) for photo in photographs.values()) == 4
    assert sum(len(photo.parts) for photo in photographs.values()) == 2


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"id": 3}, [RefusedPart("mug:handle", "1")]),
        ({"id": "two"}, [RefusedPart("mug:handle", "1")]),
        ({"segmentation": [[1, float("nan"), 3, 4, 5, 6]]}, [RefusedPart("mug:handle", "1")]),
        ({"id": 3, "obj_ann_id": 99}, [RefusedPart("mug:handle", None)]),
        ({"id": 3, "category_id": paco.CUP_HANDLE}, [RefusedPart("cup_(drink_container):handle", None)]),
        ({"category_id": 0}, [RefusedPart("", "1")]),
        ({"category_id": "?", "obj_ann_id": {}}, [RefusedPart("", None)]),
        ({"category_id": 0, "obj_ann_id": 2}, []),
        ({"id": 3, "category_id": paco.MUG}, []),
        ({"image_id": "1"}, []),
        ({}, []),
    ],
)
def test_a_bad_row_tells_which_part_is_not_known_to_be_absent(
    tmp_path: Path, data: dict[str, Any], change: dict[str, Any], refused: list[RefusedPart]
) -> None:
    data["annotations"].append(data["annotations"].pop(1) | change)
    _, photographs, _ = read(paco.write(tmp_path / "paco", data), tmp_path / "work")
    assert photographs["paco/000000000001"].refused == refused
    assert photographs["paco/000000000002"].refused == []


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"file_name": "../../etc/passwd"}, "file_name_unsafe"),
        ({"file_name": "/etc/passwd"}, "file_name_unsafe"),
        ({"file_name": "C:\\photo.jpg"}, "file_name_unsafe"),
        ({"file_name": "train2017/000000000002.jpg"}, "duplicate_image"),
        ({"width": 0}, "size_invalid"),
        ({"height": 200_000}, "size_invalid"),
    ],
)
def test_a_bad_image_takes_its_annotations_to_quarantine(
    tmp_path: Path, data: dict[str, Any], change: dict[str, Any], rule: str
) -> None:
    data["images"][0] |= change
    data["images"].append(data["images"].pop(0))
    _, photographs, rejected = read(paco.write(tmp_path / "paco", data), tmp_path / "work")
    assert sorted(photographs) == ["paco/000000000002", "paco/000000000003"]
    assert sorted((row.rule, row.table) for row in rejected) == sorted(
        [(rule, "images"), ("image_quarantined", "objects"), *[("image_quarantined", "parts")] * 2]
    )


def test_the_same_photograph_in_two_files_is_read_once(tmp_path: Path) -> None:
    folder = paco.write(tmp_path / "paco")
    paco.write(folder, name="paco_lvis_v1_val.json")
    _, photographs, rejected = read(folder, tmp_path / "work")
    assert {photo.split for photo in photographs.values()} == {"train"}
    assert len(photographs) == 3
    assert sum(row.rule == "duplicate_image" for row in rejected) == 3


def test_equal_stems_in_two_folders_get_ids_with_the_folder(tmp_path: Path, data: dict[str, Any]) -> None:
    data["images"][1]["file_name"] = "val2017/000000000001.jpg"
    _, photographs, _ = read(paco.write(tmp_path / "paco", data), tmp_path / "work")
    assert sorted(photographs) == [
        "paco/000000000003",
        "paco/train2017/000000000001",
        "paco/val2017/000000000001",
    ]


def test_both_parts_of_paco_are_read_with_photographs_where_each_has_them(tmp_path: Path, data: dict[str, Any]) -> None:
    folder = paco.write(tmp_path / "paco", data)
    ego = paco.content()
    ego["images"] = [{**ego["images"][0], "file_name": "000cd456-ff8d-499b_000024.jpeg", "coco_url": None}]
    ego["annotations"] = [{**row, "instance_id": 7, "blur_level": 1} for row in ego["annotations"][:3]]
    ego["annotations"][0]["segmentation"] = []
    paco.write(folder, ego, "paco_ego4d_v1_val.json")
    for name in ("train2017/000000000001.jpg", "images/000cd456-ff8d-499b_000024.jpeg"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"a photograph")
    _, photographs, rejected = read(folder, tmp_path / "work")
    assert rejected == []
    frame = photographs["paco/000cd456-ff8d-499b_000024"]
    assert (frame.split, frame.photograph) == ("val", "ego4d/000cd456-ff8d-499b_000024")
    assert frame.path == "images/000cd456-ff8d-499b_000024.jpeg"
    assert (frame.objects[0].segmentation, frame.objects[0].box) == (None, (10.0, 10.0, 40.0, 30.0))
    assert [part.object_key for part in frame.parts] == ["1", "1"]
    assert photographs["paco/000000000001"].path == "train2017/000000000001.jpg"
    assert photographs["paco/000000000002"].path is None


def test_attributes_come_with_their_types(tmp_path: Path, data: dict[str, Any]) -> None:
    data["annotations"][0] |= {"attribute_ids": [0, 41, 500], "dom_color_ids": [0], "unknown_transparency": 1}
    data["annotations"][0] |= {"instance_id": 12, "blur_level": 2}
    _, photographs, _ = read(paco.write(tmp_path / "paco", data), tmp_path / "work")
    first = photographs["paco/000000000001"]
    assert {(a.key, a.attribute_type, a.attribute) for a in first.attributes} == {
        ("1", "color", "black"),
        ("1", "material", "stone"),
        ("1", "dominant_color", "black"),
        ("1", "transparency", "unknown"),
        ("1", "instance_id", "12"),
        ("1", "blur_level", "2"),
    }
    assert [(row.rule, row.row_id) for row in first.rejected] == [("attribute_unknown", "1/500")]


def told(photo: Photograph) -> set[tuple[str, str, str, str]]:
    return {(row.object_key, row.part, row.status, row.why) for row in photo.evidence}


def test_exhaustive_labels_say_that_a_part_is_absent_from_the_other_instance(
    tmp_path: Path, data: dict[str, Any]
) -> None:
    _, photographs, _ = read(paco.write(tmp_path / "paco", data), tmp_path / "work")
    assert told(photographs["paco/000000000002"]) == {("4", "mug:handle", "absent", "exhaustive_label")}


def test_not_exhaustive_labels_say_nothing(tmp_path: Path, data: dict[str, Any]) -> None:
    data["images"][1]["not_exhaustive_category_ids"] = [paco.MUG_HANDLE]
    _, photographs, _ = read(paco.write(tmp_path / "paco", data), tmp_path / "work")
    assert told(photographs["paco/000000000002"]) == set()


def test_negative_labels_say_that_no_instance_has_the_part(tmp_path: Path, data: dict[str, Any]) -> None:
    data["images"][1]["neg_category_ids"] = [paco.MUG_RIM]
    _, photographs, _ = read(paco.write(tmp_path / "paco", data), tmp_path / "work")
    assert told(photographs["paco/000000000002"]) >= {
        ("4", "mug:inner_rim", "absent", "negative_label"),
        ("5", "mug:inner_rim", "absent", "negative_label"),
    }


def test_a_mask_wins_over_a_negative_label(tmp_path: Path, data: dict[str, Any]) -> None:
    data["images"][0]["neg_category_ids"] = [paco.MUG_RIM]
    _, photographs, _ = read(paco.write(tmp_path / "paco", data), tmp_path / "work")
    first = photographs["paco/000000000001"]
    assert told(first) == set()
    assert first.repairs == ["negative_yet_annotated"]


def test_a_part_that_can_not_be_used_wins_over_a_negative_label(tmp_path: Path, data: dict[str, Any]) -> None:
    data["images"][1]["neg_category_ids"] = [paco.MUG_RIM]
    rim = paco.annotation(6, 2, paco.MUG_RIM, paco.rle(42, 8, 6, 6), owner=5)
    data["annotations"].append(rim)
    _, photographs, _ = read(paco.write(tmp_path / "paco", data), tmp_path / "work")
    second = photographs["paco/000000000002"]
    assert {part for _, part, *_ in told(second)} == {"mug:handle"}
    assert second.repairs == ["negative_yet_annotated"]


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    folder = paco.write(tmp_path / "paco")
    path = folder / "annotations" / "paco_lvis_v1_train.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    plan, photographs, _ = read(folder, tmp_path / "work")
    assert len(photographs) == 3
    assert plan.repairs["json_byte_order_mark"] == 1


def test_limit_keeps_the_same_photographs_whatever_their_order(tmp_path: Path, data: dict[str, Any]) -> None:
    _, some, rejected = read(paco.write(tmp_path / "a", data), tmp_path / "work", limit=2)
    data["images"].reverse()
    _, same, _ = read(paco.write(tmp_path / "b", data), tmp_path / "work2", limit=2)
    assert len(some) == 2
    assert sorted(some) == sorted(same)
    assert rejected == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "is empty"),
        (b'{"images": [{"id": 1', "ends early"),
        (b'{"info": ' + b"[" * 200_000, "nested too deeply"),
        (b"\xff\xfe{}", "not valid JSON"),
        (b'{"images": []}', "missing required field"),
        (b'{"images": 3, "annotations": [], "categories": []}', "Expected `array`"),
        (json.dumps({"images": [], "annotations": [], "categories": [{"id": 1, "name": "dog", "supercategory": "animal"}]})
         .encode(), "is not PACO's"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, text: bytes, says: str) -> None:
    path = tmp_path / "annotations" / "paco_lvis_v1_train.json"
    path.parent.mkdir()
    path.write_bytes(text)
    with pytest.raises(SourceError, match=says) as caught:
        read(tmp_path, tmp_path / "work")
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_folder_without_paco_says_what_one_looks_like(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="paco_lvis_v1_"):
        read(tmp_path, tmp_path / "work")


def test_the_real_category_table_is_read_whole(tmp_path: Path, shared_data: Path) -> None:
    table = json.loads((shared_data / "paco" / "paco_lvis_v1_categories_attributes_parts.json").read_text())
    plan, *_ = read(paco.write(tmp_path / "paco", {**table, "images": [], "annotations": []}), tmp_path / "work")
    assert (len(plan.vocabulary.objects), len(plan.vocabulary.parts)) == (75, 456)
    assert len({part.name for part in plan.vocabulary.parts}) == 200
    assert plan.repairs == {"category_without_parts": 2}


def latin1(folder: Path, old: str, new: str) -> Path:
    """PACO's file with one text replaced once, in an encoding that isn't JSON's."""
    path = folder / "annotations" / "paco_lvis_v1_train.json"
    text = path.read_text()
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode("latin-1"))
    return folder


def rows_of(rejected: list[Rejected]) -> list[tuple[str, str, str]]:
    return sorted((row.table, row.row_id, row.rule) for row in rejected)


def test_a_byte_that_is_not_utf8_costs_its_own_row(tmp_path: Path) -> None:
    folder = latin1(paco.write(tmp_path / "paco"), '"counts": "', '"counts": "é')
    _, photographs, rejected = read(folder, tmp_path / "work")
    assert rows_of(rejected) == [("parts", "paco_lvis_v1_train-000#1", "row_malformed")]
    assert sum(len(one.parts) for one in photographs.values()) == 2
    latin1(paco.write(folder), "train2017/000000000002.jpg", "train2017/é.jpg")
    plan, photographs, rejected = read(folder, tmp_path / "again")
    images = [("images", "paco_lvis_v1_train.json#image 1", "row_malformed")]
    rows = [(kind, f"paco_lvis_v1_train.json#{n}", "image_quarantined") for kind, n in
            (("objects", 3), ("objects", 4), ("parts", 5))]  # fmt: skip
    assert rows_of(rejected) == [*images, *rows]
    assert len(photographs) == sum(shard.n_images for shard in plan.shards) == 2


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"id": 1 << 63}, "row_malformed"),
        ({"id": -(1 << 70)}, "row_malformed"),
        ({"id": "2"}, "row_malformed"),
        ({"height": None}, "row_malformed"),
        ({"width": float("nan")}, "number_not_finite"),
    ],
)
def test_a_bad_row_of_an_image_costs_its_own_annotations(
    tmp_path: Path, data: dict[str, Any], change: dict[str, Any], rule: str
) -> None:
    data["images"][1].update(change)
    _, photographs, rejected = read(paco.write(tmp_path / "paco", data), tmp_path / "work")
    assert sorted(photographs) == ["paco/000000000001", "paco/000000000003"]
    assert [row.rule for row in rejected if row.table == "images"] == [rule]
    because = "image_unknown" if "id" in change else "image_quarantined"
    assert [row.rule for row in rejected if row.table != "images"] == [because] * 3


def test_a_malformed_annotation_is_not_that_of_the_image_with_id_minus_one(
    tmp_path: Path, data: dict[str, Any]
) -> None:
    data["images"][0]["id"] = -1
    data["annotations"] = [{**data["annotations"][0], "image_id": "?"}]
    _, photographs, rejected = read(paco.write(tmp_path / "paco", data), tmp_path / "work")
    assert rows_of(rejected) == [("objects", "paco_lvis_v1_train.json#0", "row_malformed")]
    assert sum(len(one.objects) for one in photographs.values()) == 0


def test_two_categories_with_one_id_are_refused(tmp_path: Path, data: dict[str, Any]) -> None:
    data["categories"].append({"id": paco.MUG_HANDLE, "name": "mug:rim", "supercategory": "PART"})
    with pytest.raises(SourceError, match=f"train.json: two categories have the id {paco.MUG_HANDLE}"):
        read(paco.write(tmp_path / "paco", data), tmp_path / "work")


@pytest.mark.parametrize(
    ("name", "kind", "table"),
    [
        ("handle", "PART", "parts"),
        ("mug", "PART", "parts"),
        (":x", "PART", "parts"),
        ("mug:", "PART", "parts"),
        ("mug:_", "PART", "parts"),
        ("mug:house", "OBJECT", "objects"),
        ("_", "OBJECT", "objects"),
    ],
)
def test_a_category_called_like_none_of_its_kind_is_quarantined_with_its_annotations(
    tmp_path: Path, data: dict[str, Any], name: str, kind: str, table: str
) -> None:
    before, _, _ = read(paco.write(tmp_path / "sound", data), tmp_path / "before")
    data["categories"].append({"id": 5000, "name": name, "supercategory": kind})
    data["annotations"].append(paco.annotation(99, 1, 5000, paco.ring(1, 1, 9, 9)))
    plan, photographs, _ = read(paco.write(tmp_path / "paco", data), tmp_path / "work")
    assert rows_of(photographs["paco/000000000001"].rejected) == [(table, "99", "category_name_malformed")]
    assert plan.vocabulary == before.vocabulary
    declared = {part.key for part in plan.vocabulary.parts}
    assert all(row.part in declared for one in photographs.values() for row in one.evidence)
