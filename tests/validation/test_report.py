"""What a validation came to, for machines and in words."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec
import pytest

from partonomy_data.validation.report import MOST_NAMED, Failure, Validation, validation
from partonomy_data.validation.running import Outcome
from tests.validation.reported import HOSTILE, outcome


def failure(
    rule: str, *rows: str, level: str = "critical", reason: str | None = None, tolerated: bool = False
) -> Failure:
    return Failure(rule, "parts", level, "It holds.", len(rows), list(rows), [reason] * len(rows), tolerated)


def came_to(*outcomes: Outcome) -> Validation:
    return validation(outcomes, {"parts": 10})


# Lines


@pytest.mark.parametrize(
    ("rows", "reason", "line"),
    [
        (["a"], None, "parts.whole: 1 row: a"),
        (["a", "b"], "it is cut", "parts.whole: 2 rows: a, b (it is cut)"),
        (["a", "b", "c"], None, "parts.whole: 3 rows: a, b, c"),
        (["a", "b", "c", "d"], None, "parts.whole: 4 rows: a, b, c, …"),
        ([str(i) for i in range(1200)], None, "parts.whole: 1,200 rows: 0, 1, 2, …"),
    ],
)
def test_a_failure_on_a_line(rows: list[str], reason: str | None, line: str) -> None:
    assert failure("whole", *rows, reason=reason).line() == line


@pytest.mark.parametrize("name", [*HOSTILE, "x" * 5000, "\u2028", "\x1b[31m"])
def test_a_failure_is_one_line_whatever_its_rows_are_called(name: str) -> None:
    line = failure("whole", name, reason=name).line()
    assert line.isprintable()
    assert len(line) < 1500


# What it comes to


def test_rules_that_are_kept_are_no_failures() -> None:
    made = came_to(outcome("parts", "whole", 10))
    assert (made.success, made.failures, made.rules, made.blocking, made.warnings) == (True, [], 1, [], [])


@pytest.mark.parametrize("level", ["critical", "row"])
def test_a_broken_rule_that_matters_is_no_success(level: str) -> None:
    made = came_to(outcome("parts", "whole", 10, ["a"], level=level))  # type: ignore[arg-type]
    assert not made.success
    assert [one.rule for one in made.blocking] == ["whole"]


def test_a_row_rule_within_what_is_tolerated_blocks_nothing_but_is_no_success_either() -> None:
    """Those rows go to quarantine, and the rules are looked at again; of a published version it is an error."""
    made = came_to(outcome("questions", "whole", 100, ["a"], level="row", mostly=0.99))
    assert (made.success, made.blocking, [one.tolerated for one in made.failures]) == (False, [], [True])


def test_a_warning_is_told_beyond_what_is_tolerated_and_is_a_success() -> None:
    told = outcome("parts", "inside", 100, ["a", "b"], level="warning", mostly=0.99)
    silent = outcome("parts", "near", 100, ["a"], level="warning", mostly=0.99)
    made = came_to(told, silent)
    assert made.success
    assert [one.rule for one in made.failures] == [one.rule for one in made.warnings] == ["inside"]
    assert made.blocking == []


def test_some_rows_are_named_and_all_are_counted() -> None:
    rows = [f"prt_{i:03}" for i in range(3 * MOST_NAMED)]
    (one,) = came_to(outcome("parts", "whole", 100, rows, reason="cut")).failures
    assert (one.n, one.rows, one.reasons) == (len(rows), rows[:MOST_NAMED], ["cut"] * MOST_NAMED)


# In words


def test_an_error_tells_three_rules_and_how_many_more() -> None:
    made = came_to(*(outcome("parts", f"rule_{i}", 10, ["a"]) for i in range(5)))
    assert made.told() == ("parts.rule_0: 1 row: a; parts.rule_1: 1 row: a; parts.rule_2: 1 row: a; and 2 more rules")
    assert came_to(*(outcome("parts", f"rule_{i}", 10, ["a"]) for i in range(3))).told().count(";") == 2


def test_what_others_follow_from_is_told_first() -> None:
    made = came_to(
        *(outcome("parts", f"rule_{i}", 10, ["a"]) for i in range(5)),
        outcome("version", "files_readable", 1, ["parts/a.parquet"]),
    )
    assert made.told().startswith("version.files_readable: 1 row: parts/a.parquet; parts.rule_0: ")


def test_what_is_tolerated_and_what_is_only_told_does_not_block() -> None:
    made = came_to(
        outcome("questions", "whole", 100, ["a"], level="row", mostly=0.99),
        outcome("parts", "near", 10, ["a"], level="warning"),
        outcome("parts", "sound", 10, ["a"]),
    )
    assert made.told() == "parts.sound: 1 row: a"


def test_the_text_has_a_line_for_each_broken_rule_the_worst_first() -> None:
    made = came_to(
        outcome("parts", "near", 10, ["a"], level="warning"),
        outcome("questions", "whole", 10, ["b"], level="row"),
        outcome("parts", "sound", 10, ["c"]),
        outcome("parts", "known", 10),
    )
    assert made.text().splitlines() == [
        "1 of 4 rules are kept by 10 rows",
        "critical  parts.sound: 1 row: c",
        "row       questions.whole: 1 row: b",
        "warning   parts.near: 1 row: a",
    ]


def test_it_tells_of_each_rule_at_how_many_rows_it_looked_unless_at_all() -> None:
    some = [replace(outcome("parts", rule, 10), judged=n) for rule, n in (("near", 0), ("sound", 3))]
    made = validation([*some, outcome("parts", "known", 10)], {"parts": 10}, since="0123456789abcdef")
    assert (made.since, made.judged) == ("0123456789abcdef", {"parts.near": 0, "parts.sound": 3})
    assert came_to(outcome("parts", "known", 10)).since is None


def test_it_is_json_and_back() -> None:
    made = came_to(outcome("parts", "sound", 10, HOSTILE, reason=HOSTILE[0]))
    text = json.dumps(msgspec.to_builtins(made))
    assert msgspec.json.decode(text, type=Validation) == made


def test_the_slowest_rules_come_first() -> None:
    slow, quick = outcome("parts", "slow", 1), outcome("parts", "quick", 1)
    times = {one.rule: one for one in (slow, quick)}
    slower = Outcome("parts", times["slow"].expectation, 1, times["slow"].found, 2.0)
    assert list(came_to(quick, slower).seconds) == ["parts.slow", "parts.quick"]
