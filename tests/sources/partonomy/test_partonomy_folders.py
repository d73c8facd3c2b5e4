"""PARTONOMY's own layout: which masks are objects, which are parts, and of which photograph."""

from __future__ import annotations

from pathlib import Path

import pytest
from partonomy_world import Read, World

from partonomy_data.errors import SourceError
from partonomy_data.sources.records import RefusedPart

PLANE, PHOTOGRAPH = "airplanes--private", "airplanes--private/1.jpg"
WINGS = f"{PLANE}--part:wings"


def test_a_mask_of_the_whole_is_an_object_and_the_parts_are_left_to_matching(world: World, read: Read) -> None:
    world.plane()
    photograph = read(world.root).photographs[PHOTOGRAPH]
    assert photograph.image_id == "partonomy/1"
    assert photograph.path == PHOTOGRAPH
    assert (photograph.height, photograph.width) == (12, 20)
    assert [(o.key, o.category, o.merged) for o in photograph.objects] == [(f"{PLANE}/0.json", PLANE, False)]
    assert [(p.key, p.category, p.object_key) for p in photograph.parts] == [(f"{WINGS}/0.json", WINGS, None)]
    assert photograph.photograph == ""


def test_without_a_mask_of_the_whole_one_object_has_all_the_parts(world: World, read: Read) -> None:
    world.plane()
    (world.root / "masks" / PLANE / "0.json").unlink()
    world.mask(f"{PLANE}--part:nose/0.json", PHOTOGRAPH, (3, 3, 5, 5))
    reading = read(world.root)
    photograph = reading.photographs[PHOTOGRAPH]
    assert [(o.key, o.segmentation) for o in photograph.objects] == [(PLANE, None)]
    assert {part.object_key for part in photograph.parts} == {PLANE}
    assert reading.repairs["object_mask_missing"] == 1


def test_several_masks_of_the_whole_are_several_objects(world: World, read: Read) -> None:
    world.plane()
    world.mask(f"{PLANE}/1.json", PHOTOGRAPH, (7, 10, 11, 19))
    reading = read(world.root)
    photograph = reading.photographs[PHOTOGRAPH]
    assert [o.key for o in photograph.objects] == [f"{PLANE}/0.json", f"{PLANE}/1.json"]
    assert [part.object_key for part in photograph.parts] == [None]
    assert reading.repairs["several_object_masks"] == 1


def test_several_masks_of_one_part_are_several_parts(world: World, read: Read) -> None:
    world.plane()
    world.mask(f"{WINGS}/1.json", PHOTOGRAPH, (7, 10, 9, 12))
    reading = read(world.root)
    assert [part.key for part in reading.photographs[PHOTOGRAPH].parts] == [
        f"{WINGS}/0.json",
        f"{WINGS}/1.json",
    ]
    assert reading.repairs["several_masks_of_part"] == 1


def test_one_photograph_under_two_labels_is_one_photograph_with_an_object_of_each(world: World, read: Read) -> None:
    world.plane()
    world.mask("vehicles--tractor--part:wheel/0.json", PHOTOGRAPH, (8, 8, 11, 11))
    reading = read(world.root)
    assert {o.category for o in reading.photographs[PHOTOGRAPH].objects} == {PLANE, "vehicles--tractor"}
    assert reading.repairs["several_objects_in_image"] == 1


def test_a_photograph_without_masks_is_kept_without_objects(world: World, read: Read) -> None:
    world.plane()
    world.photograph("boats--canoe/9.png", kind="PNG")
    reading = read(world.root)
    assert reading.photographs["boats--canoe/9.png"].objects == []
    assert reading.repairs["image_without_masks"] == 1
    assert "boats--canoe" in {whole.key for whole in reading.plan.vocabulary.objects}


def test_an_object_without_parts_is_kept(world: World, read: Read) -> None:
    world.plane()
    (world.root / "masks" / WINGS / "0.json").unlink()
    reading = read(world.root)
    assert len(reading.photographs[PHOTOGRAPH].objects) == 1
    assert reading.repairs["object_without_parts"] == 1


