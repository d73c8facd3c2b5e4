"""What can be answered blind: on which questions it is tried, and what gives them away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from partonomy_data.validation.rules import blind
from tests.validation.asking import lists_of, right_of, written
from tests.validation.damage import damaged
from tests.validation.staged import Once, Row, Staged, edited, names, questions, two_sources_in_few_files

#: Each takes about a second: a campaign of their own, beside the mutation test of all rules.
pytestmark = pytest.mark.soak


@pytest.fixture
def staged(once: Once, tmp_path: Path) -> Staged:
    found = Staged.of(two_sources_in_few_files(once), tmp_path)
    found.settings = {"data_docs": False}
    return found


def attackers(staged: Staged) -> dict[str, str | None]:
    """Attackers that are right more often than chance, and how often."""
    return staged.found(blind.CHECKS).get(("version", "blind_accuracy_is_chance"), {})


def rewritten(staged: Staged, write: Callable[[Row], Row]) -> None:
    """Writes the balanced questions anew."""
    new = {row["question_id"]: write(row) for row in questions(staged.folder, balanced=True)}
    edited(staged.folder, "questions", "question_id", new)


def given_away(staged: Staged) -> None:
    """Makes wrong choices of the right one, by adding a part."""
    every = sorted({part for row in questions(staged.folder) for parts in lists_of(row) for part in parts})

    def write(row: Row) -> Row:
        own = right_of(row)["parts"]
        others = [part for part in every if part not in own][: len(row["choices"]) - 1]
        lists = [[*own, other] for other in others]
        lists.insert(row["correct_index"], own)
        return written(row, lists, row["correct_index"])

    rewritten(staged, write)


def test_good_questions_cannot_be_answered_blind(staged: Staged) -> None:
    assert attackers(staged) == {}


def test_an_attacker_is_named_with_what_it_comes_to(staged: Staged) -> None:
    given_away(staged)
    found = attackers(staged)
    n = len(list(questions(staged.folder, balanced=True)))
    assert str(found["most_similar"]).startswith("right in ")
    assert f"of {n} balanced questions; chance is " in str(found["most_similar"])


def test_the_longest_choice_is_right(staged: Staged) -> None:
    """Every question by itself keeps to all rules; only all together give the answer away."""

    def write(row: Row) -> Row:
        lists, own = lists_of(row), right_of(row)["parts"]
        longer = [f"{part} and more" for part in own]
        lists[row["correct_index"]] = [*own, *longer]
        return written(row, lists, row["correct_index"])

    rewritten(staged, write)
    assert {"largest", "longest_text"} & attackers(staged).keys()


def test_none_are_tried_where_none_are_wanted_or_there_are_none(staged: Staged) -> None:
    given_away(staged)
    staged.settings = {"data_docs": False, "blind_questions": 0}
    assert attackers(staged) == {}
    staged.settings = {"data_docs": False}
    damaged(staged.folder, "questions", lambda rows: rows.set_column(_at(rows), "balanced", [[False] * len(rows)]))
    assert attackers(staged) == {}


def _at(rows: pa.Table) -> int:
    return int(rows.schema.get_field_index("balanced"))


@pytest.mark.parametrize("most", [60, 100, 200])
def test_a_sample_is_of_whole_groups(staged: Staged, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """What the questions of a photograph say together is what gives it away."""
    drawn: list[pa.Table] = []
    monkeypatch.setattr(blind, "_attacked", lambda subject, rows: drawn.append(rows) or {})
    staged.settings = {"data_docs": False, "blind_questions": most}
    assert attackers(staged) == {}
    rows = drawn[0].to_pylist() if drawn else []
    groups = {row["group_id"] for row in rows}
    every = list(questions(staged.folder, balanced=True))
    assert names(rows) == names([row for row in every if row["group_id"] in groups])
    assert 0 < len(rows) < len(every)
    digits = sorted({row["group_id"][4:] for row in every})
    assert sorted(group[4:] for group in groups) == digits[: len(groups)]


def test_all_are_tried_where_there_are_no_more(staged: Staged, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[pa.Table] = []
    monkeypatch.setattr(blind, "_attacked", lambda subject, rows: drawn.append(rows) or {})
    attackers(staged)
    assert names(drawn[0].to_pylist()) == names(list(questions(staged.folder, balanced=True)))


def test_what_was_written_to_try_is_gone(staged: Staged) -> None:
    attackers(staged)
    assert list((staged.root / "spill").glob("*.parquet")) == []
