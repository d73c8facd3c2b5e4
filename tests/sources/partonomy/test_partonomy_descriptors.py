"""Descriptors, raw and cleaned, of PARTONOMY and of sets converted from COCO; files of questions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from partonomy_world import AUTHORS, Read, World, rectangle, rle

from partonomy_data.sources.records import RefusedPart

PLANE, PHOTOGRAPH = "airplanes--private", "airplanes--private/1.jpg"
WINGS = f"{PLANE}--part:wings"
SIZE = (12, 20)
WHOLE = rle(rectangle(*SIZE, 0, 0, 11, 19))
PART = rle(rectangle(*SIZE, 1, 1, 6, 9))
OTHER = rle(rectangle(*SIZE, 7, 10, 9, 12))
FULL = rle(rectangle(*SIZE, 0, 0, *SIZE))


def instance(image: str, label: str, segmentations: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A row as the authors write it."""
    return {
        "image_path": image if image.startswith("/") else f"{AUTHORS}/{image}",
        "image_label": label,
        "segmentations": segmentations,
        "segmentation_labels": sorted(segmentations),
        **fields,
    }


def descriptor(instances: list[Any], name: str = "partonomy_core-val", **fields: Any) -> dict[str, Any]:
    """A descriptor as the authors write it."""
    return {"dataset_name": name, "part_graph": {}, "instance_graph": {}, "instances": instances, **fields}


def test_a_raw_descriptor_has_full_labels(world: World, read: Read) -> None:
    world.photograph(PHOTOGRAPH)
    row = instance(PHOTOGRAPH, PLANE, {PLANE: [WHOLE], WINGS: [PART, OTHER]})
    graph = {PLANE: [WINGS, f"{PLANE}--part:nose"]}
    path = world.write_json("descriptor.json", descriptor([row], part_graph=graph))
    for source in (path, world.root):
        reading = read(source)
        photograph = reading.photographs[PHOTOGRAPH]
        assert [o.category for o in photograph.objects] == [PLANE]
        assert [(p.category, p.object_key) for p in photograph.parts] == [(WINGS, None), (WINGS, None)]
        assert [part.name for part in reading.plan.vocabulary.parts] == ["nose", "wings"]
        assert reading.plan.vocabulary.curated
        assert [file.path for file in reading.plan.files] == ["descriptor.json"]
        assert reading.rejected == []


def test_keys_of_masks_are_of_their_content_so_that_no_other_mask_affects_them(world: World, read: Read) -> None:
    world.photograph(PHOTOGRAPH)

    def keys(masks: list[Any]) -> set[str]:
        world.write_json("descriptor.json", descriptor([instance(PHOTOGRAPH, PLANE, {WINGS: masks})]))
        return {part.key for part in read(world.root).photographs[PHOTOGRAPH].parts}

    alone = keys([PART])
    assert len(alone) == 1
    assert alone < keys([OTHER, PART])
    assert keys([OTHER, PART]) == keys([PART, OTHER])


def test_a_cleaned_descriptor_has_bare_part_names(world: World, read: Read) -> None:
    world.photograph(PHOTOGRAPH)
    row = instance(PHOTOGRAPH, "private aircraft", {"wings": [PART]})
    graph = {"private aircraft": ["wings", "nose"]}
    world.write_json("x-descriptor_cleaned.json", descriptor([row], part_graph=graph))
    reading = read(world.root)
    (whole,) = reading.plan.vocabulary.objects
    assert (whole.key, whole.name, whole.parents) == ("private aircraft", "private aircraft", ())
    assert [(p.source_category, p.object_key) for p in reading.plan.vocabulary.parts] == [
        ("nose", "private aircraft"),
        ("wings", "private aircraft"),
    ]
    assert len(reading.photographs[PHOTOGRAPH].parts) == 1
    assert reading.repairs["descriptor_cleaned"] == 1


