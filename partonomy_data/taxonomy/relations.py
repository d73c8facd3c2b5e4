"""The table `part_relations`: the judges' and the user's word on part names, made consistent and closed.

Each pair of names has one judgement, that of the most believed judge: the overrides file, then the curated list, then
`exact`, `lexical`, `head_noun`. What follows from the judgements is added (method `closure`, with the confidence of the
weakest link): names that are the same form a class, and narrower is transitive over classes. A judgement that would
make a name narrower than itself gives way to those that are believed more; where overrides contradict one another,
the build stops and names the cycle. A pair that is not in the table is distinct, by default.

Not everything is passed on: curated relations, and any `same`, with a confidence under 0.9 are true in some objects
only (the trunk of a car, the trunk of an elephant), so they stand for their pair alone.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from partonomy_data.errors import UsageError
from partonomy_data.taxonomy.judges import METHODS, Judgement, judgements
from partonomy_data.taxonomy.ordering import Contradiction, Ordering
from partonomy_data.taxonomy.overrides import INVERSE, Overrides, RelationOverride
from schemas.tables import schema

#: From this confidence on a relation is taken to hold whatever the object, and is passed on.
SURE = 0.9


def judge(parts: Iterable[str], overrides: Overrides | None = None) -> list[Judgement]:
    """All relations between the names `parts` but the default; each pair in both directions, sorted by the two names.

    Raises UsageError (one line, naming the rows' cycle) if the overrides contradict one another.
    """
    names = frozenset(parts)
    weighed = _Weighed()
    weighed.override(overrides or Overrides())
    for one in judgements(names):
        weighed.judge(one)
    rows: dict[tuple[str, str], Judgement] = {}
    follows = (Judgement(a, b, relation, "closure", sure) for a, b, relation, sure in weighed.passed_on.closure())
    for one in (*follows, *weighed.direct.values()):
        if one.part_a in names and one.part_b in names:
            rows[one.part_a, one.part_b] = one
            rows[one.part_b, one.part_a] = _turned(one)
    return [rows[pair] for pair in sorted(rows)]


def table(parts: Iterable[str], overrides: Overrides | None = None) -> pa.Table:
    """`judge` as the table `part_relations`. Raises as `judge` does."""
    rows = judge(parts, overrides)
    columns = [
        [row.part_a for row in rows],
        [row.part_b for row in rows],
        [row.relation for row in rows],
        [row.method for row in rows],
        [row.confidence for row in rows],
        [None] * len(rows),
    ]
    into = schema("part_relations")
    return pa.table([pa.array(column, kind.type) for column, kind in zip(columns, into, strict=True)], schema=into)


class _Weighed:
    """The judgements that were taken up, one a pair."""

    def __init__(self) -> None:
        self.direct: dict[frozenset[str], Judgement] = {}
        #: What is passed on, and from which the closure is made.
        self.passed_on = Ordering()
        #: The same and all other `narrower`: what a judgement may not contradict.
        self.upheld = Ordering()

    def override(self, overrides: Overrides) -> None:
        """Takes up the overrides. Raises UsageError if they contradict one another."""
        for row in overrides.relations:
            one = _forward(Judgement(row.part_a, row.part_b, row.relation, "override", 1.0))
            said = self.direct.setdefault(frozenset((row.part_a, row.part_b)), one)
            if said != one:
                raise _contradicts(row, f"{said.part_a} is {_read(said)}, and {one.part_a} is {_read(one)}")
            try:
                _enter(one, self.upheld)
                _enter(one, self.passed_on)
            except Contradiction as found:
                raise _contradicts(row, " → ".join(found.cycle)) from None
        for row in overrides.relations:
            follows = self.upheld.relation(row.part_a, row.part_b)
            if row.relation == "distinct" and follows != "distinct":
                raise _contradicts(row, f"{row.part_a} is {follows} ({row.part_b}) by the other rows")

    def judge(self, one: Judgement) -> None:
        """Takes up a judge's word, unless its pair is judged already or it contradicts what is believed more."""
        pair = frozenset((one.part_a, one.part_b))
        if pair in self.direct or (one.relation == "same" and self._parts(one)):
            return
        sure = one.confidence >= SURE or (one.relation == "narrower" and one.method == "head_noun")
        try:
            if sure or one.relation == "narrower":
                _enter(one, self.upheld)
        except Contradiction:
            return
        if sure:
            _enter(one, self.passed_on)
        self.direct[pair] = one

    def _parts(self, one: Judgement) -> bool:
        """Whether names that `one` would make the same are distinct, or follow to be narrower one than the other."""
        if self.upheld.relation(one.part_a, one.part_b) in ("narrower", "broader"):
            return True
        return any(
            (said := self.direct.get(frozenset((a, b)))) is not None and said.relation == "distinct"
            for a in self.upheld.members(one.part_a)
            for b in self.upheld.members(one.part_b)
        )


def _contradicts(row: RelationOverride, how: str) -> UsageError:
    return UsageError(
        f"the overrides contradict one another: {how}", where=row.where, mend="Take out one of these rows"
    )


def _read(one: Judgement) -> str:
    return {"same": "the same as", "distinct": "distinct from"}.get(
        one.relation, f"{one.relation} than"
    ) + f" {one.part_b}"


def _turned(one: Judgement) -> Judgement:
    return Judgement(one.part_b, one.part_a, INVERSE[one.relation], one.method, one.confidence)


def _forward(one: Judgement) -> Judgement:
    """`one` in the direction that has no `broader`; same and distinct with part_a first in the alphabet."""
    if one.relation == "broader" or (one.relation != "narrower" and one.part_a > one.part_b):
        return _turned(one)
    return one


def _enter(one: Judgement, ordering: Ordering) -> None:
    if one.relation == "same":
        ordering.same(one.part_a, one.part_b, one.confidence)
    elif one.relation == "narrower":
        ordering.narrower(one.part_a, one.part_b, one.confidence)


__all__ = ["METHODS", "SURE", "Judgement", "judge", "table"]
