"""Which questions a group is asked: the types, each with contrast categories under which all its members differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from partonomy_data.questions import keyed, truth
from partonomy_data.questions.contrasts import MOST_PAIRS, Contrasts
from partonomy_data.questions.settings import TWO_TURNS
from partonomy_data.questions.truth import Bools, Sets

#: The order in which questions are added, until there are as many as may be.
_ORDER: Final = (
    ("identification", 0),
    ("intersection", 0),
    ("difference", 0),
    ("contrast", 0),
    ("part_to_whole", 0),
    ("whole_to_part", 0),
    ("intersection", 1),
    ("difference", 1),
    ("contrast", 1),
)
#: Of the contrasts that do, one of so many of the nearest is taken.
_NEAREST: Final = 6


@dataclass(frozen=True, slots=True)
class Ask:
    """A question for all members of a group: whose answers are their visible parts among `mask` (columns of the sets)."""

    question_type: str
    contrasts: tuple[str, ...]
    mask: Bools
    curated: bool
    """Whether what the contrast categories lack is their sources' own evidence."""


@dataclass(frozen=True, slots=True)
class Masks:
    """The parts that each possible question of a type asks for: (questions, parts)."""

    contrasts: tuple[tuple[str, ...], ...]
    masks: Bools
    unsettled: Bools
    curated: Bools


def masks_of(contrasts: Contrasts) -> dict[str, Masks]:
    """The possible questions of the types that name other categories, the most instructive first."""
    shared, lacking = contrasts.shared, ~contrasts.shared & ~contrasts.unsettled
    useful = truth.count(shared, lacking) > 0
    pairs = [(a, b) for a, b in _pairs(len(contrasts.names)) if useful[a, b]][:MOST_PAIRS]
    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    one = tuple((name,) for name in contrasts.names)
    return {
        "intersection": Masks(one, shared, contrasts.unsettled, contrasts.curated),
        "difference": Masks(one, lacking, contrasts.unsettled, contrasts.curated),
        "contrast": Masks(
            tuple((contrasts.names[a], contrasts.names[b]) for a, b in pairs),
            shared[first] & lacking[second],
            contrasts.unsettled[first] | contrasts.unsettled[second],
            contrasts.curated[first] & contrasts.curated[second],
        ),
    }


@cache
def _pairs(n: int) -> tuple[tuple[int, int], ...]:
    """The pairs of two of `n`, the nearest first."""
    return tuple(sorted(((a, b) for a in range(n) for b in range(n) if a != b), key=lambda pair: (sum(pair), pair)))


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a type promises in a bucket, with the contrast categories that promise the most groups."""

    answers: Bools
    """(instances, parts); empty for those that can't be asked."""
    askable: Bools
    """Instances that some question of the type can be asked about."""
    bound: int
    """How many instances could be in groups, if this were the only type."""


def prospects(sets: Sets, contrasts: Contrasts, k: int) -> dict[str, Prospect]:
    """By type that names other categories, what it promises for the instances of a bucket, in groups of `k`."""
    found = {}
    for question_type, possible in masks_of(contrasts).items():
        settled = truth.count(sets.visible, possible.unsettled) == 0  # (instances, questions)
        answered = (truth.count(sets.visible, possible.masks) > 0) & settled
        best, best_bound = -1, 0
        for place in np.flatnonzero(answered.sum(axis=0) >= k):
            answers = sets.visible[answered[:, place]] & possible.masks[place]
            bound = k * truth.most_groups(truth.counts_of(answers), k)
            if bound > best_bound:
                best, best_bound = int(place), bound
        mask = possible.masks[best] & answered[:, [best]] if best >= 0 else np.zeros_like(sets.visible)
        found[question_type] = Prospect(sets.visible & mask, answered.any(axis=1), best_bound)
    return found


def largest(sets: Sets, sizes: Sequence[int]) -> int:
    """The first of the sizes that allows any group; the last if none does."""
    counts = truth.counts_of(sets.visible)
    return next((k for k in sizes if truth.most_groups(counts, k)), sizes[-1])


def choose(groups: Sequence[Sets], contrasts: Contrasts, names_object: bool, key: str, most: int) -> list[Ask]:
    """The questions that all of `groups` are asked: of each, all members differ under each question.

    The groups show the same parts (one group, or several with the same sets); `contrasts` is restricted to these parts,
    and holds no category that must not be named. The choice among the contrasts that do is decided by `key`.
    """
    everything = np.ones(len(groups[0].parts), bool)
    possible = masks_of(contrasts)
    fitting = {kind: shuffled_best(groups, masks, key, kind) for kind, masks in possible.items()}
    asks = []
    for question_type, nth in _ORDER:
        if question_type == "identification" or (question_type in TWO_TURNS and not names_object):
            asks.append(Ask(question_type, (), everything, True))
        elif question_type in fitting and nth < len(fitting[question_type]):
            place, masks = fitting[question_type][nth], possible[question_type]
            asks.append(Ask(question_type, masks.contrasts[place], masks.masks[place], bool(masks.curated[place])))
    return asks[:most]


def shuffled_best(groups: Sequence[Sets], masks: Masks, key: str, kind: str) -> list[int]:
    """Places of the questions under which all members of each group differ: the nearest few, in keyed order."""
    if not len(masks.masks):
        return []
    good = ~masks.unsettled.any(axis=1) & masks.masks.any(axis=1)
    for sets in groups:
        answers = sets.visible[None] & masks.masks[:, None, :]
        differ = truth.distinct(answers, sets.doubt[None] & masks.masks[:, None, :], sets.related)
        n = len(sets.visible)
        good &= (differ | np.eye(n, dtype=bool)).all(axis=(1, 2))
        # Members that differ have answers; a single one need not have any.
        good &= np.asarray(answers.any(axis=2)).all(axis=1)
    # A question whose answer is all that is visible asks for no comparison, and comes last.
    plain = np.asarray(masks.masks.all(axis=1))
    order = sorted(np.flatnonzero(good).tolist(), key=lambda place: (bool(plain[place]), place))
    best = [place for place in order if not plain[place]][:_NEAREST] or order[:_NEAREST]
    return keyed.shuffled(best, key, kind)
