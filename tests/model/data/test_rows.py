"""Samples joined from the store, against the tables read one by one."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from model.data import rows
from model.data.rows import Rows
from model.data.selection import DataConfig
from model.plum.errors import ModelError
from partonomy_data.store.reader import Store


@pytest.fixture(scope="module")
def tables(store: Store) -> dict[str, dict[Any, dict[str, Any]]]:
    """Rows by key: the plain way."""
    keys = {"questions": "question_id", "images": "image_id", "parts": "part_id"}
    found = {name: {one[key]: one for one in store.table(name).to_pylist()} for name, key in keys.items()}
    masks = store.table("question_masks").to_pylist()
    found["masks"] = {(one["question_id"], one["part_category"]): one for one in masks}
    return found


def test_each_turn_of_each_question_is_a_sample(samples: Rows, tables: dict[str, Any]) -> None:
    wanted = set()
    for name, one in tables["questions"].items():
        two = one["question_type"] in ("part_to_whole", "whole_to_part")
        wanted |= {f"{name}/parts", f"{name}/object"} if two else {f"{name}/parts"}
    assert samples.column("sample_id").to_pylist() == sorted(wanted)


def test_a_sample_holds_what_the_tables_say(samples: Rows, tables: dict[str, Any]) -> None:
    for number in range(0, len(samples), 7):
        row = samples[number]
        question = tables["questions"][row["question_id"]]
        image = tables["images"][question["image_id"]]
        assert (row["uri"], row["width"], row["height"], row["sha256"]) == (
            image["uri"],
            image["width"],
            image["height"],
            image["sha256"],
        )
        assert (row["referent"], row["region"], row["source"]) == (
            question["referent"],
            question["region"],
            question["source"],
        )
        right = question["choices"][question["correct_index"]]
        if row["turn"] == "object":
            object_right = question["object_choices"][question["correct_object_index"]]["text"]
            assert (row["prompt"], row["answer"]) == (question["object_question"], object_right)
            assert (row["spans"], row["masks"]) == ([], [])
            assert row["texts"][row["correct_text"]] == row["answer"]
            continue
        assert (row["prompt"], row["answer"], row["spans"]) == (question["question"], right["text"], right["spans"])
        assert row["texts"] == [choice["text"] for choice in question["choices"]]
        assert row["correct_text"] == question["correct_index"]
        masks = {one["part"]: one["counts"] for one in row["masks"]}
        assert set(masks) == set(right["parts"])
        for part, counts in masks.items():
            ids = sorted(tables["masks"][row["question_id"], part]["part_ids"])
            assert counts == [tables["parts"][one]["mask"]["counts"] for one in ids]


def test_the_second_turn_comes_after_the_true_first(samples: Rows, tables: dict[str, Any]) -> None:
    seen = set()
    for row in (samples[number] for number in range(len(samples))):
        question = tables["questions"][row["question_id"]]
        earlier = None
        if question["question_type"] == "whole_to_part" and row["turn"] == "parts":
            said = question["object_choices"][question["correct_object_index"]]["text"]
            earlier = (question["object_question"], said)
        if question["question_type"] == "part_to_whole" and row["turn"] == "object":
            earlier = (question["question"], question["choices"][question["correct_index"]]["text"])
        seen.add((question["question_type"], row["turn"], earlier is not None))
        assert (row["earlier_question"], row["earlier_answer"]) == (earlier or (None, None))
    assert ("whole_to_part", "parts", True) in seen
    assert ("part_to_whole", "object", True) in seen


def test_samples_of_one_view_share_a_number(samples: Rows) -> None:
    numbers = samples.views().tolist()
    told = [
        (row["image_id"], row["referent"], tuple(row["region"] or ()))
        for row in map(samples.__getitem__, range(len(samples)))
    ]
    assert len(set(numbers)) == len(set(told)) == len(set(zip(numbers, told, strict=True)))


def test_a_file_that_is_there_is_not_made_again(store: Store, tmp_path: Path) -> None:
    config = DataConfig(splits=("train",), types={"difference": 1.0})
    first = rows.prepare(store, config, tmp_path)
    made = first.paths[0].stat()
    again = rows.prepare(store, config, tmp_path)
    assert (again.paths, again.paths[0].stat().st_ino) == (first.paths, made.st_ino)
    assert set(first.column("question_type").to_pylist()) == {"difference"}
    other = rows.prepare(store, DataConfig(splits=("train",), sources=("paco",)), tmp_path)
    assert other.paths != first.paths
    assert set(other.column("source").to_pylist()) == {"paco"}
    assert [path.suffix for path in sorted(tmp_path.iterdir())] == [".arrow", ".arrow"]


def _prepared(root: Path, folder: Path) -> int:
    from partonomy_data import store as stores

    with stores.open(root) as opened:
        return len(rows.prepare(opened, DataConfig(), folder))


def test_two_processes_may_make_it_at_once(store: Store, tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.starmap(_prepared, [(store.root, tmp_path)] * 2)
    assert found[0] == found[1] > 0
    assert len(list(tmp_path.iterdir())) == 1


def test_a_selection_of_nothing_is_said(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no questions of .*sources nowhere\."):
        rows.prepare(store, DataConfig(sources=("nowhere",)), tmp_path)
