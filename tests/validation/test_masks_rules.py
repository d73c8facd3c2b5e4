"""Masks against what rows say of them, and parts in their objects: in bulk what a look at every pixel finds."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from partonomy_data import BuildConfig, SourceSetting, build
from partonomy_data import masks as rle
from partonomy_data.masks.runs import run_lengths
from partonomy_data.store import parquet
from partonomy_data.validation.rules import inside, masks, measured, photographs
from partonomy_data.validation.subject import Subject
from tests.validation.damage import Change, damaged, first, found, read, setting, some, with_subject

Bitmap = NDArray[np.bool_]
Rules = dict[tuple[str, str], set[str]]


def mask_of(bitmap: Bitmap) -> dict[str, Any]:
    made = rle.from_bitmap(bitmap)
    return {"size": [made.height, made.width], "counts": made.counts.decode()}


def bitmap_of(mask: dict[str, Any]) -> Bitmap:
    height, width = mask["size"]
    return rle.decode(rle.from_compressed(mask["counts"], mask["size"], height, width)) != 0


def measures(bitmap: Bitmap) -> dict[str, Any]:
    """Mask, area and box of a bitmap, pixel by pixel."""
    ys, xs = np.nonzero(bitmap)
    box = [xs.min(), ys.min(), xs.max() - xs.min() + 1, ys.max() - ys.min() + 1] if len(xs) else [0, 0, 0, 0]
    return {"mask": mask_of(bitmap), "area": len(xs), "bbox": [float(value) for value in box]}


@pytest.fixture
def broken(few: Path, tmp_path: Path) -> Callable[..., Rules]:
    """`broken((table, change), …)`: the rules of masks that these changes break, and the rows that they name."""

    def check(*changes: tuple[str, Change]) -> Rules:
        for table, change in changes:
            damaged(few, table, change)
        return {rule: set(rows) for rule, rows in found(few, tmp_path, masks.CHECKS).items()}

    return check


def test_the_demo_world_keeps_all_rules(version: Path, tmp_path: Path) -> None:
    assert found(version, tmp_path, masks.CHECKS) == {}


def test_real_samples_keep_all_rules(shared_data: Path, tmp_path: Path) -> None:
    source = SourceSetting(str(shared_data / "pascal_part"))
    done = build(tmp_path / "store", BuildConfig(sources={"pascal_part": source}, workers=1))
    folder = tmp_path / "store" / "versions" / done.version
    assert read(folder, "parts").num_rows == 260
    assert found(folder, tmp_path, masks.CHECKS, photographs.CHECKS) == {}


UNSOUND = ("", "0", "~", "o", "ooooooo0", "1O1", "999")


def test_run_lengths_that_are_none(few: Path, broken: Callable[..., Rules]) -> None:
    objects, parts = (some(few, table, len(UNSOUND), source="paco") for table in ("objects", "parts"))
    changes = [
        (table, setting(row, mask=row["mask"] | {"counts": counts}))
        for table, rows in (("objects", objects), ("parts", parts))
        for row, counts in zip(rows, UNSOUND, strict=True)
    ]
    assert broken(*changes) == {
        ("objects", "mask_decodes"): {row["object_id"] for row in objects},
        ("parts", "mask_decodes"): {row["part_id"] for row in parts},
    }


def test_what_is_wrong_with_measures(few: Path, broken: Callable[..., Rules]) -> None:
    changes, expected = [], {}
    for table, key in (("objects", "object_id"), ("parts", "part_id")):
        rows = some(few, table, 4, source="pascal_part")
        values = [
            {"area": rows[0]["area"] + 1},
            {"area": -1},
            {"bbox": [rows[2]["bbox"][0] + 0.5, *rows[2]["bbox"][1:]]},
            {"bbox": [float("nan")] * 4},
        ]
        changes += [(table, setting(row, **value)) for row, value in zip(rows, values, strict=True)]
        expected[table, "area_of_mask"] = {row[key] for row in rows[:2]}
        expected[table, "box_of_mask"] = {row[key] for row in rows[2:]}
    assert broken(*changes) == expected


def test_measures_that_are_missing_or_of_nothing(few: Path, broken: Callable[..., Rules]) -> None:
    rows = some(few, "objects", 4, source="pascal_part")
    changes = [
        setting(rows[0], area=None),
        setting(rows[1], bbox=None),
        setting(rows[2], mask=None),
        setting(rows[3], mask=None, area=None, bbox=None),
    ]
    ids = [row["object_id"] for row in rows]
    assert broken(*(("objects", change) for change in changes)) == {
        ("objects", "area_of_mask"): {ids[0], ids[2]},
        ("objects", "box_of_mask"): {ids[1]},
    }


def test_a_mask_of_no_pixel(few: Path, broken: Callable[..., Rules]) -> None:
    thing, part = first(few, "objects", source="pascal_part"), first(few, "parts", source="paco")
    empty = [measures(np.zeros(row["mask"]["size"], bool)) for row in (thing, part)]
    told = broken(("objects", setting(thing, **empty[0])), ("parts", setting(part, **empty[1])))
    of_thing = {row["part_id"] for row in read(few, "parts").to_pylist() if row["object_id"] == thing["object_id"]}
    assert told == {
        ("objects", "mask_not_empty"): {thing["object_id"]},
        ("parts", "mask_not_empty"): {part["part_id"]},
        ("parts", "touches_object"): of_thing,
    }


def test_a_mask_that_is_not_canonical(few: Path, broken: Callable[..., Rules]) -> None:
    row = first(few, "parts", source="partimagenet")
    mask = parted(row["mask"])
    assert mask["counts"] != row["mask"]["counts"]
    assert broken(("parts", setting(row, mask=mask))) == {("parts", "mask_canonical"): {row["part_id"]}}


def parted(mask: dict[str, Any]) -> dict[str, Any]:
    """The same pixels with two empty runs after the first, where pycocotools' union and IoU stop."""
    height, width = mask["size"]
    runs = run_lengths(mask["counts"].encode()).tolist()
    legal = {"size": [height, width], "counts": [runs[0], 0, 0, *runs[1:]]}
    return mask | {"counts": coco_mask.frPyObjects(legal, height, width)["counts"].decode()}


