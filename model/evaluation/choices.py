"""Accuracy of the choice by likelihood and by generation. A tie for the best score is a wrong choice, whatever it is between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model.evaluation.checking import Checked
from model.evaluation.marks import Floats, Marks


def picked(scores: Sequence[float] | None, chosen: int | None = None) -> int | None:
    """The choice with the highest score; None if several have it. Without scores, the choice that was named."""
    if scores is None:
        return chosen
    best = max(scores)
    first = scores.index(best)
    return None if best in scores[first + 1 :] else first


def kept(scores: Sequence[float]) -> tuple[float, ...]:
    """Scores as the table `predictions` keeps them, of 32 bits: by these a choice is made, so that all that rests on it agrees.

    What is too large for them is infinite.
    """
    with np.errstate(over="ignore"):
        return tuple(np.asarray(scores, np.float32).tolist())


def best(scores: Sequence[float] | None) -> int | None:
    """The place of the highest score; None where two are the highest, one is not a number, or there are none."""
    if not scores or any(score != score for score in scores):
        return None
    highest = max(scores)
    found = [place for place, score in enumerate(scores) if score == highest]
    return found[0] if len(found) == 1 else None


def by_length(scores: Sequence[float] | None, tokens: Sequence[int] | None) -> tuple[float, ...] | None:
    """Scores per token: log-likelihoods divided by the choices' lengths; None where either is missing."""
    if scores is None or tokens is None:
        return None
    return tuple(score / length for score, length in zip(scores, tokens, strict=True))


def taken(checked: Checked) -> int | None:
    """The choice that the model took by its summed scores; None where there is none, or a tie."""
    return picked(checked.prediction.scores, checked.prediction.chosen)


def accuracy(checked: Sequence[Checked]) -> dict[str, Marks]:
    """`accuracy`, `chance`, and `chance_corrected`: (accuracy - chance) / (1 - chance), both pooled over the questions.

    chance_corrected is 0 for a model that guesses, 1 for one that is always right, and negative below chance.
    """
    hit = np.array([taken(one) == one.truth.correct for one in checked], np.float64)
    chance = np.array([one.truth.chance for one in checked], np.float64)
    every = np.ones(len(checked))
    return {
        "accuracy": Marks(hit, every),
        "chance": Marks(chance, every),
        "chance_corrected": Marks(hit - chance, 1 - chance),
    }


def normalized(checked: Sequence[Checked]) -> dict[str, Marks]:
    """`accuracy_by_length`: of the choices with the highest score per token."""
    said = [one.prediction for one in checked]
    hit = [
        picked(by_length(given.scores, given.tokens)) == one.truth.correct
        for one, given in zip(checked, said, strict=True)
    ]
    return {"accuracy_by_length": Marks(np.array(hit, np.float64), np.ones(len(checked)))}


def objects(checked: Sequence[Checked]) -> dict[str, Marks]:
    """`object_accuracy` of questions with an object turn, and `both_accuracy`: parts and object right."""
    asked = np.array([one.truth.correct_object is not None for one in checked], np.float64)
    object_hit = np.array(
        [
            one.truth.correct_object is not None
            and picked(one.prediction.object_scores, one.prediction.object_chosen) == one.truth.correct_object
            for one in checked
        ],
        np.float64,
    )
    hit = np.array([taken(one) == one.truth.correct for one in checked], np.float64)
    return {"object_accuracy": Marks(object_hit, asked), "both_accuracy": Marks(object_hit * hit, asked)}


def generation(checked: Sequence[Checked]) -> dict[str, Marks]:
    """`generation_accuracy`, and `likelihood_agrees`: how often likelihood and generation give the same choice.

    An answer that is none of the choices is wrong, and agrees with nothing.
    """
    every = np.ones(len(checked))
    said = [one.prediction.generated for one in checked]
    right = [given == one.truth.correct for one, given in zip(checked, said, strict=True)]
    same = [given is not None and given == taken(one) for one, given in zip(checked, said, strict=True)]
    return {
        "generation_accuracy": Marks(np.array(right, np.float64), every),
        "likelihood_agrees": Marks(np.array(same, np.float64), every),
    }


def probabilities(scores: Sequence[float]) -> Floats:
    """Softmax of the choices' scores, float64 (k,); even where all are minus infinity."""
    values = np.array(scores, np.float64)
    best = values.max()
    if np.isneginf(best):
        return np.full(len(values), 1 / len(values))
    raised = np.exp(values - best)
    return np.asarray(raised / raised.sum())
