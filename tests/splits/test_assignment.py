"""Every image has one split, its photograph's, whatever the order of the rows."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import partonomy_data
from partonomy_data import splits
from partonomy_data.splits import REASONS, SPLITS, assign
from partonomy_data.taxonomy.algebra import PartRelations
from schemas.tables import schema

from .test_unseen import forest
from .worlds import EAGER, HASHES, PLAIN, World, image, together, worlds


@given(worlds(), st.sampled_from([PLAIN, EAGER]))
def test_no_photograph_is_in_two_splits(world: World, chosen: splits.SplitSettings) -> None:
    found = world.rows(chosen)
    assert sorted(found) == [*found] == sorted(row["image_id"] for row in world.images)
    split_of: dict[object, str] = {}
    for row in world.images:
        mine = found[row["image_id"]]
        keys = [("photograph", row["photograph"]), ("sha256", row["sha256"]), ("cluster", mine["cluster"])]
        for key in keys:
            if key[1] is not None:
                assert split_of.setdefault(key, mine["split"]) == mine["split"]
        assert mine["split"] in SPLITS
        assert mine["reason"] in REASONS
        assert mine["source"] == row["source"]


@given(worlds(), st.integers(0, 9), st.sampled_from([PLAIN, EAGER]))
def test_the_order_of_rows_is_of_no_matter(world: World, seed: int, chosen: splits.SplitSettings) -> None:
    first, second = world.assign(chosen), world.shuffled(seed).assign(chosen)
    assert first.held_out == second.held_out
    assert first.table.equals(second.table)


def test_the_table_has_the_schema_of_the_store() -> None:
    world = together(World([image("a", phash=HASHES[0])]), forest(3))
    for one in (world, World([])):
        assert one.assign(EAGER).table.schema.equals(schema("splits"))


def test_an_image_id_that_is_there_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        World([image("a"), image("a")]).assign()


def test_repeated_labels_and_pieces_of_tables_change_nothing() -> None:
    world = forest(6)
    images, labels = world.image_table(), world.label_table()
    images = pa.concat_tables([images.slice(0, 7), images.slice(7)])
    labels = pa.concat_tables([labels, labels.slice(3, 9)])
    again = assign(images, labels, PartRelations(), {}, EAGER)
    assert again.table.equals(world.assign(EAGER).table)


SCRIPT = """
import hashlib
from tests.splits.worlds import EAGER, together
from tests.splits.test_unseen import forest
made = together(forest(9), forest(4, "x")).assign(EAGER)
held = made.held_out
here = repr([made.table.to_pylist(), sorted(held.objects), sorted(held.parts), sorted(held.pairs)])
print(hashlib.sha256(here.encode()).hexdigest())
"""


def test_the_hash_seed_of_python_is_of_no_matter() -> None:
    made = together(forest(9), forest(4, "x")).assign(EAGER)
    held = made.held_out
    here = repr([made.table.to_pylist(), sorted(held.objects), sorted(held.parts), sorted(held.pairs)])
    for seed in ("0", "7"):
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(partonomy_data.__file__).parents[1],
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout.strip() == hashlib.sha256(here.encode()).hexdigest()


def test_the_settings_are_at_hand_without_loading_arrow() -> None:
    code = (
        "import sys; from partonomy_data.splits import SplitSettings, SPLITS; SplitSettings().checked(); "
        "print([name for name in ('numpy', 'pyarrow', 'scipy', 'duckdb') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_public_names_are_there_and_no_others() -> None:
    for name in splits.__all__:
        assert getattr(splits, name) is not None
    with pytest.raises(AttributeError):
        _ = splits.nothing