def moved(bitmap: Bitmap, share: float, within: Bitmap) -> Bitmap:
    """As many pixels as `bitmap` has, about this share of them in `within`, the others outside it."""
    ins, outs = np.flatnonzero(within), np.flatnonzero(~within)
    n_in = round(share * int(bitmap.sum()))
    made = np.zeros(bitmap.size, bool)
    made[ins[:n_in]] = True
    made[outs[: int(bitmap.sum()) - n_in]] = True
    return made.reshape(bitmap.shape)


def test_parts_that_stick_out_of_their_objects(few: Path, broken: Callable[..., Rules]) -> None:
    shares = {0.0: "touches_object", 0.4: "mostly_inside_object", 0.6: None, 0.99: None}
    rows = [row for row in read(few, "parts").to_pylist() if row["source"] == "paco" and row["area"] > 50]
    changes, expected = [], {}
    for (share, rule), row in zip(shares.items(), rows, strict=False):
        whole = bitmap_of(first(few, "objects", object_id=row["object_id"])["mask"])
        changes.append(("parts", setting(row, **measures(moved(bitmap_of(row["mask"]), share, whole)))))
        if rule:
            expected["parts", rule] = {row["part_id"]}
    assert len(changes) == len(shares)
    assert broken(*changes) == expected


def test_an_overlap_that_is_not_that_of_the_masks(few: Path, broken: Callable[..., Rules]) -> None:
    rows = some(few, "parts", 2, match_method="overlap")
    changes = [("parts", setting(rows[0], match_overlap=0.75)), ("parts", setting(rows[1], match_overlap=0.9999999))]
    assert broken(*changes) == {("parts", "overlap_of_masks"): {rows[0]["part_id"]}}


def union_damage(few: Path) -> tuple[list[tuple[str, Change]], Rules]:
    """One object gets a pixel that no part has, another loses one that parts have; and what is to be told of that."""
    larger, smaller = some(few, "objects", 2, mask_origin="union_of_parts")
    grown, shrunk = bitmap_of(larger["mask"]), bitmap_of(smaller["mask"])
    grown[tuple(np.argwhere(~grown)[0])] = True
    at = tuple(np.argwhere(shrunk)[0])
    shrunk[at] = False
    parts = [row for row in read(few, "parts").to_pylist() if row["object_id"] == smaller["object_id"]]
    outside = {row["part_id"] for row in parts if bitmap_of(row["mask"])[at]}
    assert outside
    changes = [("objects", setting(larger, **measures(grown))), ("objects", setting(smaller, **measures(shrunk)))]
    expected = {("objects", "covered_by_parts"): {larger["object_id"]}, ("parts", "inside_its_union"): outside}
    return changes, expected


