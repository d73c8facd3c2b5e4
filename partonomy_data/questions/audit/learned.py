"""Attackers that are trained: gradient-boosted trees over the choices' features, never asked about what they learned from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from partonomy_data.errors import UsageError
from partonomy_data.questions.audit.crossfit import folds
from partonomy_data.questions.audit.encode import hash_of, mixed
from partonomy_data.questions.audit.table import AuditTable, Bools, Ints

#: Fewer questions than that in training teach nothing.
LEAST_TRAINED: Final = 50


@contextmanager
def one_thread() -> Iterator[None]:
    """Keeps scikit-learn to one thread. Its threads wait for one another at every node of a tree, which on a machine
    that does other work costs far more than they gain; and the result doesn't depend on their number."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def require() -> None:
    """Raises UsageError if scikit-learn is not installed."""
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "the learned attackers need scikit-learn", mend="pip install 'partonomy-data[audit]'"
        ) from error


def category_folds(table: AuditTable, number: int, seed: int) -> Ints:
    """(n,): folds in which no object category is divided, nor any unit; by units alone if there are too few categories.

    Categories that one unit joins (a group of several sibling categories) count as one.
    """
    category = table.answers.category.astype(np.int64)
    if len(np.unique(category)) < 2 * number:
        return folds(table, number, seed)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    units = len(table.unit_hash)
    size = units + int(category.max()) + 2
    ones = np.ones(len(category), np.int8)
    graph = coo_array((ones, (table.unit, units + 1 + category)), shape=(size, size))
    _, component = connected_components(graph, directed=False)
    groups = np.unique(component[table.unit], return_inverse=True)[1]
    if int(groups.max()) + 1 < number:
        return folds(table, number, seed)
    return _fold_of_group(groups, number)


def _fold_of_group(groups: Ints, number: int) -> Ints:
    from sklearn.model_selection import GroupKFold

    fold = np.zeros(len(groups), np.int64)
    empty = np.zeros((len(groups), 1))
    for place, (_, rows) in enumerate(GroupKFold(n_splits=number).split(empty, groups=groups)):
        fold[rows] = place
    return fold


def sample(table: AuditTable, rows: Bools, most: int, seed: int) -> Bools:
    """(n,): at most about `most` of the questions `rows`, drawn by the hash of their unit, whole units."""
    if int(rows.sum()) <= most:
        return rows
    key = mixed(table.unit_hash + np.uint64(hash_of(f"sample {seed}")))[table.unit]
    return np.asarray(rows & (key <= np.partition(key[rows], most - 1)[most - 1]))


@dataclass(frozen=True, slots=True)
class Training:
    """Features of the choices of the sampled questions: (rows, features), whether each is right, and its fold."""

    features: NDArray[np.float32]
    right: Bools
    fold: Ints


@dataclass(frozen=True, slots=True)
class Ensemble:
    """A model for each fold, trained on the others; None for a fold with nothing to learn from."""

    models: list[Any]

    def score(self, features: NDArray[np.float32], valid: Bools, fold: Ints) -> NDArray[np.float32]:
        """(q, K): log-odds of being right, by the model that never saw the fold; features are (q, K, f)."""
        out = np.zeros(valid.shape, np.float32)
        for place, model in enumerate(self.models):
            rows = np.flatnonzero(fold == place)
            if model is None or not len(rows):
                continue
            there = valid[rows]
            raw = model.decision_function(features[rows][there])
            scores = np.zeros(there.shape, np.float32)
            scores[there] = raw
            out[rows] = scores
        return out


def train(training: Training, number: int, iterations: int, seed: int) -> Ensemble:
    """Fits a model for each fold on the choices of the other folds."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    models: list[Any] = []
    for place in range(number):
        rows = training.fold != place
        if int(training.right[rows].sum()) < LEAST_TRAINED:
            models.append(None)
            continue
        model = HistGradientBoostingClassifier(
            learning_rate=0.1,
            max_iter=iterations,
            max_leaf_nodes=15,
            min_samples_leaf=40,
            l2_regularization=1.0,
            early_stopping=False,
            random_state=seed,
        )
        models.append(model.fit(training.features[rows], training.right[rows]))
    return Ensemble(models)


def collect(
    ranges: Iterable[tuple[int, int]],
    chosen: Bools,
    features: Callable[[int, int], tuple[NDArray[np.float32], Bools]],
    correct: Ints,
    fold: Ints,
) -> Training:
    """The training rows of the `chosen` questions; `features(start, stop)` gives (q, K, f) and which choices exist."""
    rows, right, folds_of = [], [], []
    for start, stop in ranges:
        wanted = np.flatnonzero(chosen[start:stop])
        if not len(wanted):
            continue
        values, valid = features(start, stop)
        there = valid[wanted]
        rows.append(values[wanted][there])
        right.append((np.arange(valid.shape[1]) == correct[start:stop][wanted, None])[there])
        folds_of.append(np.broadcast_to(fold[start:stop][wanted, None], there.shape)[there])
    return Training(np.concatenate(rows), np.concatenate(right), np.concatenate(folds_of))
