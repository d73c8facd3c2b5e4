"""COCO with PACO's extensions: pycocotools loads it, and our PACO reader makes the same rows of it."""

from __future__ import annotations

import contextlib
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import partonomy_data
from partonomy_data.demo.paco_tables import ATTRIBUTES
from partonomy_data.export import write
from partonomy_data.export.coco import spelled
from partonomy_data.export.coco_attributes import PACO
from partonomy_data.ids import object_id
from partonomy_data.sources.paco.vocabulary import words
from partonomy_data.taxonomy.words import BadName, normalise
from tests.export.conftest import Export, reread
from tests.export.stores import HOSTILE, Small, make, rows


def loaded(path: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


@pytest.fixture(scope="module")
def splits(exported: Export) -> dict[str, COCO]:
    done = exported("coco")
    return {Path(name).stem: loaded(done.out / name) for name in done.files}


@pytest.fixture(scope="module")
def back(exported: Export, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    """The rows that our PACO reader makes of all the files."""
    done = exported("coco")
    found = [reread("paco", done.out / name, tmp_path_factory.mktemp("back")) for name in done.files]
    names = {name for tables in found for name in tables}
    return {name: pa.concat_tables([tables[name] for tables in found if name in tables]) for name in names}


@pytest.fixture(scope="module")
def here(demo_store: Path) -> dict[str, pa.Table]:
    """The rows of the store."""
    with partonomy_data.open(demo_store) as store:
        return {name: store.table(name) for name in ("images", "objects", "parts", "part_evidence", "attributes")}


def of_paco(table: pa.Table) -> list[dict[str, Any]]:
    return [row for row in table.to_pylist() if row["source"] == "paco"]


def test_pycocotools_loads_every_split_with_all_annotations(
    splits: dict[str, COCO], here: dict[str, pa.Table], exported: Export
) -> None:
    assert sum(len(one.anns) for one in splits.values()) == len(here["objects"]) + len(here["parts"])
    assert sum(len(one.imgs) for one in splits.values()) == len(here["images"])
    assert {name: len(one.anns) for name, one in splits.items()} == {
        Path(name).stem: count for name, count in exported("coco").files.items()
    }
    numbers = [number for one in splits.values() for number in one.imgs]
    assert len(numbers) == len(set(numbers)), "a number is that of one photograph in all files"


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_masks_drawn_by_pycocotools_are_those_of_the_store(splits: dict[str, COCO], demo_store: Path) -> None:
    with partonomy_data.open(demo_store) as store:
        rows = store.sql("SELECT part_id, source_key FROM parts WHERE source = 'paco' ORDER BY 1 LIMIT 20").fetchall()
        for part_id, key in rows:
            (drawn,) = [
                one.annToMask(row)
                for one in splits.values()
                if (row := one.anns.get(int(key))) and one.imgs[row["image_id"]]["file_name"].startswith("paco/")
            ]
            assert np.array_equal(drawn, store.mask(part_id))


def test_parts_are_linked_to_an_object_of_their_photograph_and_category(splits: dict[str, COCO]) -> None:
    for one in splits.values():
        kinds = {number: row["supercategory"] for number, row in one.cats.items()}
        for row in one.anns.values():
            whole = one.anns[row["obj_ann_id"]]
            assert whole["image_id"] == row["image_id"]
            assert kinds[whole["category_id"]] == "OBJECT"
            if kinds[row["category_id"]] == "OBJECT":
                assert whole is row
            else:
                assert one.cats[row["category_id"]]["name"].partition(":")[0] == one.cats[whole["category_id"]]["name"]


def test_rows_of_paco_come_back_equal(back: dict[str, pa.Table], here: dict[str, pa.Table]) -> None:
    same = {
        "objects": ("object_id", "image_id", "object_category", "bbox", "area", "mask", "mask_origin", "n_parts"),
        "parts": ("part_id", "object_id", "image_id", "part_category", "bbox", "area", "mask", "match_method"),
    }
    for name, columns in same.items():
        key = columns[0]
        due = {row[key]: {column: row[column] for column in columns} for row in of_paco(here[name])}
        found = {row[key]: {column: row[column] for column in columns} for row in back[name].to_pylist()}
        assert len(due) > 200
        assert {key: found.get(key) for key in due} == due


def test_objects_parts_and_masks_of_every_source_come_back(
    back: dict[str, pa.Table], here: dict[str, pa.Table]
) -> None:
    def things(tables: dict[str, pa.Table]) -> tuple[Counter[Any], Counter[Any]]:
        stem = {row["image_id"]: Path(row["file_name"]).stem for row in tables["images"].to_pylist()}
        wholes = {row["object_id"]: row for row in tables["objects"].to_pylist()}
        assert len(stem) == len(here["images"])

        def thing(row: dict[str, Any]) -> tuple[Any, ...]:
            return stem[row["image_id"]], row["object_category"], row["area"], row["mask"]["counts"]

        parts = (
            (*thing(wholes[row["object_id"]]), row["part_category"], row["mask"]["counts"], *row["bbox"])
            for row in tables["parts"].to_pylist()
        )
        return Counter(thing(row) for row in wholes.values()), Counter(parts)

    assert things(back) == things(here)
    assert "quarantine" not in back or not len(back["quarantine"])


def test_attributes_come_back_equal(back: dict[str, pa.Table], here: dict[str, pa.Table]) -> None:
    columns = ("annotation_id", "attribute_type", "attribute")
    due, found = (Counter(tuple(row[c] for c in columns) for row in t["attributes"].to_pylist()) for t in (here, back))
    assert len(due) > 1000
    assert found == due


def test_what_is_known_of_parts_comes_back_and_nothing_is_made_up(
    back: dict[str, pa.Table], here: dict[str, pa.Table]
) -> None:
    def statuses(rows: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
        return {(row["object_id"], row["part_category"]): row["status"] for row in rows}

    found, due = statuses(back["part_evidence"].to_pylist()), statuses(of_paco(here["part_evidence"]))
    assert set(due.values()) == {"present", "absent", "unknown"}
    assert {key: found.get(key) for key in due} == due
    # Sources beside PACO: what they leave open must not be read as told by labels that they never gave.
    keys = Counter(status for key, status in found.items() if key not in due)
    told = Counter(
        row["status"] for row in here["part_evidence"].to_pylist() if row["source"] != "paco"
    )  # partimagenet's and others'
    assert keys["present"] == told["present"]
    assert keys["absent"] <= told["absent"]


def test_attributes_have_the_ids_of_paco(splits: dict[str, COCO]) -> None:
    names = [name for kind in ATTRIBUTES.values() for name in kind]
    assert {kind: tuple(text.split()) for kind, text in PACO.items()} == ATTRIBUTES
    for one in splits.values():
        assert [row["name"] for row in one.dataset["attributes"]] == names
        assert [row["id"] for row in one.dataset["attributes"]] == list(range(59))
        assert one.dataset["attr_type_to_attr_idxs"]["transparency"] == [55, 56, 57, 58]


@given(st.text(max_size=30))
def test_names_come_back_from_their_spelling(name: str) -> None:
    try:
        canonical = normalise(name)
    except BadName:
        return
    assert normalise(words(spelled(canonical))) == canonical
    assert ":" not in spelled(canonical)


def test_ids_that_are_not_told_apart_are_given_anew(small: Small, tmp_path: Path) -> None:
    done = write(small.root, "coco", tmp_path / "out", images=small.images)
    rows = json.loads((done.out / "train.json").read_bytes())["annotations"]
    assert [row["id"] for row in rows] == list(range(1, len(rows) + 1))


def test_hostile_names_and_objects_without_masks_are_valid_json(small: Small, tmp_path: Path) -> None:
    done = write(small.root, "coco", tmp_path / "out")
    one = loaded(done.out / "train.json")
    assert {row["file_name"] for row in one.imgs.values()} == {f"paco/{uri}" for uri in small.uris}
    assert {f"{HOSTILE}:{HOSTILE}".replace(" ", "_")} == {
        row["name"] for row in one.cats.values() if row["supercategory"] == "PART"
    }
    (bare,) = [row for row in one.anns.values() if isinstance(row["segmentation"], list)]
    assert (bare["bbox"], bare["area"], bare["obj_ann_id"]) == ([1.0, 2.0, 3.0, 4.0], 12, bare["id"])
    assert (bare["segmentation"], bare["iscrowd"]) == ([[1.0, 2.0, 4.0, 2.0, 4.0, 6.0, 1.0, 6.0]], 1)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
@pytest.mark.parametrize("kind", ["segm", "bbox"])
def test_cocoeval_runs_where_an_object_has_no_mask_which_is_neither_missed_nor_a_false_alarm(
    small: Small, tmp_path: Path, kind: str
) -> None:
    done = write(small.root, "coco", tmp_path / "out")
    truth = loaded(done.out / "train.json")
    masked = [row for row in truth.anns.values() if not row["iscrowd"]]
    for said in (masked, list(truth.anns.values())):
        fields = ("image_id", "category_id", "segmentation" if kind == "segm" else "bbox")
        given = [{**{name: row[name] for name in fields}, "score": 1.0} for row in said]
        for row in given:
            # A mask is told as run lengths, as a polygon of the truth is drawn.
            if isinstance(row.get("segmentation"), list):
                (bare,) = [one for one in truth.anns.values() if one["iscrowd"]]
                row["segmentation"] = truth.annToRLE(bare)
        with contextlib.redirect_stdout(io.StringIO()):
            run = COCOeval(truth, truth.loadRes(given), kind)
            run.evaluate()
            run.accumulate()
            run.summarize()
        assert len(truth.anns) - len(masked) == 1
        assert run.stats[0] == pytest.approx(1.0)


def test_an_object_without_a_mask_comes_back_without_one(small: Small, tmp_path: Path) -> None:
    done = write(small.root, "coco", tmp_path / "out")
    tables = reread("paco", done.out / "train.json", tmp_path / "back")
    (bare,) = [row for row in tables["objects"].to_pylist() if row["mask_origin"] == "none"]
    assert (bare["mask"], bare["area"], bare["bbox"]) == (None, None, [1.0, 2.0, 3.0, 4.0])


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_an_object_without_a_box_either_is_a_crowd_of_nothing(tmp_path: Path) -> None:
    of = rows(("one.jpg",))
    bare = [{**row, "bbox": None} if row["mask"] is None else row for row in of["objects"]]
    store = make(tmp_path, ("one.jpg",), {"objects": bare})
    one = loaded(write(store.root, "coco", tmp_path / "out").out / "train.json")
    (found,) = [row for row in one.anns.values() if row["iscrowd"]]
    assert (found["bbox"], found["area"], found["segmentation"]) == ([0.0] * 4, 0, [[0.0] * 8])
    assert not one.annToMask(found).any()


def test_a_part_is_negative_only_where_no_object_could_have_it(tmp_path: Path) -> None:
    uris = ("two.jpg", "lacks.jpg", "open.jpg")
    first, second = (object_id("paco/0", key) for key in "78")
    told = {
        (first, HOSTILE): "present", (second, HOSTILE): "unknown", (first, "rim"): "absent", (second, "rim"): "unknown",
        (object_id("paco/1", "7"), "rim"): "absent", (object_id("paco/2", "7"), "rim"): "unknown",
        (object_id("paco/1", "7"), HOSTILE): "present", (object_id("paco/2", "7"), HOSTILE): "present",
    }  # fmt: skip
    evidence = [
        {"object_id": own, "part_category": part, "status": status, "why": "x", "source": "paco"}
        for (own, part), status in told.items()
    ]
    graph = [
        {"object_category": HOSTILE, "part_category": part, "n_objects": 0, "n_with_part": 0, "frequency": 0.0}
        | {"sources": [], "evidence": "curated"}
        for part in (HOSTILE, "rim")
    ]
    made = make(tmp_path, uris, {"part_evidence": evidence, "part_graph": graph})
    content = json.loads((write(made.root, "coco", tmp_path / "out").out / "train.json").read_bytes())
    names = {row["id"]: row["name"].partition(":")[2] for row in content["categories"]}
    labels = {
        row["file_name"]: [sorted(names[n] for n in row[f"{k}_category_ids"]) for k in ("neg", "not_exhaustive")]
        for row in content["images"]
    }
    # The empty name is the object category's, of which nobody knows whether all are annotated.
    assert labels == {
        "paco/two.jpg": [[], ["", spelled(HOSTILE)]],
        "paco/lacks.jpg": [["rim"], [""]],
        "paco/open.jpg": [[], [""]],
    }


def test_what_only_paco_ego4d_has_is_written_as_it_was(tmp_path: Path) -> None:
    told = [
        ("7", "instance_id", "12"),
        ("7", "blur_level", "3"),
        ("8", "instance_id", "a-12"),
        ("8", "attribute", "odd"),
    ]
    described = [
        {"annotation_id": object_id("paco/0", key), "attribute_type": kind, "attribute": value, "source": "paco"}
        for key, kind, value in told
    ]
    made = make(tmp_path, ("a.jpg",), {"attributes": described})
    content = json.loads((write(made.root, "coco", tmp_path / "out").out / "train.json").read_bytes())
    found = sorted(
        (row["instance_id"], row["blur_level"]) for row in content["annotations"] if row["instance_id"] == 12
    )
    assert found == [(12, 3)]
    (other,) = [row for row in content["annotations"] if row["instance_id"] == "a-12"]
    assert (other["blur_level"], other["attribute_ids"]) == (None, [59])
    assert content["attributes"][59]["name"] == "odd"
    assert 59 not in [number for numbers in content["attr_type_to_attr_idxs"].values() for number in numbers]
