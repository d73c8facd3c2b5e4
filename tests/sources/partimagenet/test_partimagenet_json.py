"""Photographs read from COCO JSON: every quirk of the rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from partonomy_data import masks
from partonomy_data.sources.records import RefusedPart

DOG, BIRD, BUS, BIKE = "n02085620", "n01531178", "n04146614", "n03792782"
Write = Callable[..., Path]
Square = Callable[..., dict[str, Any]]
Reads = Callable[..., Any]


def test_a_photograph_has_one_object_of_its_wnid_with_its_parts_linked(
    tmp_path: Path, write_json: Write, square: Square, read: Reads
) -> None:
    write_json(tmp_path / "train.json", [f"{DOG}_7.JPEG"], [square(5, 0, 1), square(3, 0, 0, x=30)])
    found = read(tmp_path)
    (photo,) = found.photographs
    assert (photo.image_id, photo.photograph) == (f"partimagenet/{DOG}_7", f"imagenet/{DOG}_7")
    assert (photo.width, photo.height, photo.split, photo.path) == (60, 40, "train", None)
    (thing,) = photo.objects
    assert (thing.key, thing.category, thing.segmentation) == (DOG, DOG, None)
    assert (thing.merged, thing.exhaustive) == (False, False)
    assert [(p.key, p.category, p.object_key) for p in photo.parts] == [
        ("3", f"{DOG}/Quadruped Head", DOG),
        ("5", f"{DOG}/Quadruped Body", DOG),
    ]
    assert photo.parts[0].segmentation == [[30, 5, 40, 5, 40, 15, 30, 15]]
    assert photo.repairs.count("object_by_wnid") == 1


def test_classes_parts_and_supercategories_are_in_the_vocabulary(
    tmp_path: Path, write_json: Write, square: Square, read: Reads
) -> None:
    write_json(
        tmp_path / "train.json",
        [f"{DOG}_1.JPEG", f"{BUS}_1.JPEG", "n02690373_1.JPEG"],
        [square(1, 0, 0), square(2, 1, 24)],
    )
    words = read(tmp_path).plan.vocabulary
    assert [(o.key, o.source_category, o.name, o.parents) for o in words.objects] == [
        (DOG, DOG, "chihuahua", ("quadruped",)),
        ("n02690373", "n02690373", "airliner", ()),  # nothing is annotated in its only photograph
        (BUS, BUS, "school bus", ("car",)),
    ]
    assert [(p.key, p.object_key, p.source_category, p.name) for p in words.parts if p.object_key == BUS] == [
        (f"{BUS}/Car Body", BUS, "Car Body", "body"),
        (f"{BUS}/Car Side Mirror", BUS, "Car Side Mirror", "side mirror"),
        (f"{BUS}/Car Tier", BUS, "Car Tier", "tire"),
    ]
    assert [p.name for p in words.parts if p.object_key == DOG] == ["body", "foot", "head", "tail"]
    assert not words.curated


def test_category_zero_is_a_category_like_any_other(
    tmp_path: Path, write_json: Write, square: Square, read: Reads
) -> None:
    write_json(tmp_path / "train.json", [f"{DOG}_1.JPEG"], [square(0, 0, 0)])
    found = read(tmp_path)
    assert found.parts(f"{DOG}_1.JPEG") == ["Quadruped Head"]
    assert found.repairs.count("category_zero") == 1


def test_tier_is_tire_and_keeps_its_spelling_as_source_category(
    tmp_path: Path, write_json: Write, square: Square, read: Reads
) -> None:
    write_json(
        tmp_path / "train.json",
        [f"{BUS}_1.JPEG", f"{BIKE}_1.JPEG"],
        [square(1, 0, 25), square(2, 1, 30), square(3, 1, 29)],
    )
    found = read(tmp_path)
    tires = [p for p in found.plan.vocabulary.parts if p.name == "tire"]
    assert [p.source_category for p in tires] == ["Bicycle Tier", "Car Tier"]
    assert found.repairs.count("tier_for_tire") == 2


@pytest.mark.parametrize(
    ("rings", "outcome"),
    [
        ([[10.0, 10.0, 20.0, 20.0]], "polygon_degenerate"),
        ([[10.0, 10.0]], "polygon_degenerate"),
        ([[]], "polygon_degenerate"),
        ([], "mask_missing"),
        ([[10.0, 10.0, 20.0, 20.0], [5, 5, 15, 5, 15, 15, 5, 15]], "degenerate_ring"),
        ([[5, 5, 15, 5, 15, 15, 5, 15], [10.0, 10.0, 20.0, 20.0]], "degenerate_ring"),
        ([[5, 5, 15, 5, 15, 15, 5, 15], [30, 5, 35, 5, 35, 15, 30, 15]], ""),
    ],
)
def test_rings_of_two_points_pass_untouched_to_the_masks_where_one_rule_decides(
    tmp_path: Path, write_json: Write, square: Square, read: Reads, rings: list[list[float]], outcome: str
) -> None:
    write_json(tmp_path / "train.json", [f"{DOG}_1.JPEG"], [square(1, 0, 0, segmentation=rings)])
    (photo,) = read(tmp_path).photographs
    (part,) = photo.parts
    assert part.segmentation == rings
    encoded = masks.encode_many([part.segmentation], [photo.height], [photo.width])
    rules = [error.rule for error in encoded.errors.values()] + [rule for _, rule in encoded.repairs]
    assert rules == ([outcome] if outcome else [])
    assert encoded.areas.tolist() == [{"": 150, "degenerate_ring": 100}.get(outcome, 0)]


def test_a_stated_area_of_zero_does_not_decide(tmp_path: Path, write_json: Write, square: Square, read: Reads) -> None:
    write_json(tmp_path / "train.json", [f"{DOG}_1.JPEG"], [square(1, 0, 0, area=0), square(2, 0, 1, area=0.0)])
    found = read(tmp_path)
    assert len(found.parts(f"{DOG}_1.JPEG")) == 2
    assert found.repairs.count("area_zero") == 2


def test_a_crowd_is_quarantined_and_hints_at_several_instances(
    tmp_path: Path, write_json: Write, square: Square, read: Reads
) -> None:
    runs = {"size": [40, 60], "counts": [0, 2400]}
    crowd = square(2, 0, 1, iscrowd=1, segmentation=runs)
    write_json(tmp_path / "train.json", [f"{DOG}_1.JPEG"], [square(1, 0, 0), crowd])
    found = read(tmp_path)
    assert found.rules == [("parts", "crowd_region")]
    assert found.photographs[0].objects[0].merged
    assert found.rejected[0].row_id == f"partimagenet/{DOG}_1#2"


def test_a_part_in_several_annotations_is_several_parts_of_one_object(
    tmp_path: Path, write_json: Write, square: Square, read: Reads
) -> None:
    feet = [square(i, 0, 2, x=12 * i) for i in range(4)]
    heads = [square(9, 1, 0), square(10, 1, 0, x=30)]
    write_json(tmp_path / "train.json", [f"{DOG}_1.JPEG", f"{DOG}_2.JPEG"], [*feet, *heads])
    found = read(tmp_path)
    four_feet, two_heads = found.of[f"{DOG}_1.JPEG"], found.of[f"{DOG}_2.JPEG"]
    assert (len(four_feet.parts), len(four_feet.objects), four_feet.objects[0].merged) == (4, 1, False)
    assert (len(two_heads.parts), len(two_heads.objects), two_heads.objects[0].merged) == (2, 1, True)
    assert (found.repairs.count("part_in_pieces"), found.repairs.count("several_instances")) == (2, 1)


def test_a_photograph_without_annotations_stays_without_objects(
    tmp_path: Path, write_json: Write, square: Square, read: Reads
) -> None:
    write_json(tmp_path / "train.json", [f"{DOG}_1.JPEG", f"{DOG}_2.JPEG"], [square(1, 0, 0)])
    found = read(tmp_path)
    empty = found.of[f"{DOG}_2.JPEG"]
    assert (empty.objects, empty.parts, empty.repairs) == ([], [], ["image_without_annotation"])


def test_a_part_of_another_supercategory_is_quarantined(
    tmp_path: Path, write_json: Write, square: Square, read: Reads
) -> None:
    images = [f"{DOG}_1.JPEG", f"{DOG}_2.JPEG"]
    write_json(tmp_path / "train.json", images, [square(1, 0, 0), square(2, 0, 1), square(3, 1, 15)])
    found = read(tmp_path)
    assert found.rules == [("parts", "foreign_supercategory")]
    assert "'Bird Wing' in a photograph whose class is a Quadruped" in found.rejected[0].reason
    assert found.of[images[1]].refused == []
    assert found.of[images[1]].objects == []
    assert found.plan.vocabulary.objects[0].parents == ("quadruped",)


def test_the_supercategory_of_a_class_is_that_of_most_of_its_annotations_in_all_splits(
    tmp_path: Path, write_json: Write, square: Square, read: Reads
) -> None:
    write_json(tmp_path / "train.json", [f"{DOG}_1.JPEG"], [square(1, 0, 15)])
    write_json(tmp_path / "val.json", [f"{DOG}_2.JPEG"], [square(1, 0, 0), square(2, 0, 1)])
    found = read(tmp_path)
    assert found.rules == [("parts", "foreign_supercategory")]
    assert found.parts(f"{DOG}_2.JPEG") == ["Quadruped Head", "Quadruped Body"]
    write_json(tmp_path / "val.json", [f"{DOG}_2.JPEG"], [square(1, 0, 0)])
    assert read(tmp_path).plan.vocabulary.objects[0].parents == ("bird",), "equal votes: the first by name"


def test_categories_that_are_no_part_and_unknown_ones_are_quarantined(
    tmp_path: Path, write_json: Write, square: Square, read: Reads
) -> None:
    joint = [
        {"id": 0, "name": "Quadruped", "supercategory": "Quadruped"},
        {"id": 11, "name": "Quadruped Head", "supercategory": "Quadruped"},
    ]
    rows = [square(1, 0, 0), square(2, 0, 11), square(3, 0, 12)]
    write_json(tmp_path / "train.json", [f"{DOG}_1.JPEG"], rows, joint)
    found = read(tmp_path)
    assert found.rules == [("parts", "category_unknown"), ("parts", "category_without_part")]
    assert found.parts(f"{DOG}_1.JPEG") == ["Quadruped Head"]
    assert [p.source_category for p in found.plan.vocabulary.parts] == ["Quadruped Head"]


def test_category_ids_are_those_of_each_file(tmp_path: Path, write_json: Write, square: Square, read: Reads) -> None:
    turned = [
        {"id": 1, "name": "Quadruped Head", "supercategory": "Quadruped"},
        {"id": 0, "name": "Quadruped Body", "supercategory": "Quadruped"},
    ]
    write_json(tmp_path / "train.json", [f"{DOG}_1.JPEG"], [square(1, 0, 0)])
    write_json(tmp_path / "val.json", [f"{DOG}_2.JPEG"], [square(1, 0, 0)], turned)
    found = read(tmp_path)
    assert found.parts(f"{DOG}_1.JPEG") == ["Quadruped Head"]
    assert found.parts(f"{DOG}_2.JPEG") == ["Quadruped Body"]


def test_annotation_ids_that_are_there_twice(tmp_path: Path, write_json: Write, square: Square, read: Reads) -> None:
    rows = [square(1, 0, 0), square(1, 0, 1), square(2, 0, 2), square(2, 0, 2), square(1, 1, 3)]
    write_json(tmp_path / "train.json", [f"{DOG}_1.JPEG", f"{DOG}_2.JPEG"], rows)
    found = read(tmp_path)
    assert found.rules == [("parts", "duplicate_annotation_id")]
    assert found.repairs.count("annotation_repeated") == 1
    assert [p.key for p in found.of[f"{DOG}_1.JPEG"].parts] == ["1", "2"]
    assert [p.key for p in found.of[f"{DOG}_2.JPEG"].parts] == ["1"]


def test_image_ids_that_are_there_twice(tmp_path: Path, write_json: Write, square: Square, read: Reads) -> None:
    row = {"id": 4, "file_name": f"{DOG}_1.JPEG", "height": 40, "width": 60}
    write_json(tmp_path / "train.json", [row, row, {**row, "file_name": f"{DOG}_2.JPEG"}], [square(1, 4, 0)])
    found = read(tmp_path)
    assert found.rules == [("images", "duplicate_image")]
    assert found.plan.repairs["image_repeated"] == 1
    assert list(found.of) == [f"{DOG}_1.JPEG"]
    assert found.parts(f"{DOG}_1.JPEG") == ["Quadruped Head"]


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ({"file_name": "../../n02085620_1.JPEG"}, "file_name_unsafe"),
        ({"file_name": "/etc/n02085620_1.JPEG"}, "file_name_unsafe"),
        ({"file_name": "n02085620-1.JPEG"}, "file_name_unparsable"),
        ({"file_name": "n99999999_1.JPEG"}, "wnid_unknown"),
        ({"width": 0}, "size_invalid"),
        ({"height": 65_536}, "size_invalid"),
    ],
)
def test_a_photograph_that_cannot_be_used_goes_with_its_annotations_and_alone(
    tmp_path: Path, write_json: Write, square: Square, read: Reads, row: dict[str, Any], rule: str
) -> None:
    bad = {"id": 0, "file_name": f"{DOG}_1.JPEG", "height": 40, "width": 60, **row}
    good = {"id": 1, "file_name": f"{DOG}_2.JPEG", "height": 40, "width": 60}
    rows = [square(1, 0, 0), square(2, 0, 1), square(3, 1, 0)]
    write_json(tmp_path / "train.json", [bad, good], rows)
    found = read(tmp_path)
    assert found.rules == [("images", rule), *[("parts", "image_quarantined")] * 2]
    assert found.parts(f"{DOG}_2.JPEG") == ["Quadruped Head"]
    assert sum(shard.n_images for shard in found.plan.shards) == len(found.photographs) == 1


def test_rows_of_wrong_shape_are_quarantined_one_by_one(
    tmp_path: Path, write_json: Write, square: Square, read: Reads
) -> None:
    images = [f"{DOG}_1.JPEG", {"id": "x", "file_name": f"{DOG}_2.JPEG", "height": 4, "width": 4}]
    rows = [
        square(1, 0, 0),
        square("2", 0, 0),
        square(3, 0, 0, segmentation="none"),
        square(4, 77, 0),
        {"id": 5, "category_id": 0, "segmentation": []},
    ]
    path = write_json(tmp_path / "train.json", images, rows)
    path.write_text(path.read_text()[:-1].replace('"area": 100', '"area": 100.5') + "}")
    found = read(tmp_path)
    malformed = [("parts", "row_malformed")] * 3
    assert found.rules == sorted([("images", "row_malformed"), ("parts", "image_unknown"), *malformed])
    assert found.parts(f"{DOG}_1.JPEG") == ["Quadruped Head"]


def test_a_coordinate_that_is_not_finite_spoils_its_own_annotation_only(
    tmp_path: Path, write_json: Write, square: Square, read: Reads
) -> None:
    rows = [square(1, 0, 0), square(2, 0, 1, segmentation=[[float("nan"), 1, 2, 3, 4, 5]])]
    path = write_json(tmp_path / "train.json", [f"{DOG}_1.JPEG"], rows)
    assert "NaN" in path.read_text()
    found = read(tmp_path)
    assert found.rules == [("parts", "number_not_finite")]
    assert found.parts(f"{DOG}_1.JPEG") == ["Quadruped Head"]


def test_the_same_photograph_in_two_splits_is_read_from_the_first(
    tmp_path: Path, write_json: Write, square: Square, read: Reads
) -> None:
    write_json(tmp_path / "test.json", [f"{DOG}_1.JPEG"], [square(1, 0, 1), square(2, 0, 2)])
    write_json(tmp_path / "val.json", [f"{DOG}_1.jpg", f"{DOG}_3.JPEG"], [square(1, 0, 0), square(2, 1, 0)])
    found = read(tmp_path)
    assert [(p.image_id, p.split) for p in sorted(found.photographs, key=lambda p: p.image_id)] == [
        (f"partimagenet/{DOG}_1", "val"),
        (f"partimagenet/{DOG}_3", "val"),
    ]
    assert found.rules == [("images", "same_photograph_twice"), *[("parts", "image_quarantined")] * 2]


def test_both_releases_in_one_folder_are_read_once_ood_first(
    tmp_path: Path, write_json: Write, square: Square, read: Reads
) -> None:
    write_json(tmp_path / "PartImageNet_OOD" / "test.json", [f"{DOG}_1.JPEG"], [square(1, 0, 0)])
    seg = tmp_path / "PartImageNet_Seg" / "annotations" / "train" / "train.json"
    write_json(seg, [f"{DOG}_1.JPEG", f"{DOG}_2.JPEG"], [square(1, 0, 1), square(2, 1, 1)])
    found = read(tmp_path)
    assert {(p.file_name, p.split) for p in found.photographs} == {
        (f"{DOG}_1.JPEG", "test"),
        (f"{DOG}_2.JPEG", "train"),
    }
    assert found.rules == [("images", "same_photograph_twice"), ("parts", "image_quarantined")]
    assert found.rejected[0].row_id == "PartImageNet_Seg/annotations/train/train.json#0"


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"id": 1}, f"{DOG}/Quadruped Body"),
        ({"segmentation": None}, f"{DOG}/Quadruped Body"),
        ({"category_id": 77}, ""),
    ],
)
def test_a_part_that_can_not_be_used_is_noted(
    tmp_path: Path, write_json: Write, square: Square, read: Reads, change: dict[str, Any], part: str
) -> None:
    rows = [square(1, 0, 0), {**square(2, 0, 1), **change}, square(3, 1, 0)]
    write_json(tmp_path / "train.json", [f"{DOG}_1.JPEG", f"{DOG}_2.JPEG"], rows)
    found = read(tmp_path)
    assert len(found.rejected) == 1
    assert found.of[f"{DOG}_1.JPEG"].refused == [RefusedPart(part)]
    assert found.of[f"{DOG}_2.JPEG"].refused == []


def test_every_row_is_read_or_rejected(tmp_path: Path, write_json: Write, square: Square, read: Reads) -> None:
    images = [f"{wnid}_{i}.JPEG" for wnid in (DOG, BIRD, BUS) for i in range(5)] + ["nonsense.jpg"]
    rows = [square(i, i % 18, (7 * i) % 43, iscrowd=int(i % 13 == 0)) for i in range(400)]
    write_json(tmp_path / "train.json", images, rows)
    found = read(tmp_path)
    tables = [row.table for row in found.rejected]
    assert len(found.photographs) + tables.count("images") == len(images)
    assert sum(len(p.parts) for p in found.photographs) + tables.count("parts") == len(rows)
    assert 0 < sum(len(p.parts) for p in found.photographs) < len(rows)
    assert json.dumps([str(row.row) for row in found.rejected])


def test_a_byte_that_is_not_utf8_and_an_id_out_of_range_cost_their_own_rows(
    tmp_path: Path, write_json: Write, square: Square, read: Reads
) -> None:
    images = [{"id": n, "file_name": f"{DOG}_{n}.JPEG", "height": 40, "width": 60} for n in range(4)]
    images[1]["id"], images[2]["file_name"] = 1 << 63, f"{DOG}_é.JPEG"
    rows = [square(n, n, 0) for n in range(4)]
    rows[3]["segmentation"] = {"size": [40, 60], "counts": "é"}
    path = write_json(tmp_path / "train.json", images, rows)
    path.write_bytes(path.read_text().replace("\\u00e9", "é").encode("latin-1"))
    found = read(tmp_path)
    assert {name: len(one.parts) for name, one in found.of.items()} == {f"{DOG}_0.JPEG": 1, f"{DOG}_3.JPEG": 0}
    assert found.rules == [("images", "row_malformed")] * 2 + [("parts", "image_unknown")] * 2 + [
        ("parts", "row_malformed")
    ]
