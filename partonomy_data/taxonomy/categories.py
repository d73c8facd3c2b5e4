"""The is-a pairs between object categories, kept free of cycles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

#: (child, parent, source)
Edge = tuple[str, str, str]

#: The source of the pairs that no source declares (see `taxonomy.kinds`).
CURATED: Final = "curated"


def acyclic(edges: Iterable[Edge]) -> tuple[tuple[Edge, ...], tuple[Edge, ...]]:
    """`edges` that form no cycle, and those that were left out because they close one; both sorted and distinct.

    Sources come in the order of their names, CURATED after all others, and within a source its edges in theirs: of
    two that exclude each other the first stays. One pass over all edges where there is no cycle, as there hardly ever is.
    """
    ordered = sorted(set(edges), key=lambda edge: (edge[2] == CURATED, edge[2], edge[0], edge[1]))
    if cycle(ordered) is None:
        return tuple(sorted(ordered)), ()
    kept: list[Edge] = []
    dropped: list[Edge] = []
    parents: dict[str, set[str]] = defaultdict(set)
    for child, parent, source in ordered:
        if child in _above(parent, parents):
            dropped.append((child, parent, source))
        else:
            parents[child].add(parent)
            kept.append((child, parent, source))
    return tuple(sorted(kept)), tuple(sorted(dropped))


def _above(start: str, parents: dict[str, set[str]]) -> set[str]:
    """`start` and all that can be reached from it."""
    seen, stack = {start}, [start]
    while stack:
        for parent in parents.get(stack.pop(), ()):
            if parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return seen


def cycle(edges: Iterable[tuple[str, ...]]) -> list[str] | None:
    """The names along a cycle of `edges` ((child, parent, …)), the first again at the end; None if there is none."""
    parents: dict[str, set[str]] = defaultdict(set)
    below: dict[str, int] = defaultdict(int)
    for child, parent, *_ in edges:
        if parent not in parents[child]:
            parents[child].add(parent)
            below[parent] += 1
    ready = [name for name in parents if not below[name]]
    while ready:
        for parent in parents.pop(ready.pop(), ()):
            below[parent] -= 1
            if not below[parent]:
                ready.append(parent)
    left = {name for name, count in below.items() if count}
    if not left:
        return None
    # Every name that is left has a child that is left: going down from any of them must come round.
    children = {parent: child for child in sorted(left) for parent in sorted(parents.get(child, ())) if parent in left}
    path = [min(left)]
    while path[-1] not in path[:-1]:
        path.append(children[path[-1]])
    return path[path.index(path[-1]) :][::-1]
