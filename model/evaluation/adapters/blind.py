"""Choosers that never look at the photograph, and learned from the answers of `train`: what a score has to be read beside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model.evaluation.adapters.baselines import Random
from model.evaluation.asking import Asked, Chosen
from partonomy_data.questions.audit import learned
from partonomy_data.store.reader import Store

_TRAIN: Final = """SELECT question, correct_index, list_transform(choices, lambda c: c.text) AS texts,
    list_transform(choices, lambda c: c.parts) AS parts FROM questions WHERE split = 'train'
    ORDER BY md5(concat($seed, '/', question_id)) LIMIT $most"""
_ASKED: Final = """SELECT question_id, list_transform(choices, lambda c: c.text) AS texts,
    list_transform(choices, lambda c: c.parts) AS parts FROM questions WHERE question_id IN (SELECT unnest($ids))"""
#: Questions of `train` that are learned from, at most.
MOST: Final = 12_000
_TREES: Final = 80

Sets = Sequence[frozenset[str]]


class Blind(Random, ABC):
    """What the two have in common: they choose parts by what the choices say, and objects by chance."""

    def __init__(self, name: str, store: Store, seed: int = 0) -> None:
        """Reads the questions of `train`."""
        super().__init__(seed)
        self.name = name
        self._store = store
        self._train = store.sql(_TRAIN, {"seed": seed, "most": MOST}).to_arrow_table().to_pylist()
        self._right: dict[str, Counter[frozenset[str]]] = {}
        for row in self._train:
            self._right.setdefault(row["question"], Counter())[frozenset(row["parts"][row["correct_index"]])] += 1

    def choose(self, asked: Sequence[Asked]) -> list[Chosen | None]:
        """By score; among the best, by key."""
        rows = self._store.sql(_ASKED, {"ids": list({one.question_id for one in asked})}).to_arrow_table().to_pylist()
        parts = {row["question_id"]: dict(zip(row["texts"], row["parts"], strict=True)) for row in rows}
        found: list[Chosen | None] = []
        for one, chance in zip(asked, super().choose(asked), strict=True):
            of = parts[one.question_id]
            if not set(one.choices) <= of.keys():
                found.append(chance)
                continue
            scores = self.scores(one.question, [frozenset(of[text]) for text in one.choices], one.choices)
            best = np.flatnonzero(scores == scores.max())
            found.append(Chosen(int(best[self.number(one) % len(best)])))
        return found

    @abstractmethod
    def scores(self, question: str, sets: Sets, texts: Sequence[str]) -> NDArray[np.float64]:
        """One for each choice, float64 (choices,)."""


class Frequent(Blind):
    """The choice whose parts were right most often in `train`, where the question was the same."""

    def scores(self, question: str, sets: Sets, texts: Sequence[str]) -> NDArray[np.float64]:
        """How often each was right."""
        counts: Mapping[frozenset[str], int] = self._right.get(question, Counter())
        return np.array([counts.get(one, 0) for one in sets], np.float64)


class Learned(Blind):
    """Boosted trees over what a choice looks like beside the others: the learner of the audit, on `train` alone."""

    def __init__(self, name: str, store: Store, seed: int = 0) -> None:
        """Trains. Raises UsageError if scikit-learn is not installed."""
        super().__init__(name, store, seed)
        learned.require()
        rows, right = [], []
        for row in self._train:
            rows.append(
                self._features(row["question"], [frozenset(one) for one in row["parts"]], row["texts"], own=row)
            )
            right.append(np.arange(len(row["texts"])) == row["correct_index"])
        self._model: Any = None
        if rows and sum(map(len, right)) and len(rows) >= learned.LEAST_TRAINED:
            training = learned.Training(
                np.concatenate(rows), np.concatenate(right), np.ones(sum(map(len, right)), np.int64)
            )
            with learned.one_thread():
                # The model for fold 0, to which none of these belong.
                (self._model,) = learned.train(training, 1, _TREES, seed).models

    def scores(self, question: str, sets: Sets, texts: Sequence[str]) -> NDArray[np.float64]:
        """Log-odds of being right; 0 if `train` has too little to learn from."""
        if self._model is None:
            return np.zeros(len(texts))
        with learned.one_thread():
            return np.asarray(self._model.decision_function(self._features(question, sets, texts)), np.float64)

    def _features(
        self, question: str, sets: Sets, texts: Sequence[str], own: Mapping[str, Any] | None = None
    ) -> NDArray[np.float32]:
        """float32 (choices, 10). A question of `train` (`own`) is left out of what is counted for it."""
        counts = Counter(self._right.get(question, Counter()))
        if own is not None:
            counts[frozenset(own["parts"][own["correct_index"]])] -= 1
        total = sum(counts.values())
        having: Counter[str] = Counter()
        for parts, n in counts.items():
            having.update(dict.fromkeys(parts, n))
        size = np.array([len(one) for one in sets], np.float64)
        length = np.array([len(text) for text in texts], np.float64)
        alike = np.array([[_jaccard(one, other) for other in sets] for one in sets])
        votes = np.array([sum(part in other for other in sets for part in one) / max(len(one), 1) for one in sets])
        every = sorted(set().union(*sets))
        odds = np.zeros(len(sets))
        for part in every:
            rate = (having[part] + 1) / (total + 2)
            odds += np.array([np.log(rate if part in one else 1 - rate) for one in sets])
        exact = np.array([counts[one] for one in sets], np.float64) / (total + 1)
        columns = [size, length, alike.mean(axis=1), votes, odds, exact]
        ranks = [np.argsort(np.argsort(one, kind="stable"), kind="stable") for one in (size, length, votes, odds)]
        return np.stack([*columns, *ranks], axis=1).astype(np.float32)


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(len(one | other), 1)
