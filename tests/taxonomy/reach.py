"""What lies above a name, by a plain walk."""

from __future__ import annotations


def reachable(start: str, above: dict[str, set[str]]) -> set[str]:
    """All names that are reached from `start`; itself too if a way leads back."""
    seen: set[str] = set()
    stack = list(above.get(start, ()))
    while stack:
        name = stack.pop()
        if name not in seen:
            seen.add(name)
            stack += above.get(name, ())
    return seen
