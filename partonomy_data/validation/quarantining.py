"""Questions that break a rule leave the staged version, with all that are asked together, and become rows of quarantine.

A block without one of its questions would tell which choice is left, and a unit without one of its blocks which objects
are left to choose from; so a question takes its block along, and this one those of its unit that ask the same. Files that
hold none of these questions stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from partonomy_data.store import catalog, parquet
from partonomy_data.validation.rules.quarantine import BLOCK_RULE
from partonomy_data.validation.running import Outcome
from partonomy_data.validation.subject import Subject

_TABLES: Final = ("questions", "question_masks")
#: Critical rules about many questions, which one that is wrong breaks for all: they are judged by what is left.
_OF_MANY: Final = frozenset(
    {
        ("questions", "one_object_of_photograph"),
        ("questions", "one_group_of_photograph"),
        ("questions", "named_always_or_never"),
        ("version", "positions_balanced"),
        ("version", "objects_balanced"),
        ("version", "blind_accuracy_is_chance"),
    }
)
#: Characters of a question's id that stand for those that are asked together.
_UNIT: Final = len("qst_") + 12
#: `own` break rules, and are told by the first in the suite's order, which goes from plain to far-reaching; `together` is
#: what their blocks ask; `lost` are all blocks that go.
_GONE: Final = f"""CREATE OR REPLACE TEMP TABLE gone AS
    WITH own AS (SELECT question_id, min_by(rule, place) AS rule, min_by(reason, place)
            || if(count(*) > 1, '; it also breaks ' || string_agg(rule, ', ' ORDER BY place)[len(min_by(rule, place)) + 3:], '')
            AS reason FROM broken_rules GROUP BY 1),
    together AS (
        SELECT DISTINCT question_id[1:{_UNIT}] AS unit, question_type, contrast_categories FROM questions
        WHERE block_id IN (SELECT block_id FROM questions SEMI JOIN own USING (question_id) WHERE block_id IS NOT NULL)),
    lost AS (
        SELECT DISTINCT block_id FROM questions q LEFT JOIN own USING (question_id) LEFT JOIN together t
            ON t.unit = q.question_id[1:{_UNIT}] AND t.question_type = q.question_type
            AND t.contrast_categories = q.contrast_categories
        WHERE block_id IS NOT NULL AND (own.question_id IS NOT NULL OR t.unit IS NOT NULL))
    SELECT q.question_id, q.source, coalesce(own.rule, '{BLOCK_RULE}') AS rule,
        coalesce(own.reason, 'a question that is asked together with those of ' || q.block_id || ' is in quarantine') AS reason,
        to_json(q)::VARCHAR AS row
    FROM questions q LEFT JOIN own USING (question_id)
    WHERE own.question_id IS NOT NULL OR q.block_id IN (SELECT block_id FROM lost)"""


@dataclass(frozen=True, slots=True)
class Gone:
    """Questions that went to quarantine, and what is left."""

    rules: Mapping[str, Mapping[str, int]]
    """Source → rule → how many went for it."""
    left: Mapping[str, int]
    """Source → questions that are left, where any went."""
    balanced: Mapping[tuple[str, str, str], int]
    """(source, split, question type) → objects with a balanced question that is left."""

    @property
    def n(self) -> int:
        """How many went."""
        return sum(sum(rules.values()) for rules in self.rules.values())


def broken(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The rules for which questions go to quarantine."""
    return [one for one in outcomes if one.table == "questions" and one.expectation.level == "row" and one.failed]


def helps(outcomes: Sequence[Outcome]) -> bool:
    """Whether the version may be published once these questions are in quarantine: nothing else is wrong, or only what
    may be their doing."""
    wrong = [one for one in outcomes if one.failed and not one.within and one.expectation.level != "warning"]
    return bool(broken(outcomes)) and all((one.table, one.rule) in _OF_MANY for one in wrong)


def quarantine(subject: Subject, outcomes: Sequence[Outcome]) -> Gone:
    """Moves the questions that break a rule of level `row`, and their blocks', to the staged `quarantine`.

    Files are written anew beside the old ones and take their place: what a staged file is a link to stays as it is. The
    subject shows the old rows still, and must be opened anew.
    """
    subject.connection.register("broken_rules", _named(broken(outcomes)))
    try:
        subject.connection.execute(_GONE)
    finally:
        subject.connection.unregister("broken_rules")
    gone = _gone(subject)
    for source in gone.rules:
        _add(subject, source)
    ids = subject.found("SELECT question_id FROM gone")["question_id"].combine_chunks()
    for name in _TABLES:
        for path in subject.files[name]:
            _leave_out(path, name, ids, subject.folder)
    return gone