def test_a_shared_display_name_is_told_apart_by_the_photographs_folder_or_name(world: World, read: Read) -> None:
    names = ["boats--submarine/1.jpg", "flat/ships--submarine-7.jpg", "flat/unknown.jpg"]
    for name in names:
        world.photograph(name)
    rows = [instance(name, "submarine", {"hull": [PART], "submarine": [WHOLE]}) for name in names]
    world.write_json("descriptor_cleaned.json", descriptor(rows))
    reading = read(world.root)
    named = {whole.key: whole.name for whole in reading.plan.vocabulary.objects}
    assert named == {
        "boats--submarine": "submarine (boat)",
        "ships--submarine": "submarine (ship)",
        "submarine": "submarine",
    }
    of = {p.file_name: [o.category for o in p.objects] for p in reading.photographs.values()}
    assert of == dict(zip(names, [["boats--submarine"], ["ships--submarine"], ["submarine"]], strict=True))
    assert (reading.repairs["display_name_shared"], reading.repairs["display_name_merged"]) == (2, 1)
    assert {part.name for part in reading.plan.vocabulary.parts} == {"hull"}


def test_one_photograph_in_several_rows_is_one_with_an_object_of_each(world: World, read: Read) -> None:
    world.photograph(PHOTOGRAPH)
    rows = [
        instance(PHOTOGRAPH, PLANE, {WINGS: [PART]}),
        instance(PHOTOGRAPH, "vehicles--tractor", {"vehicles--tractor--part:wheel": [OTHER]}),
    ]
    world.write_json("descriptor.json", descriptor(rows))
    reading = read(world.root)
    objects = reading.photographs[PHOTOGRAPH].objects
    assert {o.category for o in objects} == {PLANE, "vehicles--tractor"}
    owners = {p.category: p.object_key for p in reading.photographs[PHOTOGRAPH].parts}
    assert owners == {WINGS: PLANE, "vehicles--tractor--part:wheel": "vehicles--tractor"}


def test_an_object_that_has_no_mask_at_all_is_kept(world: World, read: Read) -> None:
    world.photograph(PHOTOGRAPH)
    world.write_json("descriptor.json", descriptor([instance(PHOTOGRAPH, PLANE, {})]))
    reading = read(world.root)
    assert [(o.category, o.segmentation) for o in reading.photographs[PHOTOGRAPH].objects] == [(PLANE, None)]
    assert reading.repairs["object_without_parts"] == 1


def test_masks_come_with_more_keys_in_wrappers_and_as_polygons(world: World, read: Read) -> None:
    world.photograph(PHOTOGRAPH)
    masks = [
        {**PART, "mask_path": None, "image_path": "x", "is_root_concept": False},
        {"segmentation": OTHER},
        {"polygon": [1, 1, 5, 1, 5, 5], "size": list(SIZE)},
        {"polygon": [[2, 2, 6, 2, 6, 6], [7, 7, 9, 7, 9, 9]], "size": list(SIZE)},
        {"segmentation": {"polygon": [[3, 3], [8, 3], [8, 8]], "size": list(SIZE)}},
        {"size": list(SIZE), "counts": [5, 7, 228]},
        [[1.5, 1.5, 9, 1.5, 9, 9]],
    ]
    single = {f"{PLANE}--part:nose": rle(rectangle(*SIZE, 2, 2, 4, 4))}
    world.write_json("descriptor.json", descriptor([instance(PHOTOGRAPH, PLANE, {WINGS: masks, **single})]))
    reading = read(world.root)
    shapes = [part.segmentation for part in reading.photographs[PHOTOGRAPH].parts]
    assert len(shapes) == 8
    for rings in ([[1, 1, 5, 1, 5, 5]], [[2, 2, 6, 2, 6, 6], [7, 7, 9, 7, 9, 9]], [[3, 3, 8, 3, 8, 8]]):
        assert rings in shapes
    assert (reading.repairs["mask_keys_extra"], reading.repairs["segmentation_wrapped"]) == (1, 2)
    assert reading.repairs["segmentation_polygon"] == 4