def test_a_part_with_a_slash_in_its_name_is_found_in_the_folder_that_it_made(world: World, read: Read) -> None:
    label = "office supplies--headset--part:on/off switch"
    world.photograph("office supplies--headset/1.jpg")
    world.mask(f"{label}/0.json", "office supplies--headset/1.jpg")
    world.graph({"office supplies--headset": [label]})
    reading = read(world.root)
    (part,) = reading.plan.vocabulary.parts
    assert (part.name, part.source_category) == ("on off switch", label)
    assert [p.category for p in reading.photographs["office supplies--headset/1.jpg"].parts] == [part.key]
    assert reading.repairs["label_nested"] == 1
    assert "part_not_in_graph" not in reading.repairs


def test_folders_with_capitals_are_the_same_label(world: World, read: Read) -> None:
    world.plane()
    world.mask("Airplanes--Private--part:Wings/7.json", PHOTOGRAPH, (7, 10, 9, 12))
    reading = read(world.root)
    assert [part.category for part in reading.photographs[PHOTOGRAPH].parts] == [WINGS, WINGS]
    assert reading.repairs["label_capitals"] == 1
    assert reading.repairs["label_spelled_twice"] == 1


@pytest.mark.parametrize("folder", ["misc", f"{PLANE}--part:", "boats--", "."])
def test_a_mask_in_a_folder_that_is_no_label_is_quarantined(world: World, read: Read, folder: str) -> None:
    world.plane()
    world.mask(f"{folder}/5.json", PHOTOGRAPH)
    reading = read(world.root)
    assert list(reading.rules.values()) == ["label_malformed"]
    assert len(reading.photographs[PHOTOGRAPH].parts) == 1


@pytest.mark.parametrize("key", ["size", "counts", "image_path", "is_root_concept"])
def test_a_mask_without_one_of_its_keys_is_quarantined(world: World, read: Read, key: str) -> None:
    world.plane()
    world.mask(f"{WINGS}/1.json", PHOTOGRAPH, drop=key)
    reading = read(world.root)
    (row,) = reading.rejected
    assert (row.rule, row.table, row.row_id) == ("mask_keys_missing", "parts", f"{WINGS}/1.json")
    assert key in row.reason
    known = [] if key == "image_path" else [RefusedPart(WINGS)]
    assert reading.photographs[PHOTOGRAPH].refused == known


def test_a_mask_with_more_keys_is_kept(world: World, read: Read) -> None:
    world.plane()
    world.mask(f"{WINGS}/1.json", PHOTOGRAPH, (7, 10, 9, 12), mask_path=None)
    reading = read(world.root)
    assert len(reading.photographs[PHOTOGRAPH].parts) == 2
    assert reading.repairs["mask_keys_extra"] == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"size": [12, 20], "counts": "abc',
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"size": [NaN, 20], "counts": "a", "image_path": "a/b.jpg", "is_root_concept": false}',
        b'{"size": "12", "counts": "a", "image_path": "a/b.jpg", "is_root_concept": false}',
        b'{"size": [1e999, 2], "counts": "a", "image_path": "a/b.jpg", "is_root_concept": false}',
        b'{"size": [%d, 2], "counts": "a", "image_path": "a/b.jpg", "is_root_concept": false}' % 10**30,
        b'{"size": [12, 20], "counts": "a", "image_path": null, "is_root_concept": false}',
        b'{"size": [12, 20], "counts": "a", "image_path": "\\ud800", "is_root_concept": false}',
    ],
)
def test_a_mask_that_is_not_one_is_quarantined_and_nothing_else_is_lost(
    world: World, read: Read, content: bytes
) -> None:
    world.plane()
    world.write(f"masks/{WINGS}/broken.json", content)
    reading = read(world.root)
    assert reading.rules == {f"{WINGS}/broken.json": "mask_malformed"}
    assert len(reading.photographs[PHOTOGRAPH].parts) == 1


def test_a_mask_larger_than_any_is_not_read(world: World, read: Read) -> None:
    world.plane()
    path = world.root / "masks" / WINGS / "huge.json"
    with path.open("wb") as file:
        file.truncate(5 << 30)
    assert read(world.root).rules == {f"{WINGS}/huge.json": "mask_malformed"}


def test_the_label_decides_what_a_mask_is_of_whatever_its_flag_says(world: World, read: Read) -> None:
    world.plane()
    world.mask(f"{WINGS}/1.json", PHOTOGRAPH, (7, 10, 9, 12), is_root_concept=True)
    world.mask(f"{PLANE}/1.json", PHOTOGRAPH, (7, 10, 9, 12), is_root_concept=False)
    reading = read(world.root)
    photograph = reading.photographs[PHOTOGRAPH]
    assert (len(photograph.objects), len(photograph.parts)) == (2, 2)
    assert reading.repairs["root_flag_wrong"] == 2


