"""Attackers that are at chance exactly, but for rounding, hold nothing back; those beyond it do."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from partonomy_data.questions.audit.intervals import contains
from partonomy_data.questions.audit.report import Row
from partonomy_data.validation.rules import blind


@dataclass(frozen=True)
class Ends:
    family_low: float
    family_high: float


def row(accuracy: float, low: float, high: float, **other: str) -> Row:
    said = {"attacker": "longest", "turn": "parts", "question_type": "all", "slice": "all", **other}
    within = contains(Ends(low, high), 0.31)  # type: ignore[arg-type]
    ends = {"low": low, "high": high, "family_low": low, "family_high": high}
    return Row(**said, **ends, accuracy=accuracy, chance=0.31, n=529, units=140, within_chance=within)


def test_chance_that_is_rounded_up_is_chance() -> None:
    above = math.nextafter(0.31, 1)
    assert above > 0.31
    assert blind.beyond([row(above, above, above)]) == {}


@pytest.mark.parametrize("other", [{"slice": "source=paco"}, {"question_type": "difference"}])
def test_what_is_beyond_chance_on_all_questions_is_named(other: dict[str, str]) -> None:
    assert blind.beyond([row(0.4, 0.35, 0.45)]) == {
        "longest": "right in 40.0% of 529 balanced questions; chance is 31.0%"
    }
    assert blind.beyond([row(0.4, 0.35, 0.45, **other)]) == {}
    assert blind.beyond([row(0.4, 0.3, 0.5)]) == {}
    assert blind.beyond([row(0.2, 0.15, 0.25)]) == {}, "less than chance gives nothing away"
