"""Questions that break a rule leave with all that are asked together; nothing is lost, and nothing else is touched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from partonomy_data.store import parquet
from partonomy_data.validation import quarantining
from partonomy_data.validation.job import ValidationError
from partonomy_data.validation.quarantining import Gone, helps, quarantine, without
from partonomy_data.validation.rules.quarantine import BLOCK_RULE
from partonomy_data.validation.running import Outcome
from tests.validation.damage import read
from tests.validation.reported import outcome
from tests.validation.staged import Once, Row, Staged, block_of, edited, names, questions, two_sources_in_few_files


@pytest.fixture
def staged(once: Once, tmp_path: Path) -> Staged:
    return Staged.of(two_sources_in_few_files(once), tmp_path)


def alone(staged: Staged, n: int = 1) -> list[Row]:
    """Questions in no block."""
    return [row for row, _ in zip(questions(staged.folder, block_id=None), range(n), strict=False)]


def breaking(rule: str, rows: list[Row], reason: str | None = "it is wrong") -> Outcome:
    """A rule of level `row` that these questions break."""
    return outcome("questions", rule, 1000, sorted(names(rows)), level="row", mostly=0.99, reason=reason)


def moved(staged: Staged, *outcomes: Outcome) -> Gone:
    """Moves the questions that break these rules."""
    with staged.open() as subject:
        return quarantine(subject, outcomes)


def in_quarantine(staged: Staged) -> dict[str, Row]:
    """The questions in quarantine."""
    return {row["row_id"]: row for row in staged.rows("quarantine") if row["table_name"] == "questions"}


# Who leaves


def test_a_question_in_no_block_leaves_by_itself(staged: Staged) -> None:
    (row,) = alone(staged)
    gone = moved(staged, breaking("choices_differ", [row]))
    assert (gone.n, gone.rules) == (1, {row["source"]: {"choices_differ": 1}})
    assert in_quarantine(staged).keys() == {row["question_id"]}
    assert row["question_id"] not in names(list(questions(staged.folder)))


def test_a_block_leaves_as_a_whole(staged: Staged) -> None:
    row = next(questions(staged.folder, balanced=True, split="train"))
    block = block_of(staged.folder, row)
    gone = moved(staged, breaking("choices_differ", [row]))
    assert gone.rules == {row["source"]: {"choices_differ": 1, BLOCK_RULE: len(block) - 1}}
    told = in_quarantine(staged)
    assert told.keys() == names(block)
    assert told[row["question_id"]]["rule"] == "choices_differ"
    other = told[block[-1]["question_id"]]
    assert (other["rule"], row["block_id"] in other["reason"]) == (BLOCK_RULE, True)
    assert not list(questions(staged.folder, block_id=row["block_id"]))


def test_the_blocks_of_a_unit_that_ask_the_same_leave_together_and_no_others(staged: Staged) -> None:
    """Groups of sibling categories share an object question: one of them less, and it can be answered blind."""
    group, other = _as_a_unit(staged)
    same = [row for row in group + other if row["question_type"] == "part_to_whole"]
    moved(staged, breaking("choices_differ", [next(row for row in group if row["question_type"] == "part_to_whole")]))
    assert in_quarantine(staged).keys() == names(same)
    assert len({row["block_id"] for row in same}) == 2
    assert names(group + other) - names(same) <= names(list(questions(staged.folder)))


def _as_a_unit(staged: Staged) -> tuple[list[Row], list[Row]]:
    """The questions of two groups, which get ids as those that are asked together have."""
    first = next(questions(staged.folder, balanced=True, split="train", question_type="part_to_whole"))
    second = next(
        row
        for row in questions(staged.folder, balanced=True, split="train", question_type="part_to_whole")
        if row["group_id"] != first["group_id"]
    )
    unit, other = first["question_id"][:16], second["question_id"][:16]
    ids = {name: unit + name[16:] for name in names(list(questions(staged.folder))) if name.startswith(other)}
    for table in ("questions", "question_masks"):
        edited(staged.folder, table, "question_id", {name: {"question_id": new} for name, new in ids.items()})
    groups = (list(questions(staged.folder, group_id=row["group_id"])) for row in (first, second))
    return next(groups), next(groups)


def test_a_unit_whose_questions_contrast_differently_stays(staged: Staged) -> None:
    kinds = {"split": "train", "balanced": True, "question_type": "difference"}
    asked = list(questions(staged.folder, **kinds))
    row = next(
        one
        for one in asked
        if len({tuple(other["contrast_categories"]) for other in asked if _unit(other) == _unit(one)}) > 1
    )
    moved(staged, breaking("choices_differ", [row]))
    assert in_quarantine(staged).keys() == names(block_of_rows(asked, row))


def _unit(row: Row) -> str:
    return str(row["question_id"][:16])


def block_of_rows(rows: list[Row], row: Row) -> list[Row]:
    return [one for one in rows if one["block_id"] == row["block_id"]]


# What is told of them


def test_a_row_of_quarantine_holds_the_whole_question(staged: Staged) -> None:
    row = next(questions(staged.folder, balanced=True, question_type="part_to_whole"))
    moved(staged, breaking("choices_differ", [row]))
    told = in_quarantine(staged)[row["question_id"]]
    kept = json.loads(told["row"])
    assert kept.pop("chance") == pytest.approx(row["chance"])
    assert kept.pop("region") == (row["region"] and pytest.approx(row["region"]))
    assert kept == {name: value for name, value in row.items() if name not in ("chance", "region")}
    assert told["repairs"] == []


def test_the_first_rule_of_the_suite_is_told_with_its_reason_and_then_the_others(staged: Staged) -> None:
    one, other = alone(staged, 2)
    moved(
        staged,
        breaking("one_correct_choice", [one], "two are right"),
        breaking("choices_differ", [one, other], None),
        breaking("answer_is_complete", [one], "it leaves out the wheel"),
    )
    told = in_quarantine(staged)
    first = told[one["question_id"]]
    assert first["rule"] == "one_correct_choice"
    assert first["reason"] == "two are right; it also breaks choices_differ, answer_is_complete"
    # Where a rule says nothing of a row, what should hold is told.
    assert told[other["question_id"]]["reason"] == "It holds."


def test_rows_are_in_order_and_the_same_bytes_every_time(once: Once, tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        staged = Staged.of(two_sources_in_few_files(once), tmp_path / name)
        rows = [*alone(staged, 4), next(questions(staged.folder, balanced=True, split="train"))]
        moved(staged, breaking("choices_differ", rows if name == "one" else rows[::-1]))
        files = sorted((staged.folder / "quarantine").rglob("questions.parquet"))
        assert [path.parent.name for path in files] == sorted({f"source={row['source']}" for row in rows})
        for path in files:
            ids = [
                row["row_id"]
                for row in read(path.parents[1], path.parent.name).to_pylist()
                if row["table_name"] == "questions"
            ]
            assert ids == sorted(ids)
        every = sorted(path for path in staged.folder.rglob("*.parquet"))
        digests.append({path.relative_to(staged.folder): hashlib.sha256(path.read_bytes()).digest() for path in every})
    assert digests[0] == digests[1]


# Files


def test_files_that_hold_none_of_them_stay_the_same_file_and_links_keep_what_they_were(
    staged: Staged, once: Once
) -> None:
    def state(folder: Path) -> dict[str, tuple[int, bytes]]:
        files = sorted(folder.rglob("*.parquet"))
        return {str(path.relative_to(folder)): (path.stat().st_ino, path.read_bytes()) for path in files}

    published = two_sources_in_few_files(once)
    (row,) = alone(staged)
    before, linked = state(staged.folder), state(published)
    moved(staged, breaking("choices_differ", [row]))
    after = state(staged.folder)
    assert state(published) == linked
    changed = {name for name in before if after.get(name) != before[name]}
    holding = f"split={row['split']}/source={row['source']}/"
    assert {name.split("/")[0] for name in changed} == {"questions", "question_masks"}
    assert all(holding in name for name in changed)
    assert len(changed) == 2
    assert after.keys() - before.keys() == {f"quarantine/source={row['source']}/questions.parquet"}


def test_a_file_without_any_rows_left_goes_with_its_folders(staged: Staged) -> None:
    """`README.md` lists the splits by their folders."""
    rows = list(questions(staged.folder, split="test"))
    moved(staged, breaking("choices_differ", rows))
    assert not (staged.folder / "questions" / "split=test").exists()
    assert not (staged.folder / "question_masks" / "split=test").exists()
    assert (staged.folder / "questions" / "split=train").is_dir()


def test_files_of_several_row_groups_keep_all_other_rows(staged: Staged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROWS_PER_GROUP", 7)
    rows = alone(staged, 3)
    before = list(questions(staged.folder))
    moved(staged, breaking("choices_differ", rows))
    assert list(questions(staged.folder)) == [row for row in before if row["question_id"] not in names(rows)]


# Counts


def test_the_manifest_counts_them_by_source_and_rule(staged: Staged) -> None:
    row = next(questions(staged.folder, balanced=True, split="test"))
    block = block_of(staged.folder, row)
    n_of_source = len(list(questions(staged.folder, source=row["source"])))
    gone = moved(staged, breaking("choices_differ", [row]))
    said = without(staged.manifest, gone)
    n = len(block)
    assert said["counts"][row["source"]]["questions"] == {
        "read": 0,
        "in": 0,
        "derived": n_of_source,
        "out": n_of_source - n,
        "quarantined": n,
    }
    others = {source: tables for source, tables in said["counts"].items() if source != row["source"]}
    assert others == {source: staged.manifest["counts"][source] for source in others}
    rules = dict(said["rules"][row["source"]])
    assert (rules.pop("choices_differ"), rules.pop(BLOCK_RULE)) == (1, n - 1)
    assert rules == staged.manifest["rules"][row["source"]]
    assert said["questions"]["questions"] == staged.manifest["questions"]["questions"] - n
    assert staged.manifest["questions"].get("quarantined") is None
    _covers(staged, said)


def _covers(staged: Staged, said: Mapping[str, Any]) -> None:
    """Coverage counts the objects with a balanced question that are left."""
    for row in said["questions"]["coverage"]:
        wanted = {name: row[name] for name in ("source", "split", "question_type")}
        left = {one["object_id"] for one in questions(staged.folder, balanced=True, **wanted)}
        assert row["balanced"] == len(left)


def test_a_manifest_that_says_nothing_of_counts_is_no_obstacle() -> None:
    gone = Gone({"paco": {"choices_differ": 2}}, {}, {})
    said = without({}, gone)
    assert said["counts"]["paco"]["questions"]["quarantined"] == 2
    assert said["rules"] == {"paco": {"choices_differ": 2}}


# When


def test_as_many_as_are_tolerated_go_and_one_more_blocks(staged: Staged) -> None:
    n = len(list(questions(staged.folder))) // 100
    rows = alone(staged, n + 1)
    edited(staged.folder, "questions", "question_id", {row["question_id"]: {"chance": 0.9} for row in rows})
    before = staged.rows("questions")
    with pytest.raises(ValidationError, match=r"chance_is_of_choices: 6 rows"):
        staged.validate()
    assert staged.rows("questions") == before
    assert not in_quarantine(staged)
    edited(staged.folder, "questions", "question_id", {rows[-1]["question_id"]: {"chance": rows[-1]["chance"]}})
    checked = staged.validate()
    assert checked.validation.quarantined == n == len(in_quarantine(staged))


def test_nothing_goes_where_something_else_blocks(staged: Staged) -> None:
    (row,) = alone(staged)
    edited(staged.folder, "questions", "question_id", {row["question_id"]: {"chance": 0.9}})
    (staged.folder / "notes.txt").write_text("")
    with pytest.raises(ValidationError, match="files_belong"):
        staged.validate()
    assert not in_quarantine(staged)


@pytest.mark.parametrize("rule", sorted(rule for _, rule in quarantining._OF_MANY))
def test_what_one_question_breaks_for_many_is_judged_by_what_is_left(rule: str) -> None:
    table = "version" if ("version", rule) in quarantining._OF_MANY else "questions"
    row = outcome("questions", "choices_differ", 1000, ["qst_1"], level="row", mostly=0.99)
    many = outcome(table, rule, 1, ["all of them"])
    assert helps([row, many])
    assert not helps([many])
    assert not helps([row, many, outcome("parts", "key_unique", 10, ["prt_1"])])
    assert not helps([outcome("questions", "choices_differ", 50, ["qst_1"], level="row", mostly=0.99), many])


def test_nothing_goes_where_no_question_breaks_a_rule() -> None:
    assert not helps([])
    assert not helps([outcome("parts", "touches_object", 10, ["prt_1"], level="warning")])
