"""All people of one sheet together. Intervals are by blocks of questions, as those of models are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from model.evaluation import intervals
from model.evaluation.intervals import Interval, bounds, key_of, ratio
from model.evaluation.marks import Floats
from model.evaluation.people.answers import Answer, Answers

#: Sums of a unit of questions; see `_row`.
_COLUMNS: Final = 11


@dataclass(frozen=True, slots=True)
class Known:
    """Of a turn of a question."""

    unit: str
    """Its block, or its photograph where it is in none."""
    right: int
    """The place that the right choice was shown in."""
    chance: float


@dataclass(frozen=True, slots=True)
class People:
    """What all came to. A share of nothing is NaN."""

    raters: Mapping[str, tuple[int, float]]
    """Person → turns answered, and the share of them that is right."""
    accuracy: Interval
    """Over all answers of all people."""
    accuracy_where_key_right: Interval
    """Over those turns whose key nobody called wrong."""
    agreement: Interval
    """Share of the pairs of answers to the same turn that are the same."""
    beyond_chance: Interval
    """The same less what choosing at random gives, over what is left of 1 (kappa)."""
    wrong_keys: Interval
    """Share of the judged turns whose key more people called wrong than right."""
    unsure_keys: Interval
    """Share of the judgements that say that it can't be told."""
    judged: int
    turns: int


def summarized(people: Sequence[Answers], known: Mapping[tuple[str, str], Known]) -> People:
    """The numbers; answers to what is not known are left out."""
    columns: dict[str, Floats] = {}
    turns = judged = 0
    for place, of in known.items():
        said = [one.by_turn[place] for one in people if place in one.by_turn]
        if said:
            turns += 1
            judged += any(one.key is not None for one in said)
            columns[of.unit] = columns.get(of.unit, np.zeros(_COLUMNS)) + _row(of, said)
    sums = np.array(list(columns.values())).reshape(len(columns), _COLUMNS)
    drawn = intervals.resampled(np.array([key_of(unit) for unit in columns], np.uint64), sums)

    def share(top: int, bottom: int) -> Interval:
        units = int((sums[:, bottom] > 0).sum())
        return bounds(float(ratio(sums.sum(0), top, bottom)), ratio(drawn, top, bottom), units)

    raters = {one.rater: _of(one, known) for one in people}
    return People(
        raters, share(0, 1), share(2, 3), share(4, 5), _beyond(sums, drawn), share(7, 8), share(9, 10), judged, turns
    )


def _of(one: Answers, known: Mapping[tuple[str, str], Known]) -> tuple[int, float]:
    right = [said.choice == known[place].right for place, said in one.by_turn.items() if place in known]
    return len(right), float(np.mean(right)) if right else float("nan")


def _row(of: Known, said: Sequence[Answer]) -> Floats:
    """Of a turn: right and all answers; the same where no key is called wrong; equal pairs, all pairs, and as many as would be
    equal by chance; whether the key is wrong, and was judged; judgements that are unsure, and all."""
    keys = [one.key for one in said if one.key is not None]
    wrong, unsure = keys.count("wrong"), keys.count("unsure")
    right = sum(one.choice == of.right for one in said)
    pairs = list(combinations([one.choice for one in said], 2))
    row = [right, len(said), right * (wrong == 0), len(said) * (wrong == 0)]
    row += [sum(one == other for one, other in pairs), len(pairs)]
    by_chance = [of.chance * len(pairs)]
    row_of_keys = [int(wrong > keys.count("right")), int(bool(keys)), unsure, len(keys)]
    return np.array([*row, *by_chance, *row_of_keys], np.float64)


def _beyond(sums: Floats, drawn: Floats) -> Interval:
    def of(some: Floats) -> Floats:
        observed, expected = ratio(some, 4, 5), ratio(some, 6, 5)
        left = np.where(expected < 1, 1 - expected, np.nan)
        return np.asarray((observed - expected) / left)

    units = int((sums[:, 5] > 0).sum())
    return bounds(float(of(sums.sum(0))), of(drawn), units, share=False)


def text(people: People, version: str, split: str) -> str:
    """As Markdown."""
    lines = [
        f"# People on `{split}`",
        "",
        f"{people.turns} turns of questions of version `{version}` were answered.",
        "",
    ]
    lines += ["| person | answers | right |", "| --- | --- | --- |"]
    lines += [f"| {name} | {n} | {_told(value)} |" for name, (n, value) in sorted(people.raters.items())]
    lines += ["", "| over all of them | 95 % interval, by blocks of questions |", "| --- | --- |"]
    named = {
        "right": people.accuracy,
        "right, where nobody calls the key wrong": people.accuracy_where_key_right,
        "pairs of people who agree": people.agreement,
        "agreement beyond chance (kappa)": people.beyond_chance,
        "wrong keys": people.wrong_keys,
        "keys that can't be told from the photograph": people.unsure_keys,
    }
    for name, one in named.items():
        inside = f" [{one.low:.2f}, {one.high:.2f}]" if one.low == one.low else ""
        lines.append(f"| {name} | {_told(one.value)}{inside} |")
    if len(people.raters) < 2:
        lines += ["", "Agreement needs the answers of two people at least."]
    return "\n".join([*lines, ""])


def _told(value: float) -> str:
    return "-" if value != value else f"{value:.3f}"
