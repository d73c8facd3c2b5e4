"""The expectation suites: what they say is what is checked, and one that contradicts itself is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest

from partonomy_data.validation import suites as module
from partonomy_data.validation.rules import checks
from partonomy_data.validation.suites import SEVERITY, VERSION, Suite, content, suites
from schemas.tables import TABLES
from tests.validation.mutations_of_answers import OF_ANSWERS
from tests.validation.mutations_of_blocks import OF_BLOCKS
from tests.validation.mutations_of_files import OF_FILES
from tests.validation.mutations_of_questions import OF_QUESTIONS
from tests.validation.mutations_of_tables import OF_TABLES

_FOLDER = files("schemas").joinpath("expectations")


def rules() -> list[tuple[str, str]]:
    return [(name, one.rule) for name, suite in suites().items() for one in suite.expectations]


# Those that there are


def test_every_rule_is_checked_and_every_check_is_a_rule() -> None:
    assert set(rules()) == set(checks())
    assert len(rules()) == len(set(rules()))


def test_there_is_a_suite_for_each_table_and_one_for_the_version_which_comes_last() -> None:
    assert set(suites()) == {*TABLES, VERSION}
    assert list(suites())[-1] == VERSION


@pytest.mark.parametrize(("suite", "rule"), rules(), ids=".".join)
def test_a_rule_is_named_and_described_as_rules_are(suite: str, rule: str) -> None:
    (one,) = (one for one in suites()[suite].expectations if one.rule == rule)
    assert re.fullmatch(r"[a-z][a-z0-9_]+", rule)
    assert re.fullmatch(r"[A-Z`].+\.", one.description, re.DOTALL)
    assert "\n" not in one.description
    if one.level == "row":
        assert suite == "questions", "only questions go to quarantine"
        assert one.kwargs.mostly == 0.99


#: Rules that `test_taxonomy_rules` breaks under a name that it makes of a column's.
_BUILT = ["object_categories.n_images_counted", "part_categories.n_object_categories_counted"]


def test_every_rule_is_broken_by_the_damage_of_some_test() -> None:
    """By one of the mutations, or by a test of rules, which then has the rule's name as a string of its own."""
    mutations = (OF_FILES, OF_TABLES, OF_QUESTIONS, OF_ANSWERS, OF_BLOCKS)
    broken = {(one.suite, one.rule) for kinds in mutations for one in kinds.kinds}
    source = "\n".join(path.read_text() for path in sorted(Path(__file__).parent.glob("test_*_rules.py")))
    named = set(re.findall(r'"([a-z0-9_]+)"', source))
    unbroken = [f"{suite}.{rule}" for suite, rule in rules() if (suite, rule) not in broken and rule not in named]
    assert sorted(unbroken) == _BUILT


@pytest.mark.parametrize("path", sorted(_FOLDER.iterdir(), key=str), ids=lambda path: path.name)
def test_a_suite_is_as_great_expectations_writes_them(path: Path) -> None:
    suite = msgspec.json.decode(path.read_bytes(), type=Suite)
    plain = json.loads(path.read_bytes())
    for one in plain["expectations"]:
        one["kwargs"].setdefault("mostly", 1.0)
    assert content(suite) == plain


# Malformed ones


def suite_with(**changed: Any) -> dict[str, Any]:
    """A good suite of one rule, with other values somewhere in that rule; `kwargs` and `meta` are added to."""
    rule: dict[str, Any] = {
        "type": "expect_column_values_to_be_in_set",
        "kwargs": {"column": "whole", "value_set": [True]},
        "severity": "critical",
        "description": "It is whole.",
        "meta": {"rule": "whole", "level": "critical"},
    }
    for name, value in changed.items():
        rule[name] = rule[name] | value if isinstance(value, dict) else value
    return {"name": "parts", "meta": {}, "expectations": [rule]}


def read(plain: dict[str, Any], file: str = "parts.json") -> None:
    module._check(msgspec.json.decode(json.dumps(plain), type=Suite), file)


def test_a_good_suite_is_admitted() -> None:
    read(suite_with())
    read(suite_with(kwargs={"mostly": 0.9}, severity="info", meta={"level": "warning"}))


def _twice() -> dict[str, Any]:
    plain = suite_with()
    return plain | {"expectations": plain["expectations"] * 2}


@pytest.mark.parametrize(
    ("plain", "file", "says"),
    [
        (suite_with(), "objects.json", r"objects\.json: its suite is called parts"),
        (_twice(), "parts.json", r"parts\.json: whole must come once"),
        (suite_with(kwargs={"column": "half"}), "parts.json", r"parts\.json: whole .* be about the column of its name"),
        (
            suite_with(severity="info"),
            "parts.json",
            r"parts\.json: whole is not expected as a rule of level critical is",
        ),
        (suite_with(meta={"level": "row"}), "parts.json", "is not expected as a rule of level row is"),
        (suite_with(kwargs={"value_set": [True, False]}), "parts.json", "is not expected as"),
        (suite_with(kwargs={"value_set": []}), "parts.json", "is not expected as"),
        (
            suite_with(kwargs={"mostly": 0.5}),
            "parts.json",
            r"parts\.json: whole is critical, so `mostly` can't be below 1",
        ),
    ],
    ids=["name", "twice", "column", "severity", "level", "values", "no values", "mostly"],
)
def test_a_suite_that_contradicts_itself_is_refused(plain: dict[str, Any], file: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(plain, file)


@pytest.mark.parametrize(
    "plain",
    [
        suite_with(type="expect_column_values_to_not_be_null"),
        suite_with(meta={"level": "fatal"}),
        suite_with(meta={"owner": "me"}),
        suite_with(kwargs={"mostly": "all"}),
        suite_with() | {"data_asset_type": "table"},
        {"name": "parts", "meta": {}},
    ],
    ids=["type", "level", "unknown in meta", "mostly", "unknown", "nothing expected"],
)
def test_a_suite_of_another_shape_is_refused(plain: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(plain)


def test_levels_are_told_apart_by_severity() -> None:
    assert len(set(SEVERITY.values())) == len(SEVERITY)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """`folder(**suites)`: the suites that are read are these; the memory of those that there are is put by."""

    def make(**plain: dict[str, Any]) -> Path:
        target = tmp_path / "expectations"
        target.mkdir()
        for name, suite in plain.items():
            (target / f"{name}.json").write_text(json.dumps(suite))
        monkeypatch.setattr(module, "files", lambda package: tmp_path)
        return target

    return make


def test_suites_are_read_in_order_and_other_files_are_left_alone(folder: Callable[..., Path]) -> None:
    plain = {name: suite_with() | {"name": name} for name in ("version", "splits", "parts")}
    (folder(**plain) / "notes.txt").write_text("no suite")
    assert list(suites.__wrapped__()) == ["parts", "splits", "version"]


def test_one_bad_suite_is_told_with_its_file(folder: Callable[..., Path]) -> None:
    folder(version=suite_with() | {"name": "version"}, splits=suite_with())
    with pytest.raises(ValueError, match=r"splits\.json: its suite is called parts"):
        suites.__wrapped__()
