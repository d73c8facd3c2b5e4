"""The table `part_relations`: the judges' and the user's word on part names, made consistent and closed.

Each pair of names has one judgement, that of the most believed judge: the overrides file, then the curated list, then
`exact`, `lexical`, what a language model surely says, `head_noun`. What follows from the judgements is added (method
`closure`, with the confidence of the weakest link): names that are the same form a class, and narrower is transitive
over classes. A judgement that would make a name narrower than itself gives way to those that are believed more; where
overrides contradict one another, the build stops and names the cycle. A pair that is not in the table is distinct, by
default.

Not everything is passed on: curated relations, and any `same`, with a confidence under 0.9 are true in some objects
only (the trunk of a car, the trunk of an elephant), so they stand for their pair alone.

What rests on a language model carries the id of a call: its own judgements, and what wouldn't follow without them.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from partonomy_data.errors import UsageError
from partonomy_data.taxonomy.judges import METHODS, Judgement, judgements
from partonomy_data.taxonomy.ordering import Contradiction, Ordering
from partonomy_data.taxonomy.overrides import INVERSE, Overrides, RelationOverride
from schemas.tables import schema

#: From this confidence on a relation is taken to hold whatever the object, and is passed on.
SURE = 0.9


@dataclass(frozen=True, slots=True)
class Refused:
    """A judgement that was given and not taken up, since it contradicts what is believed more."""

    judgement: Judgement
    why: str
    """What it contradicts, in one line."""


def judge(
    parts: Iterable[str],
    overrides: Overrides | None = None,
    further: Iterable[Judgement] = (),
    refused: list[Refused] | None = None,
) -> list[Judgement]:
    """All relations between the names `parts` but the default; each pair in both directions, sorted by the two names.

    `further` are judgements beside those of the rules (`llm`, `llm_unsure`), believed as METHODS has it; in which order
    they come has no influence. Those that are not taken up are added to `refused`, if given. Raises UsageError (one
    line, naming the rows' cycle) if the overrides contradict one another, ValueError for a method that is not in
    METHODS.
    """
    names = frozenset(parts)
    weighed = _Weighed()
    weighed.override(overrides or Overrides())
    weighing = [(one, False) for one in judgements(names)] + [(_forward(one), True) for one in further]
    for one, given in sorted(weighing, key=_believed):
        why = weighed.judge(one, given) if {one.part_a, one.part_b} <= names else "there is no such part"
        if given and why is not None and refused is not None:
            refused.append(Refused(one, why))
    rows: dict[tuple[str, str], Judgement] = {}
    for one in (*weighed.follows(), *weighed.direct.values()):
        if one.part_a in names and one.part_b in names:
            rows[one.part_a, one.part_b] = one
            rows[one.part_b, one.part_a] = _turned(one)
    return [rows[pair] for pair in sorted(rows)]


def table(
    parts: Iterable[str],
    overrides: Overrides | None = None,
    further: Iterable[Judgement] = (),
    refused: list[Refused] | None = None,
) -> pa.Table:
    """`judge` as the table `part_relations`. Raises as `judge` does."""
    rows = judge(parts, overrides, further, refused)
    columns = [
        [row.part_a for row in rows],
        [row.part_b for row in rows],
        [row.relation for row in rows],
        [row.method for row in rows],
        [row.confidence for row in rows],
        [row.call_id for row in rows],
    ]
    into = schema("part_relations")
    return pa.table([pa.array(column, kind.type) for column, kind in zip(columns, into, strict=True)], schema=into)


def of_table(table: pa.Table) -> list[Judgement]:
    """The rows of a table `part_relations`, as `judge` gave them."""
    columns = [table[name].to_pylist() for name in ("part_a", "part_b", "relation", "method", "confidence", "call_id")]
    return [
        # The table's 32 bits make 0.9 a little less.
        Judgement(a, b, relation, method, round(confidence, 6), call_id)
        for a, b, relation, method, confidence, call_id in zip(*columns, strict=True)
    ]


def _believed(weighing: tuple[Judgement, bool]) -> tuple[int, float, bool, Judgement, str]:
    """What is weighed first: by method; of those that were given, the surest, and `distinct`, which bars a `same`."""
    one, given = weighing
    order = METHODS.index(one.method)
    if not given:
        return order, -1.0, False, one, ""
    return order, -one.confidence, one.relation != "distinct", one, one.call_id or ""


class _Weighed:
    """The judgements that were taken up, one a pair."""

    def __init__(self) -> None:
        self.direct: dict[frozenset[str], Judgement] = {}
        #: What is passed on, and from which the closure is made.
        self.passed_on = Ordering()
        #: The same and all other `narrower`: what a judgement may not contradict.
        self.upheld = Ordering()
        self._links: dict[str, list[tuple[str, str | None]]] = defaultdict(list)

    def override(self, overrides: Overrides) -> None:
        """Takes up the overrides. Raises UsageError if they contradict one another."""
        for row in overrides.relations:
            one = _forward(Judgement(row.part_a, row.part_b, row.relation, "override", 1.0))
            said = self.direct.setdefault(frozenset((row.part_a, row.part_b)), one)
            if said != one:
                raise _contradicts(row, f"{said.part_a} is {_read(said)}, and {one.part_a} is {_read(one)}")
            try:
                _enter(one, self.upheld)
                self._pass_on(one)
            except Contradiction as found:
                raise _contradicts(row, " → ".join(found.cycle)) from None
        for row in overrides.relations:
            follows = self.upheld.relation(row.part_a, row.part_b)
            if row.relation == "distinct" and follows != "distinct":
                raise _contradicts(row, f"{row.part_a} is {follows} ({row.part_b}) by the other rows")

    def judge(self, one: Judgement, given: bool = False) -> str | None:
        """Takes up a judge's word; or says why not, as its pair is judged otherwise, or what is believed more differs.

        A pair whose names are distinct may follow to be related (a tire is part of a wheel, and no kind of it); from
        what is `given` this is not accepted.
        """
        pair = frozenset((one.part_a, one.part_b))
        if pair in self.direct:
            said = _forward(self.direct[pair])
            agrees = (said.part_a, said.relation) == (one.part_a, one.relation)
            return None if agrees else f"{said.part_a} is {_read(said)} ({said.method})"
        if one.relation == "same" and self._parts(one):
            return "names that would be the same are distinct, or one narrower than the other"
        follows = self.upheld.relation(one.part_a, one.part_b)
        if given and one.relation == "distinct" and follows != "distinct":
            return f"it follows that {one.part_a} is {_read(replace(one, relation=follows))}"
        sure = one.confidence >= SURE or (one.relation == "narrower" and one.method == "head_noun")
        try:
            if sure or one.relation == "narrower":
                _enter(one, self.upheld)
        except Contradiction as found:
            return " → ".join(found.cycle)
        if sure:
            self._pass_on(one)
        self.direct[pair] = one
        return None

    def follows(self) -> Iterator[Judgement]:
        """What follows from all that is passed on (method `closure`); with a call where it rests on a model's word."""
        reached: dict[str, dict[str, str | None]] = {}
        for a, b, relation, sure in self.passed_on.closure():
            if a not in reached:
                reached[a] = self._calls(a)
            yield Judgement(a, b, relation, "closure", sure, reached[a][b])

    def _pass_on(self, one: Judgement) -> None:
        _enter(one, self.passed_on)
        if one.relation != "distinct":
            self._links[one.part_a].append((one.part_b, one.call_id))
        if one.relation == "same":
            self._links[one.part_b].append((one.part_a, one.call_id))

    def _calls(self, start: str) -> dict[str, str | None]:
        """The names that a way leads to from `start`: None if one without a model's word does, else the first call on
        a way with the fewest of them."""
        fewest: dict[str, tuple[int, str | None]] = {start: (0, None)}
        waiting = deque([start])
        while waiting:
            name = waiting.popleft()
            n, first = fewest[name]
            for other, call_id in self._links[name]:
                way = (n + (call_id is not None), first or call_id)
                if other not in fewest or way[0] < fewest[other][0]:
                    fewest[other] = way
                    (waiting.appendleft if call_id is None else waiting.append)(other)
        return {name: first for name, (_, first) in fewest.items()}

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
    return replace(one, part_a=one.part_b, part_b=one.part_a, relation=INVERSE[one.relation])


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


__all__ = ["METHODS", "SURE", "Judgement", "Refused", "judge", "of_table", "table"]