def without(given: Mapping[str, Any], gone: Gone) -> dict[str, Any]:
    """What a manifest says once these questions are in quarantine: of sources that have any, questions are counted too."""
    counts, rules = ({**given.get(name, {})} for name in ("counts", "rules"))
    for source, broke in gone.rules.items():
        n, left = sum(broke.values()), gone.left.get(source, 0)
        questions = {"read": 0, "in": 0, "derived": left + n, "out": left, "quarantined": n}
        counts[source] = {**counts.get(source, {}), "questions": questions}
        applied = rules.get(source, {})
        more = {rule: applied.get(rule, 0) + times for rule, times in broke.items()}
        rules[source] = dict(sorted({**applied, **more}.items()))
    said = given.get("questions", {})
    keys = ("source", "split", "question_type")
    coverage = [
        {**row, "balanced": gone.balanced.get((row[keys[0]], row[keys[1]], row[keys[2]]), 0)}
        for row in said.get("coverage", [])
    ]
    left_over = {"questions": said.get("questions", 0) - gone.n, "coverage": coverage, "quarantined": gone.n}
    return {**given, "counts": counts, "rules": rules, "questions": {**said, **left_over}}


def _named(rules: Iterable[Outcome]) -> pa.Table:
    """The rows that break some rules: question_id, rule, its place among the rules, reason."""
    tables = [
        pa.table(
            {
                "question_id": one.found["row"],
                "rule": pa.repeat(pa.scalar(one.rule), one.failed),
                "place": pa.repeat(pa.scalar(place), one.failed),
                "reason": pc.fill_null(one.found["reason"], one.expectation.description),
            }
        )
        for place, one in enumerate(rules)
    ]
    return pa.concat_tables(tables)


def _gone(subject: Subject) -> Gone:
    """What the table `gone` comes to."""
    rules: dict[str, dict[str, int]] = {}
    for row in subject.found("SELECT source, rule, count(*) AS n FROM gone GROUP BY ALL ORDER BY ALL").to_pylist():
        rules.setdefault(row["source"], {})[row["rule"]] = row["n"]
    left = subject.found(
        """SELECT source, count(*) AS n FROM questions ANTI JOIN gone USING (question_id)
        SEMI JOIN (SELECT DISTINCT source FROM gone) USING (source) GROUP BY source"""
    )
    balanced = subject.found(
        """SELECT source, split, question_type AS kind, count(DISTINCT object_id) AS n
        FROM questions ANTI JOIN gone USING (question_id) WHERE balanced GROUP BY ALL"""
    )
    return Gone(
        rules,
        {row["source"]: row["n"] for row in left.to_pylist()},
        {(row["source"], row["split"], row["kind"]): row["n"] for row in balanced.to_pylist()},
    )


def _add(subject: Subject, source: str) -> None:
    """Writes the rows of `gone` of one source to the staged `quarantine`."""
    rows = subject.connection.sql(
        f"""SELECT 'questions' AS table_name, question_id AS row_id, source, rule, reason, row, []::VARCHAR[] AS repairs
        FROM gone WHERE source = {catalog.quoted(source)} ORDER BY row_id"""
    ).to_arrow_reader(parquet.ROWS_PER_GROUP)
    parquet.write(rows, subject.folder / "quarantine" / f"source={source}" / "questions.parquet", "quarantine")


def _leave_out(path: Path, name: str, ids: pa.Array, folder: Path) -> None:
    """Rewrites a file without the rows of some questions; one that would be empty goes, with folders that then are."""
    held = pq.read_table(path, columns=["question_id"], partitioning=None)["question_id"]
    leave = pc.is_in(held, value_set=ids)
    if not pc.any(leave).as_py():
        return
    if pc.all(leave).as_py():
        path.unlink()
        for parent in path.parents:
            if parent == folder or any(parent.iterdir()):
                return
            parent.rmdir()
    with pq.ParquetFile(path) as file:
        batches = file.iter_batches(parquet.ROWS_PER_GROUP)
        kept = (batch.filter(pc.invert(pc.is_in(batch["question_id"], value_set=ids))) for batch in batches)
        parquet.write(kept, path, name)
