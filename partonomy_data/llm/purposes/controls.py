"""Control questions: how often a model is right where the answer is known, and what it is believed in after that.

A model's verdict (`same`, `implausible`, …) is worth what that verdict is worth on the controls: of those that it gave
there, the share that was right. A model that says one thing whatever it is asked is right in that too seldom, and is
not believed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

from partonomy_data.llm.purposes.intervals import Z80, wilson

#: Least share of right ones, and least number of them, for a verdict to be believed.
LEAST_PRECISION: Final = 0.8
LEAST_RIGHT: Final = 5
#: No model's word is surer than this.
MOST_CONFIDENCE: Final = 0.95


class Score(msgspec.Struct, frozen=True):
    """How often a verdict was given on the controls, and how often it was right."""

    right: int
    given: int

    @property
    def confidence(self) -> float | None:
        """How sure such a verdict is: the lower 80 % bound of its precision; None if it is not believed."""
        if self.right < LEAST_RIGHT or self.right < LEAST_PRECISION * self.given:
            return None
        return min(wilson(self.right, self.given, Z80)[0], MOST_CONFIDENCE)


@dataclass(frozen=True, slots=True)
class Related:
    """Two part names of which the relation is known: part_a is `relation` than (as) part_b."""

    part_a: str
    contexts_a: tuple[str, ...]
    part_b: str
    contexts_b: tuple[str, ...]
    relation: str


@dataclass(frozen=True, slots=True)
class Controls:
    """What is known beyond doubt."""

    related: tuple[Related, ...]
    absurd: tuple[tuple[str, str], ...]
    """Pairs (object category, part) of which no object has the part."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    same: tuple[tuple[str, tuple[str, ...], str, tuple[str, ...]], ...]
    narrower: tuple[tuple[str, tuple[str, ...], str, tuple[str, ...]], ...]
    distinct: tuple[tuple[str, tuple[str, ...], str, tuple[str, ...]], ...]
    absurd: tuple[tuple[str, str], ...]


@cache
def controls() -> Controls:
    """The controls of `controls.yaml`. Raises msgspec.ValidationError if it was edited into another shape."""
    import yaml

    text = files("partonomy_data.llm.purposes").joinpath("controls.yaml").read_text(encoding="utf-8")
    read = msgspec.convert(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)), _File)
    related = tuple(
        Related(*row, relation)
        for relation, rows in (("same", read.same), ("narrower", read.narrower), ("distinct", read.distinct))
        for row in rows
    )
    return Controls(related, read.absurd)


def kind(verdict: str) -> str:
    """What a verdict is counted as: `broader` is `narrower` the other way round."""
    return "narrower" if verdict == "broader" else verdict


def scores(verdicts: Iterable[str], known: Iterable[tuple[str, str]]) -> dict[str, Score]:
    """The score of each of the `verdicts`, from pairs (truth, what the model said)."""
    right, given = dict.fromkeys(verdicts, 0), dict.fromkeys(verdicts, 0)
    for truth, said in known:
        given[kind(said)] += 1
        right[kind(said)] += truth == said
    return {verdict: Score(right[verdict], given[verdict]) for verdict in given}
