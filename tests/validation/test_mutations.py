"""Damage of every kind, one at a time, to a good version before its checksums are taken: each is named by its rule.

The version follows on one that is the same but for the damage, so that what has changed is judged; `test_changes` has the
same damage, several kinds at a time, judged in both ways.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from partonomy_data.validation import changes
from partonomy_data.validation.job import REPORT, Checked, ValidationError
from partonomy_data.validation.report import MOST_NAMED, Failure, Validation
from partonomy_data.validation.rules.quarantine import BLOCK_RULE
from tests.validation.mutation import Mutation
from tests.validation.mutations_of_answers import OF_ANSWERS
from tests.validation.mutations_of_blocks import OF_BLOCKS
from tests.validation.mutations_of_files import OF_FILES
from tests.validation.mutations_of_questions import OF_QUESTIONS
from tests.validation.mutations_of_tables import OF_TABLES
from tests.validation.staged import Once, Staged, names, validated

MUTATIONS = [one for of in (OF_FILES, OF_TABLES, OF_QUESTIONS, OF_ANSWERS, OF_BLOCKS) for one in of.kinds]


@pytest.fixture
def staged(once: Once, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Staged:
    monkeypatch.setattr(changes, "MOST", 1.0)
    return Staged.again(validated(once), tmp_path)


def test_a_good_version_breaks_no_rule(staged: Staged) -> None:
    checked = staged.validate(blind_questions=20_000)
    assert checked.validation.failures == []
    assert checked.validation.since is None  # another setting: all is judged
    assert checked.manifest == staged.manifest


# Every kind is judged together with others in `test_changes`; by itself, every second of them, and all in the soak.
@pytest.mark.parametrize(
    "mutation",
    [
        pytest.param(one, id=one.name.replace(" ", "-"), marks=[pytest.mark.soak] if n % 2 else [])
        for n, one in enumerate(MUTATIONS)
    ],
)
def test_damage_is_named_by_its_rule(staged: Staged, mutation: Mutation) -> None:
    rows = set(mutation.damage(staged.folder))
    assert rows
    if mutation.outcome == "blocked":
        blocked(staged, mutation, rows)
    elif mutation.outcome == "told":
        checked = staged.validate(**mutation.settings)
        named(mutation, rows, checked.validation.failures)
        by_changes(mutation, checked.validation)
        assert {one.level for one in checked.validation.failures} == {"warning"}
    else:
        quarantined(staged, mutation, rows)


def blocked(staged: Staged, mutation: Mutation, rows: set[str]) -> None:
    """Nothing may be published, nothing has gone to quarantine, and the report says why."""
    before = [staged.rows("questions"), staged.rows("quarantine")] if mutation.suite != "version" else []
    with pytest.raises(ValidationError) as raised:
        staged.validate(**mutation.settings)
    came_to = raised.value.validation
    named(mutation, rows, came_to.failures)
    by_changes(mutation, came_to)
    assert not came_to.success
    assert came_to.blocking
    assert not before or [staged.rows("questions"), staged.rows("quarantine")] == before
    told = json.loads((staged.root / "runs" / "one" / "validation" / REPORT).read_text())
    assert {(one["table"], one["rule"]) for one in told["failures"]} == {
        (one.table, one.rule) for one in came_to.failures
    }


def by_changes(mutation: Mutation, came_to: Validation) -> None:
    """What has changed was judged, unless a file can't be read, or another setting is in force."""
    assert (came_to.since is None) is (mutation.rule == "files_readable" or bool(mutation.settings))


def named(mutation: Mutation, rows: set[str], failures: list[Failure]) -> None:
    """The rule names the rows, and no others."""
    found = {(one.table, one.rule): one for one in failures}
    assert (mutation.suite, mutation.rule) in found, sorted(found)
    told = found[mutation.suite, mutation.rule]
    if mutation.among_others:
        assert rows <= set(told.rows)
        return
    assert told.n == len(rows), (told.rows, told.reasons)
    assert set(told.rows) == rows if len(rows) <= MOST_NAMED else set(told.rows) < rows


def quarantined(staged: Staged, mutation: Mutation, rows: set[str]) -> None:
    """The questions are in quarantine for that rule, with all of their blocks, and nothing else is."""
    asked = {row["question_id"]: row for row in staged.rows("questions")}
    rejected = Counter(row["table_name"] for row in staged.rows("quarantine"))
    checked = staged.validate(**mutation.settings)
    by_changes(mutation, checked.validation)
    in_quarantine = {row["row_id"]: row for row in staged.rows("quarantine") if row["table_name"] == "questions"}
    for name in rows:
        told = in_quarantine[name]
        assert mutation.rule in (told["rule"], *told["reason"].rpartition("; it also breaks ")[2].split(", ")), told
    own = {name for name, row in in_quarantine.items() if row["rule"] != BLOCK_RULE}
    blocks = {asked[name]["block_id"] for name in in_quarantine} - {None}
    assert {name for name, row in asked.items() if row["block_id"] in blocks} | own == set(in_quarantine)
    left = names(staged.rows("questions"))
    assert left == asked.keys() - in_quarantine.keys()
    assert {row["question_id"] for row in staged.rows("question_masks")} <= left
    conserved(staged, checked, rejected, len(in_quarantine))


def conserved(staged: Staged, checked: Checked, before: Counter[str], n: int) -> None:
    """The manifest accounts for what has gone, and the version is good without it."""
    assert checked.validation.failures == []
    assert checked.validation.quarantined == n
    assert Counter(row["table_name"] for row in staged.rows("quarantine")) == before + Counter(questions=n)
    said = checked.manifest["questions"]
    assert (said["questions"], said["quarantined"]) == (staged.manifest["questions"]["questions"] - n, n)
    counts = [tables["questions"] for tables in checked.manifest["counts"].values() if "questions" in tables]
    assert sum(one["quarantined"] for one in counts) == n
    assert all(one["read"] + one["derived"] == one["out"] + one["quarantined"] for one in counts)
