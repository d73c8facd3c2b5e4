"""Which part belongs to which object, where the source doesn't say: by the share of the part inside each object.

The source's own links come first and never get here. For the others, the candidates are the photograph's objects of
the part's own object category:

    none      the parts of that category make one object, the union of them, which may stand for several (`merged`)
    one       it is that one (`only_object`), unless hardly any of the part lies in it
    several   it is the one that most of the part lies in (`overlap`), unless half of the part lies in none

A part that fits no candidate goes to quarantine (`part_unplaced`): a wrong whole is worse than none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from partonomy_data.masks import Rle, area, containment
from partonomy_data.rules import Rule

#: Share of a part that must lie in the only candidate, and in the best of several.
LEAST_IN_ONLY, LEAST_IN_BEST = 0.1, 0.5

RULES = (
    Rule(
        "part_unplaced",
        "quarantined",
        "A part is linked to no object, and too little of it lies in any object of its category.",
        "Its whole isn't known.",
    ),
    Rule(
        "object_from_parts",
        "kept",
        "Parts of an object category are annotated in a photograph without any object of it.",
        "One object is made of them, its mask their union; it may stand for several instances, and says so.",
    ),
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An object that a part could belong to."""

    index: int
    """The caller's number of the object."""
    outline: Rle
    """Its mask, or its box as a mask where it has none."""
    has_mask: bool


@dataclass(frozen=True, slots=True)
class Match:
    """The object of a part: its index, or -1 if none fits; how it was found; the share of the part inside its mask."""

    index: int
    method: str
    overlap: float | None


def match(parts: Sequence[Rle], candidates: Sequence[Candidate]) -> list[Match]:
    """The object of each part, of one category in one photograph, among at least one candidate.

    Ties go to the smaller object, then to the first. Raises MaskError if sizes differ.
    """
    if not parts:
        return []
    share = containment(parts, [candidate.outline for candidate in candidates])
    if len(candidates) == 1:
        return [_verdict(candidates[0], float(row[0]), "only_object", LEAST_IN_ONLY) for row in share]
    sizes = np.array([float(area(candidate.outline)) for candidate in candidates])
    matches = []
    for row in share:
        best = min(range(len(candidates)), key=lambda i: (-round(float(row[i]), 6), sizes[i], i))
        matches.append(_verdict(candidates[best], float(row[best]), "overlap", LEAST_IN_BEST))
    return matches


def _verdict(candidate: Candidate, share: float, method: str, least: float) -> Match:
    if share < least:
        return Match(-1, method, share)
    return Match(candidate.index, method, share if candidate.has_mask else None)
