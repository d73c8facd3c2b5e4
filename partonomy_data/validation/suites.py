"""The expectation suites in `schemas/expectations/`: what must hold of each table, how much it matters, in words.

They are suites as Great Expectations reads and writes them. A rule is a column of verdicts (true: the row keeps the rule)
whose values are expected to be true; how the verdicts come about is in `rules`. What they say beyond Great Expectations is
in `meta`: the rule's name, and its level.

    critical    one row that breaks it, and nothing is published
    row         the row goes to quarantine; nothing is published if more break it than `mostly` allows
    warning     is told
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal, TypeAlias

import msgspec

Level: TypeAlias = Literal["critical", "row", "warning"]
#: What Great Expectations calls the levels.
SEVERITY: Final[dict[Level, str]] = {"critical": "critical", "row": "warning", "warning": "info"}
#: The suite of what is no row of a table: files, counts, splits, distributions.
VERSION: Final = "version"


class Kwargs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is expected of the column of verdicts."""

    column: str
    value_set: tuple[bool, ...]
    mostly: float = 1.0
    """The share of rows that must keep the rule."""


class Meta(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What Great Expectations has no place for."""

    rule: str
    level: Level


class Expectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule."""

    type: Literal["expect_column_values_to_be_in_set"]
    kwargs: Kwargs
    severity: str
    description: str
    """What holds where the rule is kept, in a sentence."""
    meta: Meta

    @property
    def rule(self) -> str:
        """Its name."""
        return self.meta.rule

    @property
    def level(self) -> Level:
        """How much it matters."""
        return self.meta.level


class Suite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rules of a table, or of the version as a whole."""

    name: str
    meta: dict[str, Any]
    expectations: tuple[Expectation, ...]


@cache
def suites() -> dict[str, Suite]:
    """All suites, by the name of their table, `version` last. Raises ValueError for one that contradicts itself."""
    found = {}
    for path in sorted(files("schemas").joinpath("expectations").iterdir(), key=lambda path: path.name):
        if path.name.endswith(".json"):
            suite = msgspec.json.decode(path.read_bytes(), type=Suite)
            _check(suite, path.name)
            found[suite.name] = suite
    return {**{name: suite for name, suite in found.items() if name != VERSION}, VERSION: found[VERSION]}


def content(suite: Suite) -> dict[str, Any]:
    """The suite as plain data, as `great_expectations.ExpectationSuite` takes it."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(suite))
    return plain


def _check(suite: Suite, file: str) -> None:
    if file != f"{suite.name}.json":
        raise ValueError(f"{file}: its suite is called {suite.name}")
    rules = [one.rule for one in suite.expectations]
    for one in suite.expectations:
        if rules.count(one.rule) > 1 or one.kwargs.column != one.rule:
            raise ValueError(f"{file}: {one.rule} must come once, and be about the column of its name")
        if one.severity != SEVERITY[one.level] or one.kwargs.value_set != (True,):
            raise ValueError(f"{file}: {one.rule} is not expected as a rule of level {one.level} is")
        if one.kwargs.mostly < 1 and one.level == "critical":
            raise ValueError(f"{file}: {one.rule} is critical, so `mostly` can't be below 1")
