"""Damage to photographs, objects, parts, splits and the taxonomy."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from pathlib import Path

from partonomy_data.masks import Rle, from_bitmap
from partonomy_data.masks.rle import decode
from tests.validation.damage import adding, called, damaged, doubling, dropping, first, read, setting
from tests.validation.mutation import Mutations
from tests.validation.staged import Row, column, edited, keeping

OF_TABLES = Mutations()


def _parts(folder: Path) -> tuple[Row, Row]:
    """Two parts of an object that are of different categories, sizes and places."""
    by_object: dict[str, list[Row]] = defaultdict(list)
    for row in read(folder, "parts").to_pylist():
        by_object[row["object_id"]].append(row)
    for rows in by_object.values():
        one, other = rows[0], rows[-1]
        if (
            one["part_category"] != other["part_category"]
            and one["area"] != other["area"]
            and one["bbox"] != other["bbox"]
        ):
            return one, other
    raise AssertionError("there are no such parts")


# Photographs, objects, parts


@OF_TABLES.breaks("images.id_begins_with_source")
def a_photograph_is_of_another_source(folder: Path) -> Collection[str]:
    row = first(folder, "images", source="paco")
    damaged(folder, "images", setting(row, source="partonomy"))
    return {row["image_id"]}


@OF_TABLES.breaks("objects.mask_size_of_image")
def a_photograph_has_another_width(folder: Path) -> Collection[str]:
    thing = next(row for row in read(folder, "objects").to_pylist() if row["mask"] is not None)
    row = first(folder, "images", image_id=thing["image_id"])
    damaged(folder, "images", setting(row, width=row["width"] + 1))
    things = read(folder, "objects").to_pylist()
    return {one["object_id"] for one in things if one["image_id"] == row["image_id"] and one["mask"] is not None}


@OF_TABLES.breaks("parts.box_of_mask")
def the_masks_of_two_parts_are_swapped(folder: Path) -> Collection[str]:
    one, other = _parts(folder)
    edited(
        folder, "parts", "part_id", {one["part_id"]: {"mask": other["mask"]}, other["part_id"]: {"mask": one["mask"]}}
    )
    return {one["part_id"], other["part_id"]}


@OF_TABLES.breaks("parts.mask_decodes")
def the_run_lengths_of_a_mask_are_cut_off(folder: Path) -> Collection[str]:
    row = _parts(folder)[0]
    damaged(folder, "parts", setting(row, mask=row["mask"] | {"counts": row["mask"]["counts"][:-2]}))
    return {row["part_id"]}


@OF_TABLES.breaks("parts.mask_size_of_image")
def a_mask_is_of_another_size(folder: Path) -> Collection[str]:
    row = _parts(folder)[0]
    height, width = row["mask"]["size"]
    bitmap = decode(Rle(height, width, row["mask"]["counts"].encode()))
    smaller = from_bitmap(bitmap[: height - 1])
    mask = {"size": [height - 1, width], "counts": smaller.counts.decode()}
    damaged(folder, "parts", setting(row, mask=mask))
    return {row["part_id"]}


@OF_TABLES.breaks("objects.box_of_mask")
def a_box_is_shifted(folder: Path) -> Collection[str]:
    row = next(row for row in read(folder, "objects").to_pylist() if row["mask"] is not None)
    damaged(folder, "objects", setting(row, bbox=[row["bbox"][0] + 1, *row["bbox"][1:]]))
    return {row["object_id"]}


@OF_TABLES.breaks("parts.area_of_mask")
def an_area_is_off_by_one(folder: Path) -> Collection[str]:
    row = _parts(folder)[0]
    damaged(folder, "parts", setting(row, area=row["area"] + 1))
    return {row["part_id"]}


@OF_TABLES.breaks("objects.parts_counted")
def a_part_is_another_object_s(folder: Path) -> Collection[str]:
    row = first(folder, "parts", source="paco")
    things = [one for one in column(folder, "objects", "object_id") if one[:10] == row["object_id"][:10]]
    (other, *_) = [one for one in things if one != row["object_id"]]
    damaged(folder, "parts", setting(row, object_id=other))
    return {row["object_id"], other}


@OF_TABLES.breaks("parts.image_of_object")
def a_part_is_in_another_photograph(folder: Path) -> Collection[str]:
    row = first(folder, "parts", source="paco")
    other = next(one for one in column(folder, "images", "image_id") if one != row["image_id"])
    damaged(folder, "parts", setting(row, image_id=other))
    return {row["part_id"]}


@OF_TABLES.breaks("parts.pair_in_graph")
def a_part_is_called_what_its_object_cannot_have(folder: Path) -> Collection[str]:
    row = _parts(folder)[0]
    own = first(folder, "objects", object_id=row["object_id"])["object_category"]
    graph = read(folder, "part_graph").to_pylist()
    has = {one["part_category"] for one in graph if one["object_category"] == own}
    other = next(one for one in column(folder, "part_categories", "part_category") if one not in has)
    damaged(folder, "parts", setting(row, part_category=other))
    return {row["part_id"]}


@OF_TABLES.breaks("part_categories.n_parts_counted")
def a_part_is_called_what_its_object_has_as_well(folder: Path) -> Collection[str]:
    one, other = _parts(folder)
    damaged(folder, "parts", setting(one, part_category=other["part_category"]))
    return {one["part_category"], other["part_category"]}


@OF_TABLES.breaks("object_categories.n_objects_counted")
def an_object_is_called_otherwise(folder: Path) -> Collection[str]:
    row = first(folder, "objects", source="paco")
    other = next(one for one in column(folder, "objects", "object_category") if one != row["object_category"])
    damaged(folder, "objects", setting(row, object_category=other))
    return {row["object_category"], other}


@OF_TABLES.breaks("parts.key_unique")
def a_part_is_there_twice(folder: Path) -> Collection[str]:
    row = first(folder, "parts")
    damaged(folder, "parts", doubling(row))
    return {row["part_id"]}


@OF_TABLES.breaks("version.counts_conserved")
def a_part_is_lost(folder: Path) -> Collection[str]:
    damaged(folder, "parts", dropping(first(folder, "parts", source="partonomy")))
    return {"parts of partonomy"}


# Splits


def _two_of_two_splits(folder: Path) -> tuple[Row, Row]:
    """The row of a photograph for training, and of one for testing."""
    return first(folder, "splits", split="train"), first(folder, "splits", split="test", source="partonomy")


@OF_TABLES.breaks("splits.images_placed")
def a_photograph_has_no_split(folder: Path) -> Collection[str]:
    row = first(folder, "splits", split="train")
    damaged(folder, "splits", dropping(row))
    return {row["image_id"]}


@OF_TABLES.breaks("splits.key_unique")
def a_photograph_has_two_splits(folder: Path) -> Collection[str]:
    row = first(folder, "splits", split="train")
    damaged(folder, "splits", doubling(row, split="val"))
    return {row["image_id"]}


@OF_TABLES.breaks("splits.one_split_of_cluster")
def photographs_that_are_alike_are_in_two_splits(folder: Path) -> Collection[str]:
    one, other = _two_of_two_splits(folder)
    damaged(folder, "splits", setting(one, cluster=other["cluster"]))
    return {one["image_id"], other["image_id"]}


@OF_TABLES.breaks("splits.one_split_of_file")
def one_file_is_in_two_splits(folder: Path) -> Collection[str]:
    one, other = _two_of_two_splits(folder)
    digest = first(folder, "images", image_id=other["image_id"])["sha256"]
    assert digest
    edited(folder, "images", "image_id", {one["image_id"]: {"sha256": digest}})
    return {one["image_id"], other["image_id"]}


@OF_TABLES.breaks("splits.held_out_is_unseen")
def what_is_held_out_is_shown_in_training(folder: Path) -> Collection[str]:
    rows = read(folder, "splits").to_pylist()
    held = Counter(row["held_out"] for row in rows if row["split"] == "test_unseen_object")
    name = next(name for name, n in held.items() if n > 1)
    row = next(row for row in rows if row["held_out"] == name)
    damaged(folder, "splits", setting(row, split="train", held_out=None, reason="source"))
    return {row["image_id"]}


# The taxonomy


@OF_TABLES.breaks("part_graph.frequency_is_ratio")
def a_frequency_is_wrong(folder: Path) -> Collection[str]:
    row = first(folder, "part_graph", evidence="annotated")
    damaged(folder, "part_graph", setting(row, frequency=row["frequency"] / 2))
    return {called("part_graph", row)}


@OF_TABLES.breaks("part_graph.n_with_part_counted")
def a_count_is_wrong(folder: Path) -> Collection[str]:
    row = first(folder, "part_graph", evidence="annotated")
    n = row["n_with_part"] - 1
    damaged(folder, "part_graph", setting(row, n_with_part=n, frequency=n / row["n_objects"]))
    return {called("part_graph", row)}


@OF_TABLES.breaks("category_graph.acyclic")
def a_category_is_above_itself(folder: Path) -> Collection[str]:
    rows = read(folder, "category_graph").to_pylist()
    below = {row["parent"]: row for row in rows}
    upper = next(row for row in rows if row["child"] in below)
    lower = below[upper["child"]]
    turned = lower | {"child": upper["parent"], "parent": lower["child"]}
    damaged(folder, "category_graph", adding(**turned))
    return {called("category_graph", one) for one in (*rows, turned) if _on_the_way(one, [*rows, turned])}


def _on_the_way(edge: Row, edges: Collection[Row]) -> bool:
    """Whether a way leads from an edge's parent back to its child."""
    above: dict[str, set[str]] = defaultdict(set)
    for one in edges:
        above[one["child"]].add(one["parent"])
    reached: set[str] = set()
    front = {edge["parent"]}
    while front:
        reached |= front
        front = {upper for name in front for upper in above[name]} - reached
    return edge["child"] in reached


