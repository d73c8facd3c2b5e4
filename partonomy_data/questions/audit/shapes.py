"""Attackers that see the shape of what is shown, and no pixel of it: the region's sides, size, place, and cut-off sides.

What an object shows goes with how it stands in its photograph: a whole car is wide, and one that the left border cuts off
has lost what is at its left. This is told by the view itself, not by anything that is written, so that no choice of texts
could hide it; it is measured, and isn't what an audit is passed or failed by.
"""

from __future__ import annotations

import numpy as np

from partonomy_data.questions.audit.encode import first_places, mixed
from partonomy_data.questions.audit.features import COMPLETE
from partonomy_data.questions.audit.table import AuditTable, Bools, Floats, Ints, Questions, chunks

#: What the slopes, and a category's mean, are drawn to nothing by: in questions.
_RIDGE, _PRIOR = 20.0, 2.0


def parts(table: AuditTable, fold: Ints) -> Floats:
    """(n, K): how well a choice's parts go with how the region differs from those of its block; 0 without a region.

    One slope for each part and feature, by least squares within the blocks of other folds.
    """
    questions = table.questions
    block, seen = questions.block.astype(np.int64), _seen(questions) & (questions.block >= 0)
    x = _centred(_scaled(questions, seen), block, seen)
    slopes = _slopes(table, x, fold, seen & _complete(questions))
    scores = np.zeros((len(questions), questions.width))
    for start, stop in chunks(questions):
        choice, part = questions.slice(start, stop).mentions()
        row = choice // questions.width + start
        fit = np.einsum("mf,mf->m", x[row], slopes[fold[row], part])
        scores[start:stop] = np.bincount(choice, fit, (stop - start) * questions.width).reshape(stop - start, -1)
    return _centred(scores, block, seen)


def objects(table: AuditTable, fold: Ints) -> Floats:
    """(n, L): how near the region is to what is usual of each offered category; 0 without a region.

    Means come from other folds. Of questions with the same words and choices each object is right equally often.
    """
    questions, category = table.questions, table.answers.category.astype(np.int64)
    seen = _seen(questions)
    x = _scaled(questions, seen)
    learnt = seen & _complete(questions) & (category >= 0)
    number, size = int(fold.max(initial=0)) + 1, max(1, len(questions.categories))
    key = (np.maximum(category, 0) * number + fold)[learnt]
    n = np.bincount(key, minlength=size * number).reshape(size, number)
    sums = np.stack([np.bincount(key, one, size * number) for one in x[learnt].T], axis=1).reshape(size, number, -1)
    n_others, others = n.sum(axis=1, keepdims=True) - n, sums.sum(axis=1, keepdims=True) - sums
    # `x` has mean 0, so that this draws to the mean of all.
    mean = others / (n_others + _PRIOR)[:, :, None]
    scores = np.zeros(questions.object_choice.shape)
    for start, stop in chunks(questions):
        offered = np.maximum(questions.object_choice[start:stop], 0)
        far = x[start:stop, None] - mean[offered, fold[start:stop, None]]
        scores[start:stop] = -(far**2).sum(axis=2)
    return _centred(scores, _together(questions), seen & (questions.object_count > 0))


def _seen(questions: Questions) -> Bools:
    return np.asarray(np.isfinite(questions.shape).all(axis=1))


def _complete(questions: Questions) -> Bools:
    return np.isin(questions.type, [code for code, name in enumerate(questions.types) if name in COMPLETE])


def _scaled(questions: Questions, seen: Bools) -> Floats:
    """(n, f): the features with mean 0 and spread 1 among the questions `seen`; 0 elsewhere."""
    x = np.where(seen[:, None], questions.shape, 0.0).astype(np.float64)
    if seen.any():
        spread = x[seen].std(axis=0)
        x[seen] = (x[seen] - x[seen].mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return x


def _centred(values: Floats, group: Ints, rows: Bools) -> Floats:
    """(n, …): the values of `rows` less their group's mean; 0 elsewhere."""
    out = np.zeros(values.shape)
    _, place = np.unique(group[rows], return_inverse=True)
    count = np.maximum(np.bincount(place), 1)
    for column in range(values.shape[1]):
        own = values[rows, column]
        out[rows, column] = own - (np.bincount(place, own) / count)[place] if len(own) else own
    return out


def _slopes(table: AuditTable, x: Floats, fold: Ints, rows: Bools) -> Floats:
    """(folds, parts, f): of each part, how the chance that it shows grows with the features, from the other folds."""
    questions = table.questions
    chosen = np.flatnonzero(rows)
    number, size, width = int(fold.max(initial=0)) + 1, max(1, len(questions.parts)), x.shape[1]
    right = chosen * questions.width + table.answers.correct[chosen]
    first, long = questions.part_start[right], np.diff(questions.part_start)[right]
    places = np.repeat(first - first_places(long)[:-1], long) + np.arange(int(long.sum()))
    part, owner = questions.part[places].astype(np.int64), np.repeat(chosen, long)
    cell = part * number + fold[owner]
    moment = np.stack([np.bincount(cell, one, size * number) for one in x[owner].T], axis=1)
    # Within a block `x` sums to 0, so that whether a part shows needn't be centred too.
    block, at = np.unique(questions.block[chosen], return_inverse=True)
    pair = np.unique(questions.part[places].astype(np.int64) * len(block) + np.repeat(at, long))
    of_block = np.zeros(len(block), np.int64)
    of_block[at] = fold[chosen]
    cell = pair // max(len(block), 1) * number + of_block[pair % max(len(block), 1)]
    square = np.zeros((size * number, width, width))
    for a in range(width):
        for b in range(a, width):
            spread = np.bincount(at, x[chosen, a] * x[chosen, b], len(block))
            summed = np.bincount(cell, spread[pair % max(len(block), 1)], size * number)
            square[:, a, b] = square[:, b, a] = summed
    squares, moments = square.reshape(size, number, width, width), moment.reshape(size, number, width)
    out = np.empty((number, size, width))
    for one in range(number):
        left = squares.sum(axis=1) - squares[:, one] + _RIDGE * np.eye(width)
        out[one] = np.linalg.solve(left, (moments.sum(axis=1) - moments[:, one])[..., None])[..., 0]
    return out


def _together(questions: Questions) -> Ints:
    """(n,): equal for questions with the same words, choices and objects: those that are asked together."""
    key = mixed(questions.text.astype(np.uint64))
    for values in (*questions.set_hash.T, *questions.object_choice.T.astype(np.uint64)):
        key = mixed(key + mixed(values))
    return np.unique(key, return_inverse=True)[1].astype(np.int64)