def test_an_object_that_is_not_the_union_of_its_parts(few: Path, broken: Callable[..., Rules]) -> None:
    changes, expected = union_damage(few)
    assert broken(*changes) == expected


def test_files_of_objects_and_parts_need_not_match(few: Path, broken: Callable[..., Rules]) -> None:
    changes, expected = union_damage(few)
    for path in list((few / "parts").rglob("*.parquet")):
        rows = pq.ParquetFile(path).read()
        for odd in (0, 1):
            half = rows.take(np.arange(odd, len(rows), 2))
            parquet.write(half, path.with_name(f"{odd}.parquet"), "parts")
        path.unlink()
    assert broken() == {}
    assert broken(*changes) == expected


def test_of_shards_nothing_is_looked_up_elsewhere(few: Path) -> None:
    def elsewhere(ids: Sequence[str]) -> pa.Table:
        raise AssertionError(f"{len(ids)} were looked up")

    for path in sorted((few / "parts").rglob("*.parquet")):
        beside = few / "objects" / path.relative_to(few / "parts")
        objects = pq.ParquetFile(beside).read()
        pq.write_table(objects, beside, row_group_size=1)
        told = masks.file_findings(path, "parts", beside, masks.LookUps(elsewhere, elsewhere))
        assert told.equals(measured.FINDINGS.empty_table())


