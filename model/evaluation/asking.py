"""What a model is asked, and what it gives: the seam between the protocol and whatever is measured.

A model sees a photograph, a question, earlier turns, and choices: in an order that a key decides for each question, so that one
which prefers a place gains nothing. It never sees which choice is right, another question of the block, or what is visible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.plum.rendering import Turn


@dataclass(frozen=True)
class Asked:
    """A question, once, alone."""

    question_id: str
    view_id: str
    """Equal for questions that look at the same view of the same photograph."""
    image: Image.Image
    """RGB: the photograph, cut to the region that the question is about."""
    question: str
    choices: tuple[str, ...]
    history: tuple[Turn, ...] = ()
    spans: tuple[tuple[tuple[int, int], ...], ...] = ()
    """Of each choice, the characters [start, end) of the phrases that name parts; none of objects."""


@dataclass(frozen=True)
class Chosen:
    """A choice."""

    place: int | None
    """Of the choices as they were shown; None where none can be made out, or two are as likely."""
    scores: tuple[float, ...] | None = None
    """Of each, the higher the likelier: log-likelihoods, where the model has any."""
    lengths: tuple[int, ...] | None = None
    """Of each, the tokens that its score is a sum over."""


@dataclass(frozen=True)
class Part:
    """A phrase of a text, with a mask."""

    start: int
    end: int
    """Characters [start, end)."""
    mask: NDArray[np.bool_]
    """(h, w) of the image that was shown."""
    score: float | None = None
    """The model's own estimate of how good the mask is."""


@dataclass(frozen=True)
class Said:
    """A text with the parts that it names, in its order."""

    text: str
    parts: tuple[Part, ...]
    masked: bool = True
    """False of a model that makes no masks at all: none is then missing, and its text alone is measured."""


class Model(Protocol):
    """Whatever is measured. What it can't do, it gives None for: that is left out of the measurement, and said."""

    @property
    def name(self) -> str:
        """Under which its results are kept."""
        ...

    def choose(self, asked: Sequence[Asked]) -> list[Chosen | None]:
        """A choice for each question."""
        ...

    def segment(
        self, asked: Sequence[Asked], answers: Sequence[str], spans: Sequence[Sequence[tuple[int, int]]]
    ) -> list[Said | None]:
        """Masks for the spans of answers that are given, in the order of the spans."""
        ...

    def tag(self, asked: Sequence[Asked], answers: Sequence[str]) -> list[tuple[tuple[int, int], ...] | None]:
        """The spans of part names that it finds in answers that are given: characters [start, end)."""
        ...

    def say(self, asked: Sequence[Asked]) -> list[Said | None]:
        """Answers in its own words, and masks for the parts that it finds in them."""
        ...


class ChoosesOnly:
    """What a model that only chooses gives for all else: none. Its heirs say what they can do beside that."""

    def segment(
        self, asked: Sequence[Asked], answers: Sequence[str], spans: Sequence[Sequence[tuple[int, int]]]
    ) -> list[Said | None]:
        """None: it makes no masks."""
        return [None] * len(asked)

    def tag(self, asked: Sequence[Asked], answers: Sequence[str]) -> list[tuple[tuple[int, int], ...] | None]:
        """None: it tags nothing."""
        return [None] * len(asked)

    def say(self, asked: Sequence[Asked]) -> list[Said | None]:
        """None: it says nothing of its own."""
        return [None] * len(asked)
