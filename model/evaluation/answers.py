"""What the metrics take: the truth of a question, and what a model said to it. Plain data, from any model.

Nothing here is checked: see `checking.check`, which every metric's input goes through.
"""

from __future__ import annotations

from dataclasses import dataclass

from partonomy_data.errors import UsageError
from partonomy_data.masks import Rle, RleJson


class EvaluationError(UsageError):
    """The truth, or the set of predictions as a whole, can't be evaluated as it is."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An answer to choose from, and the part names in it."""

    text: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PartMask:
    """The mask of a part of that name."""

    part: str
    mask: Rle | RleJson
    score: float = 0.0
    """How sure the model is of it, from 0 to 1: the IoU that the mask decoder expects. Ranks the masks for AP50."""


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` of the correct answer's text, which name that part."""

    start: int
    end: int
    part: str


@dataclass(frozen=True, slots=True)
class Truth:
    """A question, with all that its scores are computed from and sorted by."""

    question_id: str
    photograph: str
    split: str
    source: str
    question_type: str
    object_category: str
    verified: bool
    """Whether its key is right by evidence (`evidence` in the table `questions`)."""
    size: tuple[int, int]
    """Height and width of the photograph in pixels."""
    choices: tuple[Choice, ...]
    correct: int
    """Position of the right choice."""
    chance: float
    """Expected accuracy without the photograph."""
    masks: tuple[PartMask, ...] = ()
    """The parts that the right answer names. Masks under one name are united, as the question asks for parts by name."""
    spans: tuple[Span, ...] = ()
    block: str | None = None
    """The questions with the same choices, each right once; as many as there are choices."""
    group: str | None = None
    """The photographs whose questions draw on each other's answers; its blocks are not independent of each other."""
    object_choices: tuple[str, ...] = ()
    """The choices of a two-turn question's turn for the object; none in the other types."""
    correct_object: int | None = None
    collection: str = ""
    """The set that the photograph was taken from (`coco`, `imagenet`, `voc`: which backbones trained on), if it is known."""
    paraphrases: str | None = None
    """One name for a question and its rewordings, which have the same choices in any order; None if it has none."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model said to a question. What it left out stays as it is here, and scores 0."""

    question_id: str
    scores: tuple[float, ...] | None = None
    """Its score of each choice: the natural logarithm of the answer's probability, not divided by its length."""
    tokens: tuple[int, ...] | None = None
    """How many tokens each of the choices has, for scores by length."""
    chosen: int | None = None
    """The choice that it took. Only used where there are no scores: among scores that tie, none was taken."""
    object_scores: tuple[float, ...] | None = None
    object_chosen: int | None = None
    text: str | None = None
    """The answer that it generated."""
    generated: int | None = None
    """The choice which that answer is; None if it is none of them."""
    parts: tuple[str, ...] | None = None
    """The part names in that answer, in order; one that is said twice stands here twice."""
    spans: tuple[tuple[int, int], ...] | None = None
    """The spans that it tagged in the *right* answer's text: start and end in characters."""
    masks: tuple[PartMask, ...] | None = None
    """A mask for each part that it named, in order."""