def test_bad_masks_and_instances_are_quarantined_and_nothing_else_is_lost(world: World, read: Read) -> None:
    world.photograph(PHOTOGRAPH)
    bad = [
        {"size": [12, 20]},
        {"counts": "a"},
        5,
        None,
        {"polygon": ["a"]},
        {"size": "x", "counts": "y"},
        "text",
    ]
    rows: list[Any] = [
        instance(PHOTOGRAPH, PLANE, {WINGS: [PART, *bad], f"{PLANE}--part:": [OTHER]}),
        {"image_path": "x.jpg", "image_label": PLANE},
        {"image_path": 5, "image_label": PLANE, "segmentations": {}},
        {"image_label": PLANE, "segmentations": {}},
        instance(PHOTOGRAPH, WINGS, {}),
        instance(PHOTOGRAPH, "", {}),
        None,
        instance("gone/9.jpg", PLANE, {WINGS: [PART]}),
        instance("/a\\b.jpg", PLANE, {WINGS: [PART]}),
    ]
    world.write_json("descriptor.json", descriptor(rows))
    reading = read(world.root)
    assert len(reading.photographs[PHOTOGRAPH].parts) == 1
    assert sorted(reading.rules.values()) == [
        "image_missing",
        "image_path_unsafe",
        *["instance_malformed"] * 6,
        *["segmentation_malformed"] * 8,
    ]
    assert {row.row_id for row in reading.rejected if row.rule == "instance_malformed"} == {
        f"descriptor.json#{number}" for number in range(1, 7)
    }


def test_a_number_that_is_none_spoils_its_own_mask_only(world: World, read: Read) -> None:
    world.photograph(PHOTOGRAPH)
    masks = [PART, {"polygon": [1, float("nan"), 5, 1, 5, 5], "size": list(SIZE)}]
    world.write_json("descriptor.json", descriptor([instance(PHOTOGRAPH, PLANE, {WINGS: masks})]))
    reading = read(world.root)
    assert list(reading.rules.values()) == ["number_not_finite"]
    assert reading.photographs[PHOTOGRAPH].refused == [RefusedPart(WINGS)]
    assert len(reading.photographs[PHOTOGRAPH].parts) == 1


def test_a_list_of_labels_that_does_not_agree_with_the_masks_is_not_believed(world: World, read: Read) -> None:
    world.photograph(PHOTOGRAPH)
    row = instance(PHOTOGRAPH, PLANE, {WINGS: [PART]}, segmentation_labels=[WINGS, f"{PLANE}--part:nose"])
    world.write_json("descriptor.json", descriptor([row]))
    reading = read(world.root)
    assert [part.category for part in reading.photographs[PHOTOGRAPH].parts] == [WINGS]
    assert reading.repairs["segmentation_labels_differ"] == 1


def test_a_byte_order_mark_before_a_descriptor_is_skipped(world: World, read: Read) -> None:
    world.photograph(PHOTOGRAPH)
    text = json.dumps(descriptor([instance(PHOTOGRAPH, PLANE, {WINGS: [PART]})])).encode()
    world.write("descriptor.json", b"\xef\xbb\xbf" + text)
    assert read(world.root).repairs["json_byte_order_mark"] == 1


def test_only_the_photographs_that_rows_name_are_of_the_source(world: World, read: Read) -> None:
    world.photograph(PHOTOGRAPH)
    world.photograph("airplanes--private/unused.jpg")
    world.write_json("descriptor.json", descriptor([instance(PHOTOGRAPH, PLANE, {WINGS: [PART]})]))
    assert list(read(world.root).photographs) == [PHOTOGRAPH]


def test_without_photographs_a_descriptor_is_read_all_the_same(world: World, read: Read) -> None:
    rows = [instance(PHOTOGRAPH, PLANE, {WINGS: [{"polygon": [1, 1, 5, 1, 5, 5], "size": [30, 40]}]})]
    world.write_json("descriptor.json", descriptor(rows))
    photograph = read(world.root).photographs[PHOTOGRAPH]
    assert (photograph.height, photograph.width, photograph.path) == (30, 40, None)


