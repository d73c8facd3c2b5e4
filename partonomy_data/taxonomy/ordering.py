"""A partial order of names, some of which are the same: their classes, what is narrower, and what follows."""

from __future__ import annotations

from collections.abc import Iterator


class Contradiction(Exception):
    """A relation that would make a name narrower than itself; `cycle` are the names on the way, first again at the end."""

    def __init__(self, cycle: list[str]) -> None:
        self.cycle = cycle
        super().__init__(" → ".join(cycle))


class Ordering:
    """Names in classes of the same, with `narrower` between classes; never cyclic.

    Entering a relation costs a walk over what lies above it, which in a taxonomy of names is a handful.
    """

    def __init__(self) -> None:
        self._root: dict[str, str] = {}
        self._members: dict[str, list[str]] = {}
        self._sameness: dict[str, float] = {}
        self._above: dict[str, dict[str, tuple[float, str, str]]] = {}

    def members(self, name: str) -> list[str]:
        """The names of the class that `name` is in, itself included."""
        return self._members.get(self._find(name), [name])

    def relation(self, a: str, b: str) -> str:
        """`same`, `narrower` (a than b), `broader`, or `distinct` if nothing follows."""
        if self._find(a) == self._find(b):
            return "same"
        if self._path(a, b):
            return "narrower"
        return "broader" if self._path(b, a) else "distinct"

    def same(self, a: str, b: str, confidence: float) -> None:
        """Puts `a` and `b` into one class. Raises Contradiction if one is narrower than the other."""
        one, other = self._add(a), self._add(b)
        way = self._path(a, b) or self._path(b, a)
        if one != other and way:
            raise Contradiction([*way, way[0]])
        sure = min(confidence, self._sameness[one], self._sameness[other])
        if one != other:
            keep, lose = sorted((one, other))
            for name in self._members.pop(lose):
                self._root[name] = keep
                self._members[keep].append(name)
            for edge in self._above.pop(lose).values():
                self._link(keep, edge)
            del self._sameness[lose]
            self._sameness[keep] = sure

    def narrower(self, a: str, b: str, confidence: float) -> None:
        """Makes `a` narrower than `b`. Raises Contradiction if `b` is the same as, or narrower than, `a`."""
        low, high = self._add(a), self._add(b)
        way = [b, a] if low == high else self._path(b, a)
        if way:
            raise Contradiction([a, *way])
        self._link(low, (confidence, a, b))

    def closure(self) -> Iterator[tuple[str, str, str, float]]:
        """All that holds: (a, b, `same` or `narrower`, confidence of the surest way's weakest link); each pair once."""
        reached: dict[str, dict[str, float]] = {}
        for root in sorted(self._members):
            self._reach(root, reached)
        for root in sorted(self._members):
            own = sorted(self._members[root])
            for i, a in enumerate(own):
                yield from ((a, b, "same", self._sameness[root]) for b in own[i + 1 :])
                for high, confidence in sorted(reached[root].items()):
                    weakest = min(confidence, self._sameness[root], self._sameness[high])
                    yield from ((a, b, "narrower", weakest) for b in sorted(self._members[high]))

    def _add(self, name: str) -> str:
        if name not in self._root:
            self._root[name] = name
            self._members[name] = [name]
            self._sameness[name] = 1.0
            self._above[name] = {}
        return self._root[name]

    def _find(self, name: str) -> str:
        return self._root.get(name, name)

    def _link(self, low: str, edge: tuple[float, str, str]) -> None:
        """Keeps, for each higher name, the surest edge (confidence, narrower name, broader name)."""
        known = self._above[low].get(edge[2])
        if known is None or edge[0] > known[0]:
            self._above[low][edge[2]] = edge

    def _path(self, low: str, high: str) -> list[str]:
        """Names along a way up from the class of `low` to that of `high`, both ends included; empty if there is none."""
        goal, start = self._find(high), self._find(low)
        came: dict[str, tuple[str, str, str] | None] = {start: None}
        queue = [start]
        for root in queue:
            for _, a, b in self._above.get(root, {}).values():
                up = self._find(b)
                if up not in came:
                    came[up] = (root, a, b)
                    queue.append(up)
        if goal not in came or goal == start:
            return []
        way, at = [high], goal
        while (step := came[at]) is not None:
            at, a, b = step
            way += [b] * (b != way[-1]) + [a]
        return [*([low] if way[-1] != low else []), *way[::-1]]

    def _reach(self, start: str, reached: dict[str, dict[str, float]]) -> None:
        """Fills `reached[start]`: class above → confidence of the surest way there. Uses a stack, for long chains."""
        stack = [start]
        while stack:
            root = stack[-1]
            ups = [(self._find(b), confidence) for confidence, _, b in self._above[root].values()]
            waiting = [up for up, _ in ups if up not in reached]
            if root not in reached and waiting:
                stack += waiting
                continue
            stack.pop()
            best: dict[str, float] = {}
            for up, confidence in ups:
                best[up] = max(best.get(up, 0.0), confidence)
                for higher, further in reached[up].items():
                    best[higher] = max(best.get(higher, 0.0), min(confidence, further, self._sameness[up]))
            reached[root] = best
