"""Pieces of instances: gathered file by file, they are what one look at all instances at once gives."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import partonomy_data
from partonomy_data.questions.chosen import Chosen
from partonomy_data.questions.context import Taxonomy
from partonomy_data.questions.inputs import Inputs
from partonomy_data.questions.instances import instances
from partonomy_data.questions.pieces import STORED, Gathered, Key, gather
from partonomy_data.questions.placing import placed
from partonomy_data.questions.settings import QuestionSettings
from partonomy_data.splits import Assignment, HeldOut

SETTINGS = QuestionSettings()
#: Splits that a photograph may be in, one of training and two that models are measured in.
SPLITS = ("train", "test", "test_unseen_object")


@pytest.fixture(scope="module")
def inputs(demo_store: Path) -> Inputs:
    with partonomy_data.open(demo_store) as store:
        return Inputs(store.folder)


def crowded(inputs: Inputs, seed: int) -> Assignment:
    """Splits in which photographs of several files are one photograph: as few clusters as a fifth of the images."""
    rng = random.Random(seed)
    ids = [one for table in inputs.images() for one in table["image_id"].to_pylist()]
    clusters = [f"cluster {rng.randrange(max(1, len(ids) // 5))}" for _ in ids]
    split = {name: rng.choice(SPLITS) for name in sorted(set(clusters))}
    categories = sorted({one for tables in inputs.shards() for one in tables.objects["object_category"].to_pylist()})
    table = pa.table({"image_id": ids, "cluster": clusters, "split": [split[one] for one in clusters]})
    held_out = HeldOut(frozenset(rng.sample(categories, len(categories) // 2)), frozenset(), frozenset())
    return Assignment(table, held_out)


def at_once(inputs: Inputs, taxonomy: Taxonomy, assigned: Assignment) -> dict[Key, list[dict[str, Any]]]:
    """The instances of each shard of questions: all are in memory, and looked at in one go."""
    place = {row["image_id"]: row for row in assigned.table.to_pylist()}
    every = pa.concat_tables(
        instances(one.images, one.objects, one.parts, one.part_evidence, taxonomy.relatives, SETTINGS.min_part_pixels)
        for one in inputs.shards()
    )
    for name in ("cluster", "split"):
        every = every.append_column(name, pa.array([place[one][name] for one in every["image_id"].to_pylist()]))
    chosen = Chosen(SETTINGS.seed, assigned.held_out)
    chosen.see(every)
    found: dict[Key, list[dict[str, Any]]] = defaultdict(list)
    for row in chosen.filtered(every).sort_by("object_id").to_pylist():
        key = row["source"], row["split"], taxonomy.kinds.family(row["object_category"])
        found[key].append({name: row[name] for name in STORED.names})
    return dict(found)


def rows(of: Gathered) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pa.concat_tables(one.read() for one in of.pieces).sort_by("object_id").to_pylist()
    return found


def parts(some: list[dict[str, Any]]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for row in some:
        found[row["object_category"]].update(*(row[name] for name in ("visible", "tiny", "absent")))
    return {name: frozenset(of) for name, of in found.items() if of}


@pytest.mark.parametrize("seed", range(4))
def test_one_instance_of_a_photograph_in_several_files_is_asked_about(
    inputs: Inputs, tmp_path: Path, seed: int
) -> None:
    taxonomy, assigned = Taxonomy(inputs, SETTINGS), crowded(inputs, seed)
    ids = assigned.table["image_id"]
    expected = at_once(inputs, taxonomy, assigned)
    for _ in range(2):  # made, and then taken up
        found = gather(inputs, taxonomy, SETTINGS, assigned, ids, tmp_path)
        assert {key: rows(of) for key, of in found.items()} == expected
        assert {key: of.parts for key, of in found.items()} == {key: parts(some) for key, some in expected.items()}
        assert {key: sum(one.rows for one in of.pieces) for key, of in found.items()} == {
            key: len(some) for key, some in expected.items()
        }
    left_out = sum(len(one.without) for of in found.values() for one in of.pieces)
    assert left_out, "no photograph was in two files: nothing was shown"


def test_a_piece_that_is_damaged_is_made_again(inputs: Inputs, tmp_path: Path) -> None:
    taxonomy = Taxonomy(inputs, SETTINGS)
    found = placed(inputs, taxonomy, SETTINGS, tmp_path / "placed")
    given = inputs, taxonomy, SETTINGS, found.assigned, found.image_ids, tmp_path / "pieces"
    before = {key: rows(of) for key, of in gather(*given).items()}
    files = sorted((tmp_path / "pieces").iterdir())
    files[0].write_bytes(files[0].read_bytes()[:-100])
    files[-1].write_bytes(b"")
    (tmp_path / "pieces" / "of an earlier build.arrow").write_bytes(b"")
    assert {key: rows(of) for key, of in gather(*given).items()} == before
    assert sorted((tmp_path / "pieces").iterdir()) == files


@pytest.mark.parametrize("cut", [0, 100])
def test_splits_that_are_damaged_are_made_again(inputs: Inputs, tmp_path: Path, cut: int) -> None:
    taxonomy = Taxonomy(inputs, SETTINGS)
    before = placed(inputs, taxonomy, SETTINGS, tmp_path)
    names = sorted(tmp_path.iterdir())
    for path in names:
        path.write_bytes(path.read_bytes()[:cut])
    again = placed(inputs, taxonomy, SETTINGS, tmp_path)
    taken_up = placed(inputs, taxonomy, SETTINGS, tmp_path)
    for one in (again, taken_up):
        assert one.assigned.table.equals(before.assigned.table)
        assert (one.assigned.held_out, one.leakage) == (before.assigned.held_out, before.leakage)
    assert sorted(tmp_path.iterdir()) == names