def test_in_a_converted_set_an_object_without_mask_may_stand_for_several(world: World, read: Read) -> None:
    world.photograph("000000000009.jpg")
    world.photograph("2008_000123.jpg")
    rows = [
        instance(
            "/coco/train2017/000000000009.jpg",
            "object--dog",
            {"object--dog": [WHOLE], "dog--part:head": [PART]},
        ),
        instance("/voc/2008_000123.jpg", "object--cat", {"cat--part:head": [PART], "object--cat": [FULL]}),
        instance("/voc/2008_000123.jpg", "object--cow", {"cow--part:left_horn": [OTHER]}),
    ]
    graph = {"object--dog": ["dog--part:head"], "object--cat": ["cat--part:head"]}
    world.write_json("descriptor.json", descriptor(rows, "paco_lvis", part_graph=graph))
    reading = read(world.root)
    dog, cat = reading.photographs["000000000009.jpg"], reading.photographs["2008_000123.jpg"]
    assert [(o.category, o.merged) for o in dog.objects] == [("dog", False)]
    assert {(o.category, o.merged, o.segmentation) for o in cat.objects} == {
        ("cat", True, None),
        ("cow", True, None),
    }
    assert {part.object_key for part in cat.parts} == {"cat", "cow"}
    assert (dog.photograph, cat.photograph) == ("coco/000000000009", "voc/2008_000123")
    assert not reading.plan.vocabulary.curated
    assert {part.name for part in reading.plan.vocabulary.parts} == {"head", "left horn"}
    assert reading.repairs["object_prefix"] == 3
    assert reading.repairs["full_image_object"] == 2
    assert reading.repairs["full_image_mask"] == 1


def test_a_mask_of_the_full_image_is_an_outline_in_partonomy_itself(world: World, read: Read) -> None:
    world.photograph(PHOTOGRAPH)
    world.write_json("descriptor.json", descriptor([instance(PHOTOGRAPH, PLANE, {PLANE: [FULL]})]))
    reading = read(world.root)
    assert reading.photographs[PHOTOGRAPH].objects[0].segmentation is not None
    assert "full_image_mask" not in reading.repairs


def boxed(k: int, whole: Any, part: Any) -> dict[str, Any]:
    return instance(
        f"/authors/modified_images/000000000009-{k}.jpg",
        "object--dog",
        {"object--dog": [whole], "dog--part:head": [part]},
    )


@pytest.mark.parametrize("on_disk", [True, False])
def test_copies_with_a_red_box_are_put_back_on_their_photograph(world: World, read: Read, on_disk: bool) -> None:
    if on_disk:
        world.photograph("000000000009.jpg")
    rows = [boxed(0, WHOLE, PART), boxed(1, OTHER, rle(rectangle(*SIZE, 7, 10, 8, 11)))]
    world.write_json("descriptor.json", descriptor(rows, "paco_lvis"))
    reading = read(world.root)
    (photograph,) = reading.photographs.values()
    assert photograph.image_id == "partonomy/000000000009"
    assert photograph.photograph == "coco/000000000009"
    assert len(photograph.objects) == len({o.key for o in photograph.objects}) == 2
    assert [p.object_key for p in photograph.parts] == [o.key for o in photograph.objects]
    assert not any(o.merged for o in photograph.objects)
    assert reading.repairs["red_box_copy"] == 2


def test_a_copy_with_a_red_box_whose_photograph_is_gone_is_one_of_its_own(world: World, read: Read) -> None:
    world.photograph("modified_images/000000000009-0.jpg")
    world.write_json("descriptor.json", descriptor([boxed(0, WHOLE, PART)], "paco_lvis"))
    reading = read(world.root)
    assert list(reading.photographs) == ["modified_images/000000000009-0.jpg"]
    assert reading.repairs["red_box_copy_alone"] == 1


