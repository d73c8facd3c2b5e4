"""What an answer is worth in each metric of its set: two numbers that add up over questions, the one over the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from model.evaluation.general import normalizing
from model.evaluation.general.reading import Format, Question

#: The metrics of each set, in the order in which they are told.
METRICS: Final[Mapping[Format, tuple[str, ...]]] = {
    "pope": ("accuracy", "precision", "recall", "f1", "yes_share", "neither"),
    "textvqa": ("vqa_accuracy",),
    "gqa": ("accuracy",),
}

Pairs = tuple[tuple[float, float], ...]


def score(form: Format, question: Question, answer: str | None) -> Pairs:
    """For each metric of the set, top and bottom; where the bottom is 0 the question has no say in it.

    `answer` None: nothing came from the model. That is wrong, whatever is true.
    """
    if form == "pope":
        return _pope(question.answers[0], answer)
    if answer is None:
        return ((0.0, 1.0),)
    if form == "gqa":
        return ((float(normalizing.gqa(answer) == normalizing.gqa(question.answers[0])), 1.0),)
    people = [normalizing.textvqa(one) for one in question.answers]
    return ((normalizing.soft_accuracy(normalizing.textvqa(answer), people), 1.0),)


def _pope(label: str, answer: str | None) -> Pairs:
    true = label == "yes"
    said = not true if answer is None else normalizing.pope(answer) == "yes"
    hit = float(said and true)
    return (
        (float(said == true), 1.0),
        (hit, float(said)),
        (hit, float(true)),
        (2 * hit, float(said) + float(true)),
        (float(said), 1.0),
        (0.0, 0.0) if answer is None else (float(not normalizing.says_either(answer)), 1.0),
    )
