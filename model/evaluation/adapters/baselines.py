"""Answers that need no model: what is reached by chance, and by knowing the truth.

A number is read beside these. Random is at chance, or the questions are wrong; the oracle is at 1 everywhere, or the
measurement is. What habits get (always the first, the longest, …) stands in every slice already: see `attackers`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from model.evaluation.asking import Asked, ChoosesOnly, Chosen, Part, Said
from model.evaluation.questions import Posed


class Random(ChoosesOnly):
    """A choice by key, each as often as any other; no masks."""

    name = "random"

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    def choose(self, asked: Sequence[Asked]) -> list[Chosen | None]:
        """By the question's id, the place of its turn, and the seed."""
        return [Chosen(self.number(one) % len(one.choices)) for one in asked]

    def number(self, one: Asked) -> int:
        """A number that the question, its turn and the seed decide."""
        told = f"{self._seed}/{one.question_id}/{len(one.history)}"
        return int.from_bytes(hashlib.sha256(told.encode()).digest()[:8], "big")


class Oracle:
    """The truth, which the protocol tells it beforehand: right choices, true masks, true answers."""

    name = "oracle"

    def __init__(self) -> None:
        self._posed: dict[str, Posed] = {}

    def told(self, posed: Sequence[Posed]) -> None:
        """What is about to be asked."""
        self._posed = {one.question_id: one for one in posed}

    def choose(self, asked: Sequence[Asked]) -> list[Chosen | None]:
        """The right choice."""
        found: list[Chosen | None] = []
        for one in asked:
            posed = self._posed[one.question_id]
            turn = posed.second if one.history else posed.first
            assert turn is not None
            found.append(Chosen(posed.shuffled[turn].index(posed.turns[turn].correct)))
        return found

    def segment(
        self, asked: Sequence[Asked], answers: Sequence[str], spans: Sequence[Sequence[tuple[int, int]]]
    ) -> list[Said | None]:
        """The true masks."""
        return self.say(asked)

    def tag(self, asked: Sequence[Asked], answers: Sequence[str]) -> list[tuple[tuple[int, int], ...] | None]:
        """The true spans."""
        turns = [self._posed[one.question_id].turns["parts"] for one in asked]
        return [tuple((start, end) for start, end, _ in sample.spans) for sample in turns]

    def say(self, asked: Sequence[Asked]) -> list[Said | None]:
        """The true answer and its masks."""
        found: list[Said | None] = []
        for one in asked:
            sample = self._posed[one.question_id].turns["parts"]
            parts = [
                Part(start, end, np.asarray(mask, bool), 1.0)
                for (start, end, _), mask in zip(sample.spans, sample.masks, strict=True)
            ]
            found.append(Said(sample.answer, tuple(parts)))
        return found