def test_a_row_whose_photograph_was_only_guessed_is_rejected_where_no_mask_confirms_it(
    world: World, read: Read
) -> None:
    world.photograph("moved/1.jpg", (30, 30))
    world.photograph("boats--canoe/2.jpg", (30, 30))
    rows = [instance(PHOTOGRAPH, PLANE, {}), instance("boats--canoe/2.jpg", "boats--canoe", {})]
    world.write_json("descriptor.json", descriptor(rows))
    reading = read(world.root)
    assert [row.rule for row in reading.rejected] == ["image_missing"]
    assert reading.photographs["moved/1.jpg"].objects == []


def question(image: str, label: str, segmentations: dict[str, Any]) -> dict[str, Any]:
    return {
        "image_path": f"{AUTHORS}/{image}",
        "image_label": label,
        "question": "What visible parts does the object in the image have?",
        "question_type": "identification",
        "answer_choices": ["wings", "nose"],
        "segmentations": segmentations,
        "object_question": None,
    }


def test_masks_repeated_with_each_question_are_read_once(world: World, read: Read) -> None:
    world.photograph(PHOTOGRAPH)
    rows = [
        question(PHOTOGRAPH, "private aircraft", {"wings": [PART, OTHER]}),
        question(PHOTOGRAPH, "private aircraft", {"wings": [PART, OTHER], "nose": [WHOLE]}),
    ]
    path = world.write_json("partonomy_qa_pairs_val.json", rows)
    for source in (path, world.root):
        reading = read(source)
        assert len(reading.photographs[PHOTOGRAPH].parts) == 3
        assert len(reading.photographs[PHOTOGRAPH].objects) == 1
        assert reading.repairs["question_repeat"] == 2
        assert reading.rejected == []


def test_in_a_descriptor_a_mask_that_is_there_twice_is_a_duplicate(world: World, read: Read) -> None:
    world.photograph(PHOTOGRAPH)
    world.write_json("descriptor.json", descriptor([instance(PHOTOGRAPH, PLANE, {WINGS: [PART, PART]})]))
    reading = read(world.root)
    assert len(reading.photographs[PHOTOGRAPH].parts) == 1
    assert list(reading.rules.values()) == ["duplicate_mask"]


def test_of_several_files_the_one_that_says_most_is_read(world: World, read: Read) -> None:
    world.photograph(PHOTOGRAPH)
    world.write_json("descriptor.json", descriptor([instance(PHOTOGRAPH, PLANE, {WINGS: [PART]})]))
    world.write_json(
        "descriptor_cleaned.json", descriptor([instance(PHOTOGRAPH, "private aircraft", {"wings": [PART]})])
    )
    reading = read(world.root)
    assert [o.category for o in reading.photographs[PHOTOGRAPH].objects] == [PLANE]
    assert reading.repairs["descriptor_beside"] == 1


@pytest.mark.parametrize("shape", ["descriptor", "questions"])
def test_the_flat_layout_is_read_from_relative_paths(world: World, read: Read, shape: str) -> None:
    names = ["1.jpg", "1_0a1b2c3d.jpg", "no masks.jpg"]
    for name in names:
        world.photograph(name)
    rows = [instance("x", PLANE, {WINGS: [PART]}, image_path=f"images/{name}") for name in names[:2]]
    world.write_json("core_portable.json", descriptor(rows) if shape == "descriptor" else rows)
    reading = read(world.root)
    assert {p.image_id: len(p.parts) for p in reading.photographs.values()} == {
        "partonomy/1": 1,
        "partonomy/1_0a1b2c3d": 1,
        "partonomy/no masks": 0,
    }
    assert reading.repairs["portable_clash_suffix"] == 1
    assert reading.repairs["image_without_masks"] == 1
    assert "image_path_absolute" not in reading.repairs


def test_the_flat_layout_may_have_one_file_for_each_photograph(world: World, read: Read) -> None:
    for number in range(3):
        world.photograph(f"{number}.jpg")
        row = instance("x", PLANE, {WINGS: [PART]}, image_path=f"images/{number}.jpg")
        world.write_json(f"{number}_portable.json", row)
    reading = read(world.root)
    assert [len(p.parts) for p in reading.photographs.values()] == [1, 1, 1]
    assert len(reading.plan.files) == 3
