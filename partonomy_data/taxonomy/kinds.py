"""Kinds of objects: the is-a pairs that a curated table adds to those of the sources, and look-ups in the whole graph.

PACO groups its objects in no way, and the groups of the other sources are words of their own (`quadruped`, `household
object`). The table `kinds.yaml` gives every object of PACO a parent, and joins the groups. Which parents a name gets
from it depends on the name alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import msgspec

from partonomy_data.taxonomy.categories import CURATED, Edge
from partonomy_data.taxonomy.lexicon import lexicon, read_yaml
from partonomy_data.taxonomy.qualifiers import sense
from partonomy_data.taxonomy.words import qualifier, without_qualifier

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")


@cache
def table() -> Mapping[str, tuple[str, ...]]:
    """The curated table as name → parents, sorted. Raises msgspec.ValidationError if it was edited into another shape."""
    members = msgspec.convert(read_yaml("kinds.yaml"), dict[str, tuple[str, ...]])
    parents: dict[str, set[str]] = defaultdict(set)
    for kind, children in members.items():
        for child in children:
            parents[child].add(kind)
    return {child: tuple(sorted(parents[child])) for child in sorted(parents)}


def parents_of(name: str) -> tuple[str, ...]:
    """The parents that the table gives a canonical name, sorted; none where it has no line.

    A name with a qualifier in parentheses has the parents of the bare name, unless it is in the table itself. A number
    in parentheses stands for another sense, and so does any qualifier of a name whose ordinary meaning has a gloss:
    "guitar (toy)" is a guitar, "mouse (animal)" and "crane (2)" may be anything.
    """
    known = table()
    bare = without_qualifier(name)
    for spelling in (name, sense(name)):
        if spelling in known:
            return known[spelling]
    other_sense = bare in lexicon().glosses or qualifier(name).isdecimal()
    return () if other_sense else known.get(bare, ())


def edges(names: Iterable[str]) -> list[Edge]:
    """The curated is-a pairs of `names` (canonical), of their parents, and so on up; sorted, with the source CURATED."""
    waiting = list(dict.fromkeys(names))
    seen = set(waiting)
    found: list[Edge] = []
    while waiting:
        name = waiting.pop()
        for parent in parents_of(name):
            found.append((name, parent, CURATED))
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    return sorted(found)


def without_implied(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """`edges` (acyclic) without the curated ones that follow from the others; sorted.

    A pair follows if a source says it too, or if another way leads up from the child to the parent.
    """
    ordered = sorted(edges)
    parents: dict[str, set[str]] = defaultdict(set)
    for child, parent, _ in ordered:
        parents[child].add(parent)
    said = {(child, parent) for child, parent, source in ordered if source != CURATED}

    def follows(child: str, parent: str) -> bool:
        stack = [other for other in parents[child] if other != parent]
        seen = set(stack)
        while stack:
            above = parents.get(stack.pop(), set())
            if parent in above:
                return True
            stack += above - seen
            seen |= above
        return False

    return tuple(
        (child, parent, source)
        for child, parent, source in ordered
        if source != CURATED or not ((child, parent) in said or follows(child, parent))
    )


@dataclass(frozen=True, slots=True)
class Siblings:
    """The categories that share a parent, kept by parent, so that memory is linear in the graph. See `siblings`."""

    groups: Mapping[str, frozenset[str]]
    """Parent → its children."""
    parents: Mapping[str, frozenset[str]]
    """Category → its parents; empty for a topmost one."""
    _ancestors: Mapping[str, frozenset[str]]

    def of(self, name: str) -> frozenset[str]:
        """The categories with a parent in common with `name`, without itself and what is broader or narrower.

        Takes time in proportion to the children of its parents. Empty for a name that is not in the graph.
        """
        near = frozenset[str]().union(*(self.groups[parent] for parent in self.parents.get(name, ())))
        above = self._ancestors.get(name, frozenset())
        return frozenset(one for one in near if one != name and one not in above and name not in self._ancestors[one])


def siblings(category_graph: pa.Table) -> Siblings:
    """Which categories share a direct parent, for look-up with `of`. Raises ValueError if the graph has a cycle."""
    parents = _parents(category_graph)
    groups: dict[str, set[str]] = defaultdict(set)
    for child, above in parents.items():
        for parent in above:
            groups[parent].add(child)
    return Siblings(_frozen(groups), _frozen(parents), ancestors(category_graph))


def ancestors(category_graph: pa.Table) -> Mapping[str, frozenset[str]]:
    """Every category of the table `category_graph` → all that are broader; empty for a topmost one.

    Sorted by name. Raises ValueError if the graph has a cycle.
    """

    def above(_: str, parents: Mapping[str, frozenset[str]]) -> frozenset[str]:
        return frozenset(parents).union(*parents.values())

    return _from_the_top(_parents(category_graph), above)


def roots(category_graph: pa.Table) -> Mapping[str, frozenset[str]]:
    """Every category of the table `category_graph` → its topmost ancestors; itself where nothing is broader.

    Sorted by name. Raises ValueError if the graph has a cycle.
    """

    def tops(name: str, parents: Mapping[str, frozenset[str]]) -> frozenset[str]:
        return frozenset[str]().union(*parents.values()) if parents else frozenset({name})

    return _from_the_top(_parents(category_graph), tops)


def _parents(category_graph: pa.Table) -> dict[str, set[str]]:
    """Every category → its direct parents, which are categories too."""
    parents: dict[str, set[str]] = {}
    pairs = zip(category_graph["child"].to_pylist(), category_graph["parent"].to_pylist(), strict=True)
    for child, parent in pairs:
        parents.setdefault(child, set()).add(parent)
        parents.setdefault(parent, set())
    return parents


def _from_the_top(parents: Mapping[str, set[str]], make: Callable[[str, Mapping[str, T]], T]) -> dict[str, T]:
    """What `make` gives for each category, from its name and what it gave for its parents."""
    children: dict[str, list[str]] = defaultdict(list)
    missing = {name: len(above) for name, above in parents.items()}
    for child, above in parents.items():
        for parent in above:
            children[parent].append(child)
    ready = [name for name, count in missing.items() if not count]
    made: dict[str, T] = {}
    while ready:
        name = ready.pop()
        made[name] = make(name, {parent: made[parent] for parent in parents[name]})
        for child in children[name]:
            missing[child] -= 1
            if not missing[child]:
                ready.append(child)
    if len(made) < len(parents):
        raise ValueError(f"the category graph has a cycle among {', '.join(sorted(set(parents) - set(made))[:5])}")
    return {name: made[name] for name in sorted(made)}


def _frozen(sets: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    return {name: frozenset(sets[name]) for name in sorted(sets)}