def test_a_mask_that_is_there_twice_is_counted_once(world: World, read: Read) -> None:
    world.plane()
    world.mask(f"{WINGS}/again.json", PHOTOGRAPH)
    reading = read(world.root)
    assert reading.rules == {f"{WINGS}/again.json": "duplicate_mask"}
    assert [part.key for part in reading.photographs[PHOTOGRAPH].parts] == [f"{WINGS}/0.json"]


def test_the_same_mask_of_two_parts_is_kept_for_both(world: World, read: Read) -> None:
    world.plane()
    world.mask(f"{PLANE}--part:nose/0.json", PHOTOGRAPH)
    reading = read(world.root)
    assert reading.rejected == []
    assert len(reading.photographs[PHOTOGRAPH].parts) == 2


def test_a_byte_order_mark_before_a_mask_is_skipped(world: World, read: Read) -> None:
    world.plane()
    path = world.mask(f"{WINGS}/1.json", PHOTOGRAPH, (7, 10, 9, 12))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    reading = read(world.root)
    assert len(reading.photographs[PHOTOGRAPH].parts) == 2
    assert reading.repairs["json_byte_order_mark"] == 1


def test_other_files_are_counted_and_hidden_ones_passed_over(world: World, read: Read) -> None:
    world.plane()
    world.write(f"masks/{WINGS}/notes.txt", b"x")
    world.write("images/Thumbs.db", b"x")
    world.write(f"masks/{WINGS}/._0.json", b"resource fork")
    world.write(f"masks/{WINGS}/.ipynb_checkpoints/0-checkpoint.json", b"{}")
    reading = read(world.root)
    assert reading.repairs["stray_file"] == 2
    assert reading.rejected == []


def test_masks_in_the_folder_of_an_older_loader_are_found(world: World, read: Read) -> None:
    world.plane()
    (world.root / "masks").rename(world.root / "annotations")
    reading = read(world.root)
    assert len(reading.photographs[PHOTOGRAPH].parts) == 1
    assert reading.repairs["annotations_folder"] == 1


def test_the_folder_above_the_source_does_as_well(world: World, read: Read, tmp_path: Path) -> None:
    World(tmp_path / "base" / "partonomy").plane()
    reading = read(tmp_path / "base")
    assert len(reading.photographs) == 1
    assert {file.path for file in reading.plan.files} == {
        "partonomy/graph.yaml",
        f"partonomy/masks/{PLANE}/0.json",
        f"partonomy/masks/{WINGS}/0.json",
    }


def test_objects_of_one_name_in_two_categories_are_told_apart(world: World, read: Read) -> None:
    for category in ("boats", "ships"):
        world.photograph(f"{category}--submarine/1.jpg")
        world.mask(f"{category}--submarine--part:hull/0.json", f"{category}--submarine/1.jpg")
    reading = read(world.root)
    assert [whole.name for whole in reading.plan.vocabulary.objects] == [
        "submarine (boat)",
        "submarine (ship)",
    ]
    assert reading.repairs["display_name_collision"] == 2
    assert {p.image_id for p in reading.photographs.values()} == {
        "partonomy/boats--submarine/1",
        "partonomy/ships--submarine/1",
    }


def test_a_converted_set_in_folders_has_objects_without_the_prefix(world: World, read: Read) -> None:
    world.photograph("000000000009.jpg")
    world.mask("object--dog/0.json", "000000000009.jpg", (0, 0, 11, 19))
    world.mask("dog--part:head/0.json", "000000000009.jpg")
    world.graph({"object--dog": ["dog--part:head"]})
    reading = read(world.root)
    (whole,), (part,) = reading.plan.vocabulary.objects, reading.plan.vocabulary.parts
    assert (whole.key, whole.source_category, whole.name, whole.parents) == ("dog", "object--dog", "dog", ())
    assert (part.object_key, part.name) == ("dog", "head")
    assert reading.repairs["object_prefix"] == 1
    assert not reading.plan.vocabulary.curated
    assert reading.photographs["000000000009.jpg"].photograph == "coco/000000000009"


def test_masks_that_are_all_unusable_make_the_source_unusable(world: World, read: Read) -> None:
    world.photograph(PHOTOGRAPH)
    world.write(f"masks/{WINGS}/0.json", b"")
    with pytest.raises(SourceError, match="holds no usable mask"):
        read(world.root)
