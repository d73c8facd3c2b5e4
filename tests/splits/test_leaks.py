"""The leakage report finds what is planted, and nothing in what `assign` makes."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings

from partonomy_data.splits import SplitSettings, leakage, leaks
from schemas.tables import schema

from .test_unseen import forest
from .worlds import EAGER, HASHES, PLAIN, World, image, worlds


def table(**split_of: str) -> pa.Table:
    """Rows of `splits` for images called by letters, each a photograph of its own."""
    rows = [
        {"image_id": name, "source": "web", "cluster": name, "split": split, "reason": "keyed", "held_out": None}
        for name, split in split_of.items()
    ]
    return pa.Table.from_pylist(rows, schema("splits"))


def report(world: World, made: pa.Table, **more: Any) -> dict[str, Any]:
    found = leakage(made, world.image_table(), world.label_table(), **more)
    assert json.loads(json.dumps(found)) == found
    return found


@settings(max_examples=25)
@given(worlds())
def test_what_assign_makes_is_clean(world: World) -> None:
    chosen = msgspec.structs.replace(EAGER, most_alike=2)
    made = world.assign(chosen)
    found = report(world, made.table, held_out=made.held_out, settings=chosen)
    assert found["clean"], found
    assert sum(row["images"] for row in found["counts"]) == len(world.images)


@pytest.mark.parametrize("bits", [0, 1, 3, 4, 8])
def test_look_alikes_in_two_splits_are_found(bits: int) -> None:
    near = HASHES[1] ^ ((1 << bits) - 1) << 29
    world = World([image("a", phash=HASHES[1]), image("b", phash=near), image("c", phash=HASHES[2])])
    made = table(a="train", b="val", c="test")
    found = report(world, made, settings=msgspec.structs.replace(PLAIN, near_duplicate_bits=bits))
    assert found["shared"]["phash"] == {"n": 1, "examples": [{"splits": ["train", "val"], "images": ["a", "b"]}]}
    assert not found["clean"]
    if bits:
        less = report(world, made, settings=msgspec.structs.replace(PLAIN, near_duplicate_bits=bits - 1))
        assert less["clean"]


def test_look_alikes_by_way_of_a_third_are_found() -> None:
    hashes = [HASHES[0], HASHES[0] ^ 0xF, HASHES[0] ^ 0xFF]
    world = World([image(name, phash=one) for name, one in zip("abc", hashes, strict=True)])
    found = report(world, table(a="train", b="train", c="test"))
    assert found["shared"]["phash"]["examples"] == [{"splits": ["test", "train"], "images": ["a", "b", "c"]}]


@pytest.mark.parametrize("column", ["photograph", "sha256"])
def test_shared_identities_are_found(column: str) -> None:
    rows = [image("a", **{column: "x"}), image("b", **{column: "x"}), image("c", **{column: "y"}), image("d")]
    found = report(World(rows), table(a="train", b="test", c="val", d="val"))
    assert found["shared"][column] == {
        "n": 1,
        "examples": [{"value": "x", "splits": ["test", "train"], "images": ["a", "b"]}],
    }
    assert not found["clean"]
    assert [one for one in found["shared"] if found["shared"][one]["n"]] == [column]


def test_a_cluster_in_two_splits_is_found() -> None:
    made = table(a="train", b="test")
    made = made.set_column(2, schema("splits").field("cluster"), pa.array(["pho_1", "pho_1"]))
    assert report(World([image("a"), image("b")]), made)["shared"]["cluster"]["n"] == 1


def test_an_image_without_a_split_is_found() -> None:
    found = report(World([image("a"), image("b")]), table(a="train"))
    assert found["without_split"] == 1
    assert not found["clean"]


@pytest.mark.parametrize("split", ["train", "val"])
def test_held_out_things_in_training_are_found(split: str) -> None:
    world = forest(9)
    made = world.assign(EAGER)
    rows = made.table.to_pylist()
    moved = {
        kind: next(row["image_id"] for row in rows if row["split"] == f"test_unseen_{kind}")
        for kind in ("object", "part", "pair")
    }
    for kind, name in moved.items():
        row = next(row for row in rows if row["image_id"] == name)
        planted = [{**one, "split": split} if one["image_id"] == name else one for one in rows]
        for held_out in (None, made.held_out):
            found = report(world, pa.Table.from_pylist(planted, schema("splits")), held_out=held_out)
            assert row["held_out"] in found["held_out_in_training"][f"{kind}s"]
            assert not found["clean"]
    assert report(world, made.table, held_out=made.held_out)["clean"]


def test_things_that_training_never_shows_are_counted_by_split() -> None:
    rows = [("a", "cat", "tail"), ("b", "cat", "paw"), ("b", "dog", "tail"), ("c", "cat", "tail"), ("c", "dog", None)]
    found = report(World([image(name) for name in "abc"], rows), table(a="train", b="test", c="test_unseen_object"))
    assert found["never_in_training"] == [
        {"split": "test", "objects": 1, "parts": 1, "pairs": 2},
        {"split": "test_unseen_object", "objects": 1, "parts": 0, "pairs": 0},
    ]


def test_crowds_of_look_alikes_are_counted_apart() -> None:
    rows = [image(f"{i:02d}", phash=HASHES[3]) for i in range(40)]
    made = table(**{f"{i:02d}": "train" if i % 2 else "test" for i in range(40)})
    found = report(World(rows), made)
    assert (found["clean"], found["alike_by_chance"]) == (True, 40)
    assert not report(World(rows), made, settings=SplitSettings(most_alike=40))["clean"]


def test_hashes_that_are_too_close_to_too_many_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "MOST_IN_BAND", 2)
    rows = [image(name, phash=HASHES[3] ^ 1 << i) for i, name in enumerate("abc")]
    assert report(World(rows), table(a="train", b="test", c="val"))["not_compared"] == 12
    monkeypatch.undo()
    assert report(World(rows), table(a="train", b="test", c="val"))["not_compared"] == 0


def test_more_leaks_than_are_shown_are_counted() -> None:
    rows = [image(f"{kind}{i}", sha256=f"{i}") for i in range(30) for kind in "ab"]
    made = table(**{row["image_id"]: "train" if row["image_id"][0] == "a" else "val" for row in rows})
    found = report(World(rows), made)["shared"]["sha256"]
    assert (found["n"], len(found["examples"])) == (30, leaks.EXAMPLES)


def test_without_labels_shared_photographs_are_still_found() -> None:
    world = World([image("a", sha256="x"), image("b", sha256="x")])
    found = leakage(table(a="train", b="val"), world.image_table())
    assert found["shared"]["sha256"]["n"] == 1
    assert "held_out_in_training" not in found