def test_each_file_is_looked_at_once_for_all_rules(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    whole = masks.file_findings

    def counted(path: Path, *rest: Any) -> pa.Table:
        looked.append(path)
        return whole(path, *rest)

    monkeypatch.setattr(masks, "file_findings", counted)
    assert found(few, tmp_path, masks.CHECKS) == {}
    assert sorted(looked) == sorted([*(few / "objects").rglob("*.parquet"), *(few / "parts").rglob("*.parquet")])


def test_a_file_that_turned_out_to_be_damaged_is_left_out(few: Path, tmp_path: Path) -> None:
    """Objects that can't be read are looked for elsewhere, and not found; their own masks aren't judged."""
    path = next((few / "objects").rglob("*.parquet"))
    row = pq.ParquetFile(path).read().slice(0, 1).to_pylist()[0]
    damaged(few, "objects", setting(row, area=1))

    def look(subject: Subject) -> pa.Table:
        assert masks.findings_of(subject).num_rows == 1
        subject.memory.clear()
        return masks.findings_of(replace(subject, unreadable={path: "it is damaged"}))

    assert with_subject(few, tmp_path, look).num_rows == 0


# Differences from the slow and plain way


@dataclass(frozen=True)
class Thing:
    """An object or part as it is written: what its mask shows, and how the row is damaged."""

    bitmap: Bitmap
    damage: str
    of: int = 0
    """Of a part: its object."""
    origin: str = "annotated"
    n_off: int = 0
    """Of an object: how far `n_parts` is off."""

    @property
    def sound(self) -> bool:
        return self.damage != "counts"

    def row(self) -> dict[str, Any]:
        told = measures(self.bitmap)
        if self.damage == "area":
            told["area"] += 1
        if self.damage == "box":
            told["bbox"][2] += 1.0
        if self.damage == "counts":
            told["mask"]["counts"] += "1"
        if self.damage == "parted":
            told["mask"] = parted(told["mask"])
        return told


SIZES = st.sampled_from([(1, 1), (2, 3), (2, 3), (2, 3), (3, 2)])
BITMAPS = SIZES.flatmap(lambda size: hnp.arrays(np.bool_, size))
DAMAGES = st.sampled_from(["", "", "", "", "area", "box", "counts", "parted"])
OBJECTS = st.lists(
    st.builds(
        Thing,
        BITMAPS,
        DAMAGES,
        origin=st.sampled_from(["annotated", "union_of_parts"]),
        n_off=st.sampled_from([0, 0, 1]),
    ),
    min_size=1,
    max_size=5,
)
PARTS = st.lists(st.builds(Thing, BITMAPS, DAMAGES, of=st.integers(0, 5)), max_size=10)


TOLD = {"area": "area_of_mask", "box": "box_of_mask", "counts": "mask_decodes", "parted": "mask_canonical"}


def plainly(objects: list[Thing], parts: list[Thing]) -> set[tuple[str, str, str]]:
    """(table, rule, row) of all that is wrong, one pixel at a time."""
    wrong = set()
    for table, things in (("objects", objects), ("parts", parts)):
        for i, one in enumerate(things):
            if one.damage:
                wrong.add((table, TOLD[one.damage], f"{i:03}"))
            if one.sound and not one.bitmap.any():
                wrong.add((table, "mask_not_empty", f"{i:03}"))
    for o, whole in enumerate(objects):
        own = [(i, part) for i, part in enumerate(parts) if part.of == o]
        fits = [part.sound and whole.sound and part.bitmap.shape == whole.bitmap.shape for _, part in own]
        shown = np.zeros(whole.bitmap.shape, bool)
        for (i, part), one_fits in zip(own, fits, strict=True):
            if not one_fits or not part.bitmap.any():
                continue
            shown |= part.bitmap
            share = (part.bitmap & whole.bitmap).sum() / part.bitmap.sum()
            if whole.origin == "union_of_parts" and share < 1:
                wrong.add(("parts", "inside_its_union", f"{i:03}"))
            if whole.origin == "annotated" and share < 0.5:
                wrong.add(("parts", "mostly_inside_object" if share else "touches_object", f"{i:03}"))
        if own and all(fits) and whole.origin == "union_of_parts" and (whole.bitmap & ~shown).any():
            wrong.add(("objects", "covered_by_parts", f"{o:03}"))
    return wrong


def written(folder: Path, table: str, rows: list[dict[str, Any]], order: Sequence[int], size: int) -> Path:
    """Rows in a file, in any order, `size` to a row group."""
    kept = [field for field in parquet.written_schema(table) if not rows or field.name in rows[0]]
    path = folder / f"{table}.parquet"
    made = pa.Table.from_pylist([rows[i] for i in order], pa.schema(kept))
    pq.write_table(made, path, row_group_size=size)
    return path


SQUARE = np.array([[False, True, True], [False, True, True]])


@example(objects=[Thing(SQUARE, "parted")], parts=[Thing(SQUARE, "parted")], seed=0, group=1, beside=True)
@given(objects=OBJECTS, parts=PARTS, seed=st.integers(0, 99), group=st.integers(1, 4), beside=st.booleans())
def test_what_is_found_is_what_a_look_at_every_pixel_finds(
    objects: list[Thing], parts: list[Thing], seed: int, group: int, beside: bool
) -> None:
    things = [
        one.row()
        | {"object_id": f"{i:03}", "mask_origin": one.origin, "n_parts": one.n_off + sum(p.of == i for p in parts)}
        for i, one in enumerate(objects)
    ]
    pieces = [
        one.row() | {"part_id": f"{i:03}", "object_id": f"{one.of:03}", "match_overlap": None}
        for i, one in enumerate(parts)
    ]
    draw = np.random.default_rng(seed)

    def looked_up(rows: list[dict[str, Any]], table: str) -> inside.LookUp:
        kept = pa.schema([field for field in parquet.written_schema(table) if not rows or field.name in rows[0]])
        return lambda ids: measured.flat(pa.Table.from_pylist([r for r in rows if r["object_id"] in ids], kept))

    with tempfile.TemporaryDirectory() as name:
        of_objects = written(Path(name), "objects", things, draw.permutation(len(things)), group)
        of_parts = written(Path(name), "parts", pieces, draw.permutation(len(pieces)), group)
        look_up = masks.LookUps(looked_up(things, "objects"), looked_up(pieces, "parts"))
        told = pa.concat_tables(
            [
                masks.file_findings(of_objects, "objects", None, look_up),
                masks.file_findings(of_parts, "parts", of_objects if beside else None, look_up),
            ]
        ).to_pylist()
    assert {(row["table"], row["rule"], row["row"]) for row in told} == plainly(objects, parts)
