"""What choosers score that never look at the photograph: a model that isn't better than they are has shown nothing.

In a balanced block each of them is right exactly once, so that it scores chance. Elsewhere it may score far more, which is why
its score stands beside the model's in every slice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from model.evaluation.answers import Choice
from model.evaluation.checking import Checked
from model.evaluation.marks import Marks


def first(choices: Sequence[Choice]) -> list[float]:
    """Takes the first choice."""
    return [-float(place) for place in range(len(choices))]


def longest(choices: Sequence[Choice]) -> list[float]:
    """Takes the choice with the most characters."""
    return [float(len(choice.text)) for choice in choices]


def shortest(choices: Sequence[Choice]) -> list[float]:
    """Takes the choice with the fewest characters."""
    return [-float(len(choice.text)) for choice in choices]


def most_parts(choices: Sequence[Choice]) -> list[float]:
    """Takes the choice that names the most parts."""
    return [float(len(choice.parts)) for choice in choices]


def central(choices: Sequence[Choice]) -> list[float]:
    """Takes the choice whose parts have the highest mean Jaccard index with the other choices' parts."""
    sets = [frozenset(choice.parts) for choice in choices]
    sums = [
        sum(sorted(_jaccard(one, other) for place, other in enumerate(sets) if place != own))
        for own, one in enumerate(sets)
    ]
    return [total / (len(choices) - 1) for total in sums]


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    either = len(one | other)
    return len(one & other) / either if either else 1.0


#: Each gives a score to every choice, and takes the one with the highest.
ATTACKERS: Final[Mapping[str, Callable[[Sequence[Choice]], list[float]]]] = {
    "first": first,
    "longest": longest,
    "shortest": shortest,
    "most_parts": most_parts,
    "central": central,
}


def expected(scores: Sequence[float], correct: int) -> float:
    """The expected accuracy of a chooser that draws among its best: a tie isn't its fault, as it is a model's."""
    best = max(scores)
    return 1 / scores.count(best) if scores[correct] == best else 0.0


def blind(checked: Sequence[Checked]) -> dict[str, Marks]:
    """`blind_<attacker>`: its accuracy on the same questions."""
    every = np.ones(len(checked))
    return {
        f"blind_{name}": Marks(
            np.array([expected(attack(one.truth.choices), one.truth.correct) for one in checked], np.float64), every
        )
        for name, attack in ATTACKERS.items()
    }
