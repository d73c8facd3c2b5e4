"""Intersection and difference of part sets where names may be the same, broader or narrower.

The plain set operations would call "windscreen" and "windshield" different parts. Here two parts are *shared* if their
names are equal, or one is the same as, broader or narrower than the other; the broader name is the head of the pair,
that is, what can be said of both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from partonomy_data.taxonomy.overrides import INVERSE

if TYPE_CHECKING:
    import pyarrow as pa

    from partonomy_data.taxonomy.judges import Judgement


@dataclass(frozen=True, slots=True)
class PartRelations:
    """Relations between part names, for look-up. Make it with `of_table` or `of_rows`."""

    _of: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def of_rows(cls, rows: Iterable[Judgement], *, least: float = 0.0) -> PartRelations:
        """From judgements (see `taxonomy.relations.judge`) with a confidence of at least `least`; both directions."""
        return cls._of_pairs((row.part_a, row.part_b, row.relation) for row in rows if row.confidence >= least)

    @classmethod
    def of_table(cls, table: pa.Table, *, least: float = 0.0) -> PartRelations:
        """From the table `part_relations`, leaving out rows with a confidence under `least`."""
        columns = [table[name].to_pylist() for name in ("part_a", "part_b", "relation", "confidence")]
        return cls._of_pairs((a, b, relation) for a, b, relation, sure in zip(*columns, strict=True) if sure >= least)

    @classmethod
    def _of_pairs(cls, pairs: Iterable[tuple[str, str, str]]) -> PartRelations:
        of: dict[str, dict[str, str]] = {}
        for a, b, relation in pairs:
            if relation != "distinct":
                of.setdefault(a, {})[b] = relation
                of.setdefault(b, {})[a] = INVERSE[relation]
        return cls(of)

    def relation(self, a: str, b: str) -> str:
        """`a` is `same`, `broader`, `narrower` than (as) `b`, or `distinct` from it."""
        return "same" if a == b else self._of.get(a, {}).get(b, "distinct")

    def related(self, a: str) -> dict[str, str]:
        """The names that `a` is not distinct from, itself left out, with what `a` is to them; sorted."""
        return dict(sorted(self._of.get(a, {}).items()))

    def share(self, a_set: Collection[str], b_set: Collection[str]) -> list[tuple[str, str, str]]:
        """The parts that the two sets share: (head, part of `a_set`, part of `b_set`), sorted, each pair once.

        The head is the broader of the two names; of two that are the same, the first in the alphabet. A part may be
        in several pairs ("left wing" and "right wing" with "wing").
        """
        others = frozenset(b_set)
        out = []
        for a in sorted(frozenset(a_set)):
            mine = self._of.get(a, {})
            for b in others.intersection([a, *mine]):
                relation = self.relation(a, b)
                head = a if relation == "broader" else b if relation == "narrower" else min(a, b)
                out.append((head, a, b))
        return sorted(out)

    def minus(self, a_set: Collection[str], b_set: Collection[str]) -> list[str]:
        """The parts of `a_set` that share nothing with `b_set`, sorted."""
        others = frozenset(b_set)
        return sorted(a for a in frozenset(a_set) if a not in others and others.isdisjoint(self._of.get(a, {})))
