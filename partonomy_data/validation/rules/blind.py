"""What can be answered without the image: the attackers of the audit that need no training, on a sample.

The sample is of whole groups, with all questions of their photographs: what the questions of a photograph say together is
what gives it away. Trained attackers, and all questions, are for `partonomy audit`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pyarrow as pa

from partonomy_data.questions.audit.assemble import assemble
from partonomy_data.questions.audit.attack import attack_by_rule
from partonomy_data.questions.audit.auditing import rows
from partonomy_data.questions.audit.parquet_files import read_questions
from partonomy_data.questions.audit.report import Row
from partonomy_data.questions.audit.settings import AuditSettings
from partonomy_data.store import parquet
from partonomy_data.validation.subject import Subject

#: A version is not to be held back by bad luck: the intervals of all attackers together leave out chance once in 10,000 times.
_SETTINGS: Final = AuditSettings(level=0.9999)
#: Hex digits of a group's id that decide whether it is drawn.
_DIGITS: Final = 6


def blind_accuracy_is_chance(subject: Subject) -> pa.Table:
    """No attacker is right more often than chance on balanced questions; a row for each that is."""
    n = int(subject.value("SELECT count(*) FROM questions WHERE balanced"))
    found: dict[str, str] = {}
    if n and subject.settings.blind_questions:
        share = min(1.0, subject.settings.blind_questions / n)
        highest = f"{round(share * (16**_DIGITS - 1)):0{_DIGITS}x}"
        drawn = subject.found(f"SELECT * FROM questions WHERE balanced AND group_id[5:{4 + _DIGITS}] <= '{highest}'")
        found = _attacked(subject, drawn) if drawn.num_rows else {}
    return pa.table({"row": pa.array(list(found), pa.string()), "reason": pa.array(list(found.values()), pa.string())})


def _attacked(subject: Subject, drawn: pa.Table) -> dict[str, str]:
    """Attacker → how often it was right, for those beyond chance."""
    path = subject.spill_to / "blind-questions.parquet"
    parquet.write(drawn, path, "questions")
    try:
        table = assemble(read_questions([path]), "balanced questions", None)
    finally:
        path.unlink()
    return beyond(rows(table, attack_by_rule(table, _SETTINGS), _SETTINGS))


def beyond(found: Iterable[Row]) -> dict[str, str]:
    """Of attackers on all questions, those that are right more often than chance, and how often.

    Where every block is whole, they are at chance exactly, but for how shares are rounded: that is within chance.
    """
    return {
        row.attacker: f"right in {row.accuracy:.1%} of {row.n:,} balanced questions; chance is {row.chance:.1%}"
        for row in found
        if row.slice == "all" and row.question_type == "all" and row.accuracy > row.chance and not row.within_chance
    }


CHECKS: Final = {"version": {"blind_accuracy_is_chance": blind_accuracy_is_chance}}
