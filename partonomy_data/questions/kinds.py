"""The category graph as questions look it up: what is broader, what belongs together, and in which family."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from partonomy_data.taxonomy import kinds
from partonomy_data.taxonomy.kinds import Siblings
from partonomy_data.taxonomy.words import without_qualifier


@dataclass(frozen=True, slots=True)
class Kinds:
    """Make it with `of_table`. A category that is not in the graph has nothing above, below or beside it."""

    _siblings: Siblings
    _ancestors: Mapping[str, frozenset[str]]
    _roots: Mapping[str, frozenset[str]]

    @classmethod
    def of_table(cls, category_graph: pa.Table) -> Kinds:
        """From the table `category_graph`. Raises ValueError if it has a cycle."""
        return cls(kinds.siblings(category_graph), kinds.ancestors(category_graph), kinds.roots(category_graph))

    def all_parents(self) -> Mapping[str, frozenset[str]]:
        """Category → its direct parents."""
        return self._siblings.parents

    def parents(self, category: str) -> frozenset[str]:
        """The next broader categories."""
        return self._siblings.parents.get(category, frozenset())

    def roots(self, category: str) -> frozenset[str]:
        """The broadest ones, or the category itself if there is none broader."""
        return self._roots.get(category, frozenset({category}))

    def family(self, category: str) -> str:
        """One of the roots: the first in the alphabet."""
        return min(self.roots(category))

    def siblings(self, category: str) -> frozenset[str]:
        """Those that share a parent, without those that are broader or narrower."""
        return self._siblings.of(category)

    def related(self, a: str, b: str) -> bool:
        """Whether an a may be called a b or the other way round: one is broader, or they differ by a qualifier alone."""
        return (
            a in self._ancestors.get(b, ())
            or b in self._ancestors.get(a, ())
            or without_qualifier(a) == without_qualifier(b)
        )

    def relatives(self, categories: Iterable[str]) -> dict[str, frozenset[str]]:
        """Of each of the categories, the others among them that are `related` to it."""
        known = frozenset(categories)
        found: dict[str, set[str]] = {one: set() for one in known}
        bare: dict[str, set[str]] = defaultdict(set)
        for one in known:
            bare[without_qualifier(one)].add(one)
            for ancestor in self._ancestors.get(one, frozenset()) & known:
                found[one].add(ancestor)
                found[ancestor].add(one)
        for alike in bare.values():
            for one in alike:
                found[one] |= alike - {one}
        return {name: frozenset(others) for name, others in found.items()}
