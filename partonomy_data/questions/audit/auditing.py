"""The audit: runs the attackers, compares them with chance in every slice, and adds the plain checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from partonomy_data.questions.audit import checks
from partonomy_data.questions.audit.attack import Attacks, attack
from partonomy_data.questions.audit.credit import Ties, credit
from partonomy_data.questions.audit.intervals import Bootstrap, contains, intervals
from partonomy_data.questions.audit.report import Report, Row
from partonomy_data.questions.audit.settings import AuditSettings
from partonomy_data.questions.audit.table import AuditTable, Bools, Floats, Ints


def audit(table: AuditTable, settings: AuditSettings | None = None, *, source: str = "") -> Report:
    """Attacks the questions of `table` and reports how well that went; `source` says what they are, for readers.

    The report depends on the questions and the settings alone, not on the order of rows.
    Raises UsageError if a setting can't be, or scikit-learn is not installed (the extra `audit`).
    """
    settings = (settings or AuditSettings()).checked()
    attacks = attack(table, settings)
    declared = table.declared[np.isfinite(table.declared)]
    off = np.abs(table.declared - 1.0 / table.questions.count) > 1e-4
    return Report(
        source=source,
        n=len(table),
        units=len(table.unit_hash),
        rows=rows(table, attacks, settings),
        positions=checks.positions(table),
        lengths=checks.lengths(table),
        hardness=checks.hardness(table),
        excluded=checks.excluded(table),
        blocks=checks.blocks(table),
        leakage=checks.leakage(table),
        declared_chance=float(declared.mean()) if len(declared) else None,
        declared_wrong=int((off & table.balanced & np.isfinite(table.declared)).sum()),
        notes=list(attacks.notes),
        settings=settings,
    )


def rows(table: AuditTable, attacks: Attacks, settings: AuditSettings) -> list[Row]:
    """A row for every slice, turn, question type and attacker; those of one slice are one family."""
    bootstrap = Bootstrap.of(table, settings.replicates, settings.seed)
    asked = table.questions.object_count > 0
    found = []
    for name, chosen, chosen_objects in _slices(table):
        cells = [("parts", kind, rows) for kind, rows in _types(table, chosen)]
        cells += [("object", kind, rows) for kind, rows in _types(table, chosen_objects & asked) if attacks.objects]
        family = sum(len(attacks.parts if turn == "parts" else attacks.objects) for turn, _, _ in cells)
        for turn, kind, which in cells:
            found += _cell(table, attacks, settings, bootstrap, (name, turn, kind), which, family)
    return found


def _slices(table: AuditTable) -> Iterator[tuple[str, Bools, Bools]]:
    """Name of a slice, its questions, and its object questions. A column with one value makes no slice but `balanced`."""
    questions = table.questions
    every = np.ones(len(table), bool)
    yield "all", every, every
    yield "balanced=true", table.balanced, table.object_balanced
    yield "balanced=false", ~table.balanced, ~table.object_balanced
    named = np.where(questions.names_object, 1, 0)
    columns: list[tuple[str, Ints | np.ndarray[tuple[int], np.dtype[np.int32]], Mapping[int, str]]] = [
        ("source", questions.source, dict(enumerate(questions.sources))),
        ("split", questions.split, dict(enumerate(questions.splits))),
        ("names_object", named, {0: "false", 1: "true"}),
        ("evidence", table.evidence, dict(enumerate(table.evidences))),
        ("k", questions.count, {k: str(k) for k in range(questions.width + 1)}),
    ]
    for column, values, names in columns:
        present = np.unique(values)
        if len(present) < 2:
            continue
        for value in present.tolist():
            if value in names:
                yield f"{column}={names[value]}", values == value, values == value


def _types(table: AuditTable, chosen: Bools) -> Iterator[tuple[str, Ints]]:
    """`all` and each question type, with the rows of the chosen questions; those that have any."""
    if chosen.any():
        yield "all", np.flatnonzero(chosen)
    for code, name in enumerate(table.questions.types):
        which = np.flatnonzero(chosen & (table.questions.type == code))
        if len(which):
            yield name, which


def _cell(
    table: AuditTable,
    attacks: Attacks,
    settings: AuditSettings,
    bootstrap: Bootstrap,
    where: tuple[str, str, str],
    which: Ints,
    family: int,
) -> list[Row]:
    name, turn, kind = where
    outcomes: Mapping[str, Ties] = attacks.parts if turn == "parts" else attacks.objects
    count = table.questions.count if turn == "parts" else table.questions.object_count
    chance: Floats = 1.0 / count[which]
    won = np.stack([credit(tied[which]) for tied in outcomes.values()], axis=1)
    unit = table.unit[which].astype(np.int64)
    found = intervals(won, chance, unit, bootstrap, settings.level, family)
    expected, units = float(chance.mean()), len(np.unique(unit))
    return [
        Row(
            attacker=attacker,
            turn=turn,
            question_type=kind,
            slice=name,
            accuracy=one.accuracy,
            chance=expected,
            low=one.low,
            high=one.high,
            family_low=one.family_low,
            family_high=one.family_high,
            n=len(which),
            units=units,
            within_chance=contains(one, expected),
        )
        for attacker, one in zip(outcomes, found, strict=True)
    ]
