"""Which other categories a category is compared with: near ones, different ones for different groups.

A contrast category is of use for an intersection if the two share several parts but not all, for a difference if they
share some part and the category has several that the other lacks. Of these the nearest come first: in the category
graph, then by the share of parts in common. Which of the nearest a group is asked about is left to the group's key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from partonomy_data.questions.claims import Bools, Claim, Claims
from partonomy_data.questions.kinds import Kinds

#: Contrast categories that are looked at for a category, and pairs of them.
MOST: Final = 24
MOST_PAIRS: Final = 48
#: What being a sibling counts, beside the share of parts in common.
_NEAR: Final = 0.25


@dataclass(frozen=True, slots=True)
class Contrasts:
    """Contrast categories, the most instructive first, and what they say of some parts.

    The arrays have a row for each contrast category and a column for each part.
    """

    names: tuple[str, ...]
    shared: Bools
    unsettled: Bools
    curated: Bools
    """Of each: what it has and lacks of these parts is evidence; no language model's word is needed for any."""


def contrasts(names: Collection[str], claims: Mapping[str, Claim], parts: Sequence[str]) -> Contrasts:
    """The contrast categories `names`, in that order, for `parts` (columns).

    Parts that would all be called by the same broader name of the contrast category are unsettled: "which parts would a
    teapot have too?" can't be answered with a hoof and a paw, though it has a foot.
    """
    of = [claims[name] for name in names]
    shape = (len(of), len(parts))
    unsettled = np.zeros(shape, bool)
    for row, one in enumerate(of):
        called = Counter(one.heads.get(part, part) for part in parts)
        unsettled[row] = [
            part in one.unsettled or (part in one.heads and called[one.heads[part]] > 1) for part in parts
        ]
    return Contrasts(
        tuple(names),
        np.array([[part in one.shared for part in parts] for one in of], bool).reshape(shape),
        unsettled,
        np.array([one.curated and one.judged.isdisjoint(parts) for one in of], bool),
    )


def contrast_names(
    category: str, parts: Collection[str], claims: Claims, kinds: Kinds, held_out: Collection[str]
) -> list[str]:
    """The contrast categories of a category, the most instructive first, at most MOST.

    `parts` are those that its source may label in it. Neither the category itself, nor one that is broader or
    narrower, nor one of `held_out` is among them, nor one that shares no part with it.
    """
    columns = claims.columns(sorted(parts))
    columns = columns[columns >= 0]
    shared, unsettled = claims.shared[:, columns], claims.unsettled[:, columns]
    n_shared, n_lacking = shared.sum(axis=1), (~shared & ~unsettled).sum(axis=1)
    overlap = n_shared / np.maximum(claims.has.sum(axis=1) + len(columns) - n_shared, 1)
    near = kinds.siblings(category)
    usable = [
        int(place)
        for place in np.flatnonzero((n_shared > 0) & ((n_lacking > 0) | (n_shared > 1)))
        if claims.categories[place] not in held_out and not kinds.related(claims.categories[place], category)
    ]

    def rank(place: int) -> tuple[bool, float, str]:
        asks_much = n_shared[place] >= 2 and n_lacking[place] >= 1
        name = claims.categories[place]
        return not asks_much, -float(overlap[place]) - _NEAR * (name in near), name

    # One with unsettled parts can't be asked about where these are visible; some are kept, as they are often nearest.
    ranked = sorted(usable, key=rank)
    settled = [place for place in ranked if not unsettled[place].any()][: MOST * 2 // 3]
    others = [place for place in ranked if place not in settled][: MOST - len(settled)]
    return [claims.categories[place] for place in sorted([*settled, *others], key=rank)]