@OF_TABLES.breaks("part_relations.never_narrower_than_itself")
def a_part_is_narrower_than_what_is_narrower(folder: Path) -> Collection[str]:
    one = first(folder, "part_relations", relation="narrower")
    other = first(folder, "part_relations", part_a=one["part_b"], part_b=one["part_a"])
    damaged(folder, "part_relations", setting(other, relation="narrower", confidence=0.0))
    return {called("part_relations", other)}


@OF_TABLES.breaks("part_categories.names_plain")
def a_part_has_a_capital_letter(folder: Path) -> Collection[str]:
    row = first(folder, "part_categories")
    name = row["part_category"].title()
    damaged(folder, "part_categories", setting(row, part_category=name))
    return {name}


@OF_TABLES.breaks("part_categories.names_canonical", "blocked")
def a_part_is_in_the_plural(folder: Path) -> Collection[str]:
    row = first(folder, "part_categories", part_category="wheel")
    damaged(folder, "part_categories", setting(row, part_category="wheels"))
    return {"wheels"}


@OF_TABLES.breaks("plausibility.part_category_known")
def it_is_said_whether_something_could_have_an_unknown_part(folder: Path) -> Collection[str]:
    row = first(folder, "plausibility")
    damaged(folder, "plausibility", doubling(row, part_category="flux capacitor", verdict="plausible"))
    return {called("plausibility", row | {"part_category": "flux capacitor"})}


@OF_TABLES.breaks("part_graph.pairs_listed")
def the_part_graph_lacks_a_pair(folder: Path) -> Collection[str]:
    row = first(folder, "part_graph", evidence="annotated")
    key = called("part_graph", row)
    damaged(folder, "part_graph", keeping(lambda one: called("part_graph", one) != key))
    return {key}
