"""What has changed is judged, and says what judging everything says: for every kind of damage, and for random changes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partonomy_data.store import parquet
from partonomy_data.validation import changes
from partonomy_data.validation.cache import Cache
from partonomy_data.validation.changes import Changes
from partonomy_data.validation.job import _parent
from partonomy_data.validation.reach import LINKS, reaches
from partonomy_data.validation.running import Outcome, run
from partonomy_data.validation.settings import ValidationSettings
from partonomy_data.validation.subject import Subject, opened
from tests.validation.damage import damaged, first, setting
from tests.validation.mutation import Mutation
from tests.validation.mutations_of_files import _flipped
from tests.validation.staged import Once, Staged, current, overwritten, validated
from tests.validation.test_mutations import MUTATIONS

_SHARD = "source=paco/000-of-001.parquet"
#: Kinds of damage that are done together: as many as leave each other's rows alone, mostly.
_TOGETHER = 12


@pytest.fixture
def staged(once: Once, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Staged:
    monkeypatch.setattr(changes, "MOST", 1.0)
    return Staged.again(validated(once), tmp_path)


@contextmanager
def looking(staged: Staged, **given: Any) -> Iterator[tuple[Subject, Changes | None]]:
    """The staged version, and what of it has changed."""
    parent = _parent(staged.root)
    cache = Cache(staged.findings, given.pop("code", ""), anew=given.pop("anew", False)) if staged.findings else None
    wanted = ValidationSettings(**{**staged.settings, **given})
    spill = staged.root / "spill"
    with opened(
        staged.folder, staged.manifest, wanted, spill_to=spill, parent=parent, threads=1, cache=cache
    ) as subject:
        yield subject, changes.changes(subject, parent)


def broken(outcomes: list[Outcome]) -> dict[tuple[str, str], dict[str, str | None]]:
    """Rule → the rows that break it, and why."""
    return {
        (one.table, one.rule): dict(zip(one.found["row"].to_pylist(), one.found["reason"].to_pylist(), strict=True))
        for one in outcomes
        if one.failed
    }


def judged_in_both_ways(staged: Staged) -> dict[tuple[str, str], dict[str, str | None]]:
    """What is broken, which is the same in both ways."""
    with looking(staged) as (subject, since):
        assert since is not None
        by_changes = run(subject, since=since)
    staged.findings = None
    with looking(staged) as (subject, since):
        assert since is None
        everything = run(subject)
    assert broken(by_changes) == broken(everything)
    assert [one.checked for one in by_changes] == [one.checked for one in everything]
    return broken(everything)


# Damage

_LEGIBLE = [one for one in MUTATIONS if one.rule != "files_readable" and not one.settings]


@pytest.mark.parametrize("part", range(-(-len(_LEGIBLE) // _TOGETHER)))
def test_damage_of_several_kinds_is_found_in_both_ways(staged: Staged, part: int) -> None:
    done: list[tuple[Mutation, Collection[str]]] = []
    for mutation in _LEGIBLE[part :: -(-len(_LEGIBLE) // _TOGETHER)]:
        try:
            done.append((mutation, mutation.damage(staged.folder)))
        except (AssertionError, StopIteration, OSError, ValueError):
            continue  # what it would damage is gone already
    assert len(done) > 6
    found = judged_in_both_ways(staged)
    lost = [one.name for one, _ in done if (one.suite, one.rule) not in found]
    assert len(lost) < len(done) / 3, lost


# Random changes

#: Table → columns whose values are swapped between rows, so that any pointer may point elsewhere.
_SWAPPED = {
    "images": ["photograph", "sha256", "width", "source_split"],
    "splits": ["split", "cluster", "image_id"],
    "objects": ["image_id", "object_category", "mask_origin", "n_parts", "merged"],
    "parts": ["object_id", "part_category", "match_method", "image_id"],
    "part_evidence": ["status", "why", "part_category", "object_id"],
    "attributes": ["annotation_id", "attribute_type"],
    "questions": ["image_id", "object_id", "block_id", "group_id", "split", "correct_index", "referent", "question_id"],
    "question_masks": ["question_id", "part_category", "part_ids", "phrase"],
    "part_graph": ["part_category", "n_objects", "frequency"],
    "part_categories": ["n_parts"],
}
_PLACES = st.sampled_from([(table, name) for table, columns in _SWAPPED.items() for name in columns])
_CHANGES = st.lists(
    st.tuples(_PLACES, st.integers(0, 2**30), st.integers(0, 2**30), st.sampled_from(["swap", "copy", "drop"])),
    min_size=1,
    max_size=3,
)


def changed(folder: Path, table: str, name: str, one: int, other: int, how: str) -> None:
    """Swaps or copies a value of a column between two rows of a file, or drops a row."""
    paths = sorted((folder / table).rglob("*.parquet"))
    path = paths[one % len(paths)]
    rows = pq.ParquetFile(path).read()
    if rows.num_rows < 2:
        return
    i, j = one % rows.num_rows, other % rows.num_rows
    if how == "drop":
        rows = rows.take([k for k in range(rows.num_rows) if k != i])
    else:
        values = rows[name].to_pylist()
        values[i], values[j] = values[j], values[i] if how == "swap" else values[j]
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, rows.schema.field(place), pa.array(values, rows.schema.field(place).type))
    parquet.write(rows, path, table)


@given(done=_CHANGES)
@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_changes_are_judged_as_everything_is(
    once: Once, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: list[Any]
) -> None:
    monkeypatch.setattr(changes, "MOST", 1.0)
    work = Path(tempfile.mkdtemp(dir=tmp_path))
    staged = Staged.again(validated(once), work)
    for (table, name), one, other, how in done:
        changed(staged.folder, table, name, one, other, how)
    judged_in_both_ways(staged)
    shutil.rmtree(work)


# What is judged


def test_where_nothing_has_changed_only_what_looks_at_everything_is_judged(staged: Staged) -> None:
    with looking(staged) as (subject, since):
        assert since is not None
        assert (since.tables, since.names, since.broken) == (frozenset(), frozenset(), frozenset())
        outcomes = run(subject, since=since)
    judged = {(one.table, one.rule): one.judged for one in outcomes}
    assert {key for key, n in judged.items() if n is None} == {
        key for key, reach in reaches().items() if reach.scope == "whole" and reach.tables is None
    }
    assert sum(n or 0 for n in judged.values()) == 0
    assert broken(outcomes) == {}


def test_a_changed_photograph_is_judged_with_all_that_belongs_to_it_and_its_blocks(staged: Staged) -> None:
    asked = next(row for row in staged.rows("questions") if row["block_id"] and row["split"] == "train")
    row = first(staged.folder, "images", image_id=asked["image_id"])
    damaged(staged.folder, "images", setting(row, source_split="elsewhere"))
    with looking(staged) as (_, since):
        assert since is not None
        assert since.tables == {"images"}
        told = {
            name: set(since.photographs.found(f"SELECT image_id FROM {name}")["image_id"].to_pylist())
            for name in ("images", "objects", "parts", "questions", "splits")
        }
        blocks = set(since.blocks.found("SELECT block_id FROM questions")["block_id"].to_pylist())
    clusters = {one["image_id"]: one["cluster"] for one in staged.rows("splits")}
    alike = {name for name, cluster in clusters.items() if cluster == clusters[row["image_id"]]}
    assert told["images"] == told["splits"] == alike
    assert told["questions"] <= alike
    mine = [one for one in staged.rows("questions") if one["image_id"] in alike]
    assert blocks == {one["block_id"] for one in mine} - {None}
    assert since.rows == {
        "images": len([one for one in staged.rows("images") if one["source"] == row["source"]]),
        "version": 1,
    }


def test_a_name_that_rules_look_at_has_them_judge_everything(staged: Staged) -> None:
    row = first(staged.folder, "part_graph")
    damaged(staged.folder, "part_graph", setting(row, frequency=0.5))
    with looking(staged) as (_, since):
        assert since is not None
        assert (since.tables, since.names) == ({"part_graph"}, frozenset())
    damaged(staged.folder, "part_graph", setting(row | {"frequency": 0.5}, part_category="flux capacitor"))
    with looking(staged) as (subject, since):
        assert since is not None
        assert since.names == {"part_graph"}
        assert since.place(subject, "parts", "pair_in_graph") == (subject, None)
        assert since.place(subject, "parts", "object_exists")[1] == 0


def test_a_rule_that_the_version_before_breaks_is_judged_on_everything(staged: Staged) -> None:
    with looking(staged) as (subject, since):
        assert since is not None
        assert subject.cache is not None
        files = changes.staged_files(subject)
        record = changes.Record(changes.summed(subject.settings, subject.manifest), [("parts", "touches_object")])
        subject.cache.note(changes.content(files), record)
    with looking(staged) as (subject, since):
        assert since is not None
        assert since.place(subject, "parts", "touches_object") == (subject, None)


# Where everything is judged


@pytest.mark.parametrize(
    "given",
    [{"code": "another"}, {"anew": True}, {"drift": 0.1}, {"blind_questions": 1}],
    ids=lambda one: next(iter(one)),
)
def test_another_code_or_setting_has_everything_judged(staged: Staged, given: dict[str, Any]) -> None:
    with looking(staged, **given) as (_, since):
        assert since is None


def test_another_setting_of_the_questions_has_everything_judged(staged: Staged) -> None:
    staged.manifest["config"]["questions"]["min_part_pixels"] += 1
    with looking(staged) as (_, since):
        assert since is None


def test_a_version_that_was_not_validated_is_nothing_to_go_by(staged: Staged) -> None:
    assert staged.findings is not None
    for path in staged.findings.glob("*.json"):
        path.unlink()
    with looking(staged) as (_, since):
        assert since is None


def test_a_record_that_is_damaged_is_none(staged: Staged) -> None:
    assert staged.findings is not None
    for path in staged.findings.glob("*.json"):
        overwritten(path, b'{"given": 1')
    with looking(staged) as (_, since):
        assert since is None


def test_most_photographs_touched_is_everything(staged: Staged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MOST", 0.001)
    damaged(staged.folder, "images", setting(first(staged.folder, "images"), source_split="elsewhere"))
    with looking(staged) as (_, since):
        assert since is None


def test_a_published_file_that_is_not_as_it_was_is_nothing_to_compare_with(staged: Staged, tmp_path: Path) -> None:
    versions = staged.root / "versions"
    real = versions.resolve()
    versions.unlink()
    shutil.copytree(real, versions)
    damaged(staged.folder, "images", setting(first(staged.folder, "images"), source_split="elsewhere"))
    path = current(staged.root) / "images" / _SHARD
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    overwritten(path, bytes(content))
    with looking(staged) as (_, since):
        assert since is None


def test_a_file_that_only_one_reader_can_read_is_left_to_who_judges_everything(
    staged: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = staged.folder / "parts" / _SHARD
    damaged(staged.folder, "parts", setting(first(staged.folder, "parts", source="paco"), ordinal=7))
    _flipped(staged.folder, f"parts/{_SHARD}", "area")
    monkeypatch.setattr(changes, "how_damaged", lambda subject, path: "")
    with looking(staged) as (subject, since):
        assert since is None
        assert ("version", "files_readable") in broken(run(subject))
        assert path in subject.unreadable


def test_links_are_followed_until_there_are_no_more(staged: Staged) -> None:
    """A part of a touched object that says it is in another photograph has that one touched as well."""
    parts = staged.rows("parts")
    one = parts[0]
    other = next(row for row in parts if row["image_id"] != one["image_id"])
    damaged(staged.folder, "parts", setting(other, object_id=one["object_id"]))
    with looking(staged) as (_, since):
        assert since is not None
        images = set(since.photographs.found("SELECT image_id FROM images")["image_id"].to_pylist())
    assert {one["image_id"], other["image_id"]} <= images
    assert set(LINKS) <= set(since.photographs.rows)
