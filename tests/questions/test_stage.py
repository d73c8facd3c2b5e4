"""The stage as a whole, on the tables of the demo store: what it depends on, and what it keeps."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import partonomy_data
from partonomy_data.errors import UsageError
from partonomy_data.pipeline.workers import InProcess
from partonomy_data.questions import QuestionSettings, generate
from partonomy_data.questions.stage import Generated

QUESTIONS = ("questions", "question_masks", "splits")


@pytest.fixture
def tables(demo_store: Path) -> Path:
    """The folder of a version's tables."""
    with partonomy_data.open(demo_store) as store:
        return store.folder


def _made(tables: Path, folder: Path, settings: QuestionSettings, executor: object | None = None) -> Generated:
    return generate(tables, folder / "made", settings, work=folder / "work", executor=executor or InProcess())


def _files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*.parquet"))}


def _published(tables: Path) -> dict[str, bytes]:
    """What the build published, in one process."""
    return {
        path: content for path, content in _files(tables).items() if path.startswith(tuple(f"{n}/" for n in QUESTIONS))
    }


def test_several_processes_give_the_same_bytes(tables: Path, tmp_path: Path) -> None:
    with ProcessPoolExecutor(2) as executor:
        _made(tables, tmp_path, QuestionSettings(), executor)
    assert _files(tmp_path / "made") == _published(tables)


def test_it_gives_what_the_build_published_and_a_second_run_makes_no_shard_again(tables: Path, tmp_path: Path) -> None:
    first = _made(tables, tmp_path, QuestionSettings())
    assert _files(tmp_path / "made") == _published(tables)
    assert first.n_questions == sum(
        len(pq.read_table(p, columns=["question_id"])) for p in first.files if "questions" in p.parts
    )
    before = {p.name: p.stat().st_ino for p in (tmp_path / "work" / "shards").iterdir()}
    second = _made(tables, tmp_path, QuestionSettings())
    assert {p.name: p.stat().st_ino for p in (tmp_path / "work" / "shards").iterdir()} == before
    assert second == first


def test_fewer_types_leave_the_questions_of_the_others_as_they_are(tables: Path, tmp_path: Path) -> None:
    _made(tables, tmp_path, QuestionSettings(types=("difference", "whole_to_part")))

    def rows(folder: Path) -> list[dict[str, object]]:
        found = pq.read_table(folder / "questions", partitioning=None).to_pylist()
        wanted = [row for row in found if row["question_type"] in ("difference", "whole_to_part")]
        return sorted(wanted, key=lambda row: str(row["question_id"]))

    few = rows(tmp_path / "made")
    assert few == rows(tables)
    assert {row["question_type"] for row in few} == {"difference", "whole_to_part"}


def test_no_object_is_asked_more_than_it_may_be(tables: Path, tmp_path: Path) -> None:
    _made(tables, tmp_path, QuestionSettings(max_questions=2))
    asked = pq.read_table(tmp_path / "made" / "questions", columns=["object_id"], partitioning=None)["object_id"]
    counts = [row["counts"] for row in asked.value_counts().to_pylist()]
    assert max(counts) == 2


def test_ids_of_questions_are_unique(tables: Path) -> None:
    ids = pq.read_table(tables / "questions", columns=["question_id"], partitioning=None)["question_id"].to_pylist()
    assert len(set(ids)) == len(ids)


def test_edits_turn_the_right_list_into_the_wrong_one(tables: Path) -> None:
    rows = pq.read_table(tables / "questions", partitioning=None).to_pylist()
    assert rows
    for row in rows:
        right = set(row["choices"][row["correct_index"]]["parts"])
        for choice in row["choices"]:
            found = set(right)
            for edit in choice["edits"]:
                if edit["op"] in ("delete", "replace"):
                    found.remove(edit["part"])
                if edit["op"] in ("add", "replace"):
                    found.add(edit["part"] if edit["op"] == "add" else edit["replacement"])
            assert found == set(choice["parts"])
            assert choice["is_correct"] == (found == right)


def test_a_unit_of_several_categories_offers_them_and_compares_with_none_of_them(tables: Path) -> None:
    rows = pq.read_table(tables / "questions", partitioning=None).to_pylist()
    offered: dict[str, set[str]] = {}
    for row in rows:
        for choice in row["object_choices"] or ():
            offered.setdefault(row["group_id"], set()).add(choice["object_category"])
    for row in rows:
        assert offered.get(row["group_id"], set()).isdisjoint(row["contrast_categories"])


@pytest.mark.parametrize(
    "settings",
    [
        QuestionSettings(types=("riddle",)),
        QuestionSettings(choices=2),
        QuestionSettings(min_part_pixels=0),
        QuestionSettings(max_questions=0),
    ],
)
def test_settings_that_can_not_be_are_refused(settings: QuestionSettings, tables: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        _made(tables, tmp_path, settings)
