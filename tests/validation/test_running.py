"""Running the checks: every rule once, in order; files that turn out to be damaged; what is tolerated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.validation import running
from partonomy_data.validation.rules import Check, checks
from partonomy_data.validation.running import FOUND, Outcome, run
from partonomy_data.validation.subject import Subject
from partonomy_data.validation.suites import suites
from tests.validation.mutations_of_files import _flipped
from tests.validation.reported import outcome
from tests.validation.staged import Once, Staged, overwritten, two_sources_in_few_files

_SHARD = "source=paco/000-of-001.parquet"


@pytest.fixture
def staged(once: Once, tmp_path: Path) -> Staged:
    return Staged.of(two_sources_in_few_files(once), tmp_path)


def failed(outcomes: list[Outcome]) -> dict[str, Outcome]:
    return {f"{one.table}.{one.rule}": one for one in outcomes if one.failed}


# Which rules


def test_every_rule_is_checked_once_in_the_order_of_the_suites(staged: Staged) -> None:
    told: list[int] = []
    with staged.open() as subject:
        outcomes = run(subject, lambda: told.append(1))
    expected = [(name, one.rule) for name, suite in suites().items() for one in suite.expectations]
    assert [(one.table, one.rule) for one in outcomes] == expected
    assert len(told) == len(expected)
    assert failed(outcomes) == {}
    checked = {one.table: one.checked for one in outcomes}
    assert checked == {**subject.rows, "version": 1}


def test_what_is_kept_is_not_checked_again(staged: Staged, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [outcome("parts", "key_unique", 7, ["prt_1"]), outcome("version", "files_belong", 1)]
    looked_at: list[str] = []
    monkeypatch.setattr(running, "_found", lambda subject, check: looked_at.append("") or FOUND.empty_table())
    with staged.open() as subject:
        outcomes = run(subject, kept=kept)
    assert len(looked_at) == len(outcomes) - 2
    assert [one for one in outcomes if one in kept] == kept


# Damaged files


@pytest.mark.parametrize(
    ("table", "column"),
    [("images", "width"), ("objects", "mask.counts"), ("parts", "object_id"), ("attributes", "attribute")],
)
def test_a_file_that_is_damaged_within_is_left_out_and_named(staged: Staged, table: str, column: str) -> None:
    name = f"{table}/{_SHARD}"
    _flipped(staged.folder, name, column)
    with staged.open() as subject:
        assert not subject.unreadable
        outcomes = run(subject)
        assert subject.unreadable.keys() == {staged.folder / name}
        assert staged.folder / name not in subject.files[table]
    assert len(outcomes) == sum(len(suite.expectations) for suite in suites().values())
    told = failed(outcomes)["version.files_readable"]
    assert told.found["row"].to_pylist() == [name]
    assert str(told.found["reason"][0].as_py()).startswith("it is damaged (")
    # The rule that came upon it can't say which rows keep it; the next ones look at the other files.
    halted = [key for key, one in failed(outcomes).items() if one.found["row"].to_pylist() == ["all rows"]]
    assert len(halted) <= 1


def test_two_files_that_are_damaged_are_both_named(staged: Staged) -> None:
    names = [f"images/{_SHARD}", f"parts/{_SHARD}"]
    for name, column in zip(names, ("height", "area"), strict=True):
        _flipped(staged.folder, name, column)
    with staged.open() as subject:
        told = failed(run(subject))["version.files_readable"]
    assert told.found["row"].to_pylist() == names


def test_a_column_that_no_rule_reads_is_read(staged: Staged) -> None:
    name = next((staged.folder / "questions").rglob("*.parquet"))
    _flipped(staged.folder, name.relative_to(staged.folder).as_posix(), "generator_version")
    with staged.open() as subject:
        assert set(failed(run(subject))) == {"version.files_readable"}


@pytest.mark.parametrize("at", [0.1, 0.5, *(pytest.param(at, marks=pytest.mark.soak) for at in (0.3, 0.7, 0.9))])
@pytest.mark.parametrize("table", ["objects", "part_graph"])
def test_bytes_that_are_flipped_anywhere_end_no_validation(staged: Staged, table: str, at: float) -> None:
    """They are found, or are of no consequence: in what Parquet says of a column beside its values, say."""
    path = next((staged.folder / table).rglob("*.parquet"))
    before = pq.ParquetFile(path).read()
    content = bytearray(path.read_bytes())
    place = int(len(content) * at)
    content[place : place + 16] = bytes(byte ^ 0x5A for byte in content[place : place + 16])
    overwritten(path, bytes(content))
    with staged.open() as subject:
        broken = failed(run(subject))
    assert broken or pq.ParquetFile(path).read().equals(before)


def _raising(error: Exception) -> Callable[[Subject], pa.Table]:
    def check(subject: Subject) -> pa.Table:
        raise error

    return check


@pytest.mark.parametrize("error", [duckdb.Error("no memory"), OSError("no space"), pa.ArrowInvalid("odd")])
def test_an_error_that_no_file_is_to_blame_for_is_raised(
    staged: Staged, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    known: Mapping[tuple[str, str], Check] = {**checks(), ("images", "size_positive"): _raising(error)}
    monkeypatch.setattr(running, "checks", lambda: known)
    with staged.open() as subject, pytest.raises(type(error), match=str(error)):
        run(subject)


def test_an_error_without_a_message_is_told_by_its_kind() -> None:
    assert running.first_line(OSError()) == "OSError"
    assert running.first_line(OSError("one\ntwo")) == "one"


# What a check finds


def oracle(rows: list[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
    reasons: dict[str, list[str]] = {}
    for row, reason in rows:
        reasons.setdefault(row, []).extend([reason] if reason is not None else [])
    return [(row, min(reasons[row], default=None)) for row in sorted(reasons)]


_NAMES = st.sampled_from(["", "a", "b", "é", "\u0000", "a / b"])


@given(st.lists(st.tuples(_NAMES, st.one_of(st.none(), _NAMES)), max_size=20))
def test_each_row_is_named_once_in_order_with_the_first_of_its_reasons(rows: list[tuple[str, str | None]]) -> None:
    found = pa.table({"row": [row for row, _ in rows], "reason": [reason for _, reason in rows]}, schema=FOUND)
    told = running._in_order(found)
    assert told.schema == FOUND
    assert list(zip(told["row"].to_pylist(), told["reason"].to_pylist(), strict=True)) == oracle(rows)


def test_rows_without_reasons_and_of_other_types_of_text(tmp_path: Path) -> None:
    found = running._in_order(pa.table({"row": pa.array(["b", "a", "b"], pa.large_string())}))
    assert found.to_pylist() == [{"row": "a", "reason": None}, {"row": "b", "reason": None}]
    assert running._in_order(pa.table({"row": pa.array([], pa.large_string())})).schema == FOUND


# What is tolerated


@pytest.mark.parametrize(
    ("checked", "failed", "mostly", "within"),
    [
        (100, 1, 0.99, True),
        (100, 2, 0.99, False),
        (99, 1, 0.99, False),
        (10, 1, 0.9, True),
        (0, 0, 1.0, True),
        (5, 0, 1.0, True),
        (5, 1, 1.0, False),
        # More rows than there are files that could be read.
        (0, 3, 0.99, False),
    ],
)
def test_no_more_rows_break_a_rule_than_may(checked: int, failed: int, mostly: float, within: bool) -> None:
    one = outcome("questions", "chance", checked, [f"qst_{i}" for i in range(failed)], level="row", mostly=mostly)
    assert one.within is within


def test_a_version_counts_as_one_unit_or_those_that_break_the_rule(staged: Staged) -> None:
    for name in ("one.txt", "two.txt"):
        (staged.folder / name).write_text("")
    with staged.open() as subject:
        told = failed(run(subject))["version.files_belong"]
    assert (told.checked, told.failed) == (2, 2)
    assert pq.read_metadata(staged.folder / "splits" / "splits.parquet").num_rows
