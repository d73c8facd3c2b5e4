"""What checks found: validation, audit, splits and leakage, quarantine and repairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from partonomy_data.explore.runs import reports_of
from partonomy_data.questions.audit.report import Report
from partonomy_data.questions.audit.report import Row as Attack
from partonomy_data.report import plots
from partonomy_data.report.figures import Figure
from partonomy_data.report.reading import TYPES, Reading, Row, ordered
from partonomy_data.rulebook import rules_of
from partonomy_data.validation.report import Validation

_QUARANTINE: Final = (
    "SELECT rule, table_name, source, count(*) AS n FROM quarantine GROUP BY ALL "
    "ORDER BY n DESC, rule, table_name, source"
)
#: Slices of an audit → what they are called.
SLICES: Final = {"balanced=true": "balanced questions", "all": "all questions"}
_TURNS: Final = {"parts": "choices of parts", "object": "choices of objects"}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Blind:
    """How attackers fared without the photographs, in one slice and turn."""

    title: str
    types: list[str]
    rows: list[tuple[str, dict[str, Attack]]]
    """Attacker → type → how it fared."""
    figure: Figure | None
    """Of all types together."""


@dataclass(frozen=True, slots=True)
class Checks:
    """All of them; what there is no report of is None."""

    validation: Validation | None
    validation_run: str
    audit: Report | None
    audit_run: str
    blind: list[Blind]
    leakage: Mapping[str, Any] | None
    """The manifest's report on its splits."""
    coverage: list[Row]
    """The manifest's numbers of objects that can be asked about, could be balanced and are, by type."""
    quarantine: list[Row]
    """`rule`, `table_name`, `source`, `n`, and what was `found` and `done`."""
    repairs: list[Row]
    """The same of all rules that were applied, by source, from the manifest."""


def check(reading: Reading, runs_of: Path) -> Checks:
    """What the manifest, the table of quarantine, and the runs of the store in `runs_of` tell."""
    manifest = reading.manifest
    validation, validation_run = _latest(reading, runs_of, "validation", Validation)
    audit, audit_run = _latest(reading, runs_of, "audit", Report)
    made = manifest.get("questions") or {}
    return Checks(
        validation=validation,
        validation_run=validation_run,
        audit=audit,
        audit_run=audit_run,
        blind=blind(audit) if audit is not None else [],
        leakage=made.get("leakage"),
        coverage=_coverage(made.get("coverage", [])),
        quarantine=[row | _meaning(row["source"], row["rule"]) for row in reading.rows(_QUARANTINE)],
        repairs=[
            {"source": source, "rule": rule, "n": n, **_meaning(source, rule)}
            for source, rules in manifest.get("rules", {}).items()
            for rule, n in rules.items()
        ],
    )


def blind(audit: Report) -> list[Blind]:
    """The audit by slice and turn, the balanced questions first."""
    found = []
    for name, said in SLICES.items():
        for turn, what in _TURNS.items():
            rows = [row for row in audit.rows if row.slice == name and row.turn == turn]
            if not rows:
                continue
            by_attacker: dict[str, dict[str, Attack]] = {}
            for row in rows:
                by_attacker.setdefault(row.attacker, {})[row.question_type] = row
            title = f"{said.capitalize()}: {what}"
            types = ordered({row.question_type for row in rows}, ("all", *TYPES))
            found.append(Blind(title, types, list(by_attacker.items()), _figure(title, by_attacker)))
    return found


def _figure(title: str, attacks: Mapping[str, Mapping[str, Attack]]) -> Figure | None:
    """Accuracies of all types together with the interval that holds for all of them; squares are beyond chance."""
    every = [(name.replace("_", " "), one["all"]) for name, one in attacks.items() if "all" in one]
    if not every:
        return None
    points = [
        plots.Point(name, one.accuracy, one.family_low, one.family_high, one.chance, not one.within_chance)
        for name, one in every
    ]
    says = (
        f"Accuracy of {len(every)} attackers that don't see the photograph, on {every[0][1].n:,} questions. Red squares are "
        "beyond chance, by intervals that hold for all of them together."
    )
    return Figure(title, says, plots.intervals(title, points), [], [])


def _latest(reading: Reading, runs_of: Path, kind: str, shape: type[T]) -> tuple[T | None, str]:
    """The latest report of a kind that has the shape it should have, and its run."""
    for one in reports_of(runs_of, reading.version, reading.manifest["tables"], kind):
        try:
            return msgspec.convert(one["told"], shape), one["run"]
        except msgspec.ValidationError:  # of an older tool, or not a report at all; there may be another
            continue
    return None, ""


def _coverage(rows: list[Row]) -> list[Row]:
    """By type: of the objects that evaluation splits can ask about, how many could be in a block, and are."""
    found: dict[str, Row] = {}
    for row in rows:
        if row["split"] != "train":
            one = found.setdefault(row["question_type"], {"askable": 0, "bound": 0, "balanced": 0})
            for name in one:
                one[name] += row[name]
    return [{"question_type": name, **found[name]} for name in ordered(found, TYPES)]


def _meaning(source: str, name: str) -> Row:
    """What a rule means, where the source's reader says so."""
    rule = rules_of(source).get(name)
    return {"found": rule.quirk if rule else "", "done": rule.how if rule else ""}
