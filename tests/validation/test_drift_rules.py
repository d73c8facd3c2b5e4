"""What changed since the version before is told: what is gone, and which distributions moved how far."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from partonomy_data.store import parquet
from partonomy_data.validation.rules import drift
from partonomy_data.validation.settings import ValidationSettings
from partonomy_data.validation.subject import opened
from tests.validation.damage import damaged, read

Rules = dict[str, dict[str, str | None]]
Told = Callable[..., Rules]


@pytest.fixture
def before(version: Path, tmp_path: Path) -> Path:
    """The version before, the same until either is changed."""
    target = tmp_path / "before"
    shutil.copytree(version, target)
    return target


@pytest.fixture
def told(version: Path, before: Path, tmp_path: Path) -> Told:
    """`told(drift=…)`: what is told of the version, seen beside the one before."""

    def check(**settings: Any) -> Rules:
        manifest = json.loads((version / "manifest.json").read_text())
        parent = before, manifest | {"version": "0123456789abcdef"}
        given = ValidationSettings(**settings)
        with opened(version, manifest, given, spill_to=tmp_path / "spill", parent=parent, threads=1) as subject:
            found = {rule: check(subject) for rule, check in drift.CHECKS.items()}
        return {
            rule: dict(zip(rows["row"].to_pylist(), rows["reason"].to_pylist(), strict=True))
            for rule, rows in found.items()
            if rows.num_rows
        }

    return check


def emptied(version: Path, table: str) -> None:
    shutil.rmtree(version / table)
    parquet.empty(table, version / table / parquet.EMPTY_FILE)


def test_nothing_moved_where_nothing_changed(told: Told) -> None:
    assert told(drift=1e-9) == {}


def test_nothing_is_told_of_the_first_version(version: Path, tmp_path: Path) -> None:
    with opened(version, {}, ValidationSettings(drift=1e-9), spill_to=tmp_path / "spill", threads=1) as subject:
        assert all(check(subject).num_rows == 0 for check in drift.CHECKS.values())


def test_a_source_that_is_gone(version: Path, told: Told) -> None:
    for table in ("images", "objects", "parts"):
        damaged(version, table, lambda rows: rows.filter(pc.not_equal(rows["source"], "partonomy")))
    assert told(drift=1.0) == {
        "sources_kept": {"source partonomy": "version 0123456789abcdef has 48 photographs of it"}
    }
    # 48 of 300 photographs are gone: each other source has so much more of what is left.
    assert list(told(drift=0.159)["sources_unmoved"]) == ["sources"]
    assert "sources_unmoved" not in told(drift=0.161)


def test_a_source_that_is_new_is_nothing_to_tell_but_of_the_shares(before: Path, told: Told) -> None:
    for table in ("images", "objects", "parts"):
        damaged(before, table, lambda rows: rows.filter(pc.not_equal(rows["source"], "partonomy")))
    assert told(drift=1.0) == {}
    reason = str(told(drift=0.1)["sources_unmoved"]["sources"])
    assert reason.startswith("0.16 from version 0123456789abcdef (partonomy: 0.0% → 16.0%, paco: 40.5% → 34.0%, ")


def test_a_table_that_is_empty_now(version: Path, before: Path, told: Told) -> None:
    emptied(version, "attributes")
    emptied(version, "questions")
    emptied(version, "question_masks")
    broken = told()
    assert set(broken) == {"tables_kept"}  # of no questions there are no shares
    n_questions, n_masks = (len(read(before, table)) for table in ("questions", "question_masks"))
    assert broken["tables_kept"] == {
        "table attributes": "version 0123456789abcdef has 2,913 rows",
        "table questions": f"version 0123456789abcdef has {n_questions:,} rows",
        "table question_masks": f"version 0123456789abcdef has {n_masks:,} rows",
    }


@pytest.mark.parametrize(
    ("table", "column", "rule", "unit"),
    [
        ("images", "source", "sources_unmoved", "sources"),
        ("objects", "object_category", "object_categories_unmoved", "object categories"),
        ("parts", "part_category", "part_categories_unmoved", "part categories"),
        ("questions", "split", "splits_unmoved", "splits"),
        ("questions", "question_type", "question_types_unmoved", "question types"),
        ("questions", "source", "question_sources_unmoved", "question sources"),
    ],
)
def test_a_distribution_that_moved_is_told_with_how_far(
    version: Path, told: Told, table: str, column: str, rule: str, unit: str
) -> None:
    old = Counter(read(version, table)[column].to_pylist())
    kept = sorted(old, key=lambda name: (old[name], name))[-1]
    damaged(version, table, lambda rows: rows.filter(pc.equal(rows[column], kept)))
    # Only the most frequent value is left: as much moved as all the others had.
    distance = 1 - old[kept] / old.total()
    assert distance > 0.02
    broken = told(drift=distance - 0.01)
    begin = f"{distance:.2f} from version 0123456789abcdef ({kept}: {1 - distance:.1%} → 100.0%, "
    assert str(broken[rule][unit]).startswith(begin)
    assert rule not in told(drift=distance + 0.01)


def test_how_many_parts_answers_list(version: Path, told: Told) -> None:
    masks = read(version, "question_masks")
    sizes = Counter(Counter(masks["question_id"].to_pylist()).values())
    assert sizes == Counter(
        len(row["choices"][row["correct_index"]]["parts"]) for row in read(version, "questions").to_pylist()
    )

    def first_part(rows: pa.Table) -> pa.Table:
        ids = rows["question_id"].to_pylist()
        return rows.take([ids.index(one) for one in dict.fromkeys(ids)])

    damaged(version, "question_masks", first_part)
    distance = 1 - sizes[1] / sizes.total()
    assert list(told(drift=distance - 0.01)) == ["answer_sizes_unmoved"]
    assert told(drift=min(1.0, distance + 0.01)) == {}
