"""Rows that were rejected, and the rules that they broke; what was repaired in the rows that were not."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import pyarrow as pa

from partonomy_data.errors import SourceError
from partonomy_data.rulebook import rules_of
from partonomy_data.sources.base import reader
from partonomy_data.validation.running import FOUND
from partonomy_data.validation.subject import ROW, Subject
from partonomy_data.validation.suites import suites
from schemas.tables import TABLES

_ROW: Final = ROW["quarantine"]
#: The rule of a question that breaks none itself, but is asked together with one that does.
BLOCK_RULE: Final = "block_quarantined"


def rule_known(subject: Subject) -> pa.Table:
    """Rejected for a rule that no reader has, nor the build, nor the suite of the table that the row would have entered."""
    own = {name: {one.rule for one in suite.expectations} for name, suite in suites().items()}
    own["questions"].add(BLOCK_RULE)
    told = subject.found("SELECT DISTINCT source, table_name, rule FROM quarantine").to_pylist()
    odd = [one for one in told if _unheard_of(one) and one["rule"] not in own.get(one["table_name"], ())]
    return _with(subject, odd, f"SELECT {_ROW} AS row, rule AS reason FROM quarantine", "source, table_name, rule")


def repairs_known(subject: Subject, table: str) -> pa.Table:
    """Rows of `table` to which a rule was applied that neither their source's reader nor the build has."""
    applied = f"SELECT {ROW[table]} AS row, source, unnest(repairs) AS rule FROM {table} WHERE len(repairs) > 0"
    told = subject.found(f"SELECT DISTINCT source, rule FROM ({applied})").to_pylist()
    odd = [one for one in told if _unheard_of(one)]
    return _with(subject, odd, f"SELECT row, rule AS reason FROM ({applied})", "source, rule")


def _unheard_of(told: Mapping[str, str]) -> bool:
    """Whether a rule isn't known for its source; what a reader that isn't installed calls its rules can't be."""
    return _installed(told["source"]) and told["rule"] not in rules_of(told["source"])


@cache
def _installed(source: str) -> bool:
    try:
        reader(source)
    except SourceError:
        return False
    return True


def _with(subject: Subject, values: list[dict[str, Any]], select: str, columns: str) -> pa.Table:
    """The rows of `select` that have one of the `values` in `columns`."""
    if not values:
        return FOUND.empty_table()
    subject.connection.register("wanted", pa.Table.from_pylist(values))
    try:
        return subject.found(f"{select} SEMI JOIN wanted USING ({columns})")
    finally:
        subject.connection.unregister("wanted")


CHECKS: Final = {
    "table_known": f"SELECT {_ROW} AS row, table_name AS reason FROM quarantine WHERE table_name NOT IN {tuple(TABLES)}",
    "row_is_json": f"SELECT {_ROW} AS row, left(row, 60) AS reason FROM quarantine WHERE NOT json_valid(row)",
    "reason_told": f"SELECT {_ROW} AS row FROM quarantine WHERE trim(reason) = '' OR trim(rule) = ''",
    "rule_known": rule_known,
}
