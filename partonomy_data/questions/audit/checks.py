"""What needs no attacker: positions, lengths, hardness, choices that a rule excludes, blocks, leakage."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from partonomy_data.questions.audit import sets as algebra
from partonomy_data.questions.audit.crossfit import Rates, distinct
from partonomy_data.questions.audit.report import Blocks, Excluded, Hardness, Leakage, Lengths, Positions
from partonomy_data.questions.audit.table import AuditTable, Bools, Hashes, Ints, chunks

#: Numbers of parts and of edits are counted up to this; the last count holds all beyond.
_MOST: Final = 40
MANY_PARTS: Final = 6


def positions(table: AuditTable) -> list[Positions]:
    """Counts of the right choice's position and of the right object's, by number of choices."""
    from scipy.special import chdtrc

    found = []
    answers, questions = table.answers, table.questions
    turns = (("parts", answers.correct, questions.count), ("object", answers.object_correct, questions.object_count))
    for turn, correct, count in turns:
        for k in np.unique(count[count > 0]).tolist():
            counts = np.bincount(correct[count == k], minlength=k)
            expected = counts.sum() / k
            square = float(((counts - expected) ** 2).sum() / expected)
            found.append(Positions(turn, k, counts.tolist(), square, float(chdtrc(k - 1, square))))
    return found


def lengths(table: AuditTable) -> list[Lengths]:
    """Sizes of right and wrong choices, by question type."""
    questions = table.questions
    right = _right(table)
    wrong = questions.valid & ~right
    found = []
    for code, name in enumerate(questions.types):
        rows = (questions.type == code)[:, None]
        sides = [(mask & rows) for mask in (right, wrong)]
        parts = [questions.set_size[side] for side in sides]
        characters = [questions.text_length[side] for side in sides]
        means = [float(values.mean()) for values in (*parts, *characters)]
        counts = [_histogram(values) for values in parts]
        found.append(Lengths(name, means[0], means[1], means[2], means[3], counts[0], counts[1]))
    return found


def _histogram(values: Ints) -> list[int]:
    return [int(n) for n in np.bincount(np.minimum(values, _MOST))]


def _right(table: AuditTable) -> Bools:
    """(n, K): the right choices."""
    return np.asarray(np.arange(table.questions.width) == table.answers.correct[:, None])


def hardness(table: AuditTable) -> list[Hardness]:
    """Edits between each right choice and its nearest wrong one, by type, and for categories of many parts."""
    questions = table.questions
    edits = np.concatenate([_edits(table, start, stop) for start, stop in chunks(questions)])
    many = parts_of_category(table) >= MANY_PARTS
    every = np.ones(len(edits), bool)
    found = []
    slices = {"all": every, "six_or_more_parts": many}
    slices |= {"balanced": table.balanced, "balanced, six_or_more_parts": table.balanced & many}
    for name, chosen in slices.items():
        for kind in ("all", *questions.types):
            of_type = every if kind == "all" else questions.type == questions.types.index(kind)
            values = edits[chosen & of_type]
            median = float(np.median(values)) if len(values) else None
            found.append(Hardness(name, kind, len(values), _histogram(values) if len(values) else [], median))
    return found


def _edits(table: AuditTable, start: int, stop: int) -> Ints:
    piece, correct = table.questions.slice(start, stop), table.answers.correct[start:stop]
    sets = algebra.sets_of(piece)
    row = np.arange(len(piece))
    right, size = sets.bits[row, correct], sets.size[row, correct]
    shared = algebra.count(right[:, None] & sets.bits)
    far = algebra.edits(shared, size[:, None], sets.size)
    far = np.where(sets.valid, far, np.iinfo(np.int64).max)
    far[row, correct] = np.iinfo(np.int64).max
    return np.asarray(far.min(axis=1))


def parts_of_category(table: AuditTable) -> Ints:
    """(n,): how many parts right answers name for the question's category (its text, where unknown) and source."""
    rates, context = _right_parts(table, table.answers.category.astype(np.int64))
    return np.bincount(rates.key // rates.parts, minlength=int(context.max()) + 1)[context]


def _right_parts(table: AuditTable, category: Ints) -> tuple[Rates, Ints]:
    """Which parts right answers have, by source and category."""
    questions = table.questions
    context = distinct(questions.source, category, np.where(category < 0, questions.text, -1))
    zero = np.zeros(len(table), np.int64)
    return Rates.of(questions, table.answers, context, zero, np.ones(len(table), bool)), context


def excluded(table: AuditTable) -> list[Excluded]:
    """Counts of the choices that a rule can exclude, among all questions and among the balanced ones."""
    questions = table.questions
    valid = questions.valid
    known = np.where(questions.names_object, table.answers.category, -1).astype(np.int64)
    unnamed = ~questions.names_object
    context = distinct(questions.source, known, np.where((known < 0) & ~unnamed, questions.text, -1))
    zero = np.zeros(len(table), np.int64)
    rates = Rates.of(questions, table.answers, context, zero, np.ones(len(table), bool))
    never = np.zeros(len(table) * questions.width, bool)
    for start, stop in chunks(questions):
        choice, part = questions.slice(start, stop).mentions()
        row = start + choice // questions.width
        there = np.isin(context[row] * rates.parts + part, rates.key)
        never[start * questions.width + choice[~there]] = True
    found = [
        valid & (questions.set_size == 0),
        _repeated(questions.set_hash, valid),
        _repeated(questions.text_hash, valid),
        never.reshape(valid.shape),
        valid,
    ]
    slices = {"all": np.ones(len(table), bool), "balanced": table.balanced}
    return [Excluded(name, *(int(one[rows].sum()) for one in found)) for name, rows in slices.items()]


def _repeated(values: Hashes, valid: Bools) -> Bools:
    """Which choices have the same value as another of their question."""
    same = np.zeros(valid.shape, bool)
    for step in range(1, valid.shape[1]):
        same |= (values == np.roll(values, step, axis=1)) & valid & np.roll(valid, step, axis=1)
    return same


def blocks(table: AuditTable) -> Blocks:
    """Whether the questions of each block have the same text and choices, each right once, on different photographs."""
    questions = table.questions
    rows = np.flatnonzero(questions.block >= 0)
    block = questions.block[rows]
    n = int(block.max(initial=-1)) + 1
    if not n:
        return Blocks(0, 0, 0, 0, 0)
    first = np.zeros(n, np.int64)
    first[block[::-1]] = rows[::-1]
    lead = first[block]
    differ = (questions.set_hash[rows] != questions.set_hash[lead]).any(axis=1)
    differ |= (questions.text_hash[rows] != questions.text_hash[lead]).any(axis=1)
    worded = questions.text[rows] != questions.text[lead]
    key = block.astype(np.int64) * questions.width + table.answers.correct[rows]
    tally = np.bincount(key, minlength=n * questions.width).reshape(n, questions.width)
    wanted = np.arange(questions.width) < questions.count[first][:, None]
    pairs = np.unique(np.stack([block, np.unique(table.photograph, return_inverse=True)[1][rows]]), axis=1)
    return Blocks(
        blocks=n,
        choices_differ=len(np.unique(block[differ])),
        text_differs=len(np.unique(block[worded])),
        not_each_right_once=int((tally != wanted).any(axis=1).sum()),
        photograph_repeated=int((np.bincount(block, minlength=n) != np.bincount(pairs[0], minlength=n)).sum()),
    )


def leakage(table: AuditTable) -> Leakage:
    """Photographs and units with questions in several splits."""
    questions = table.questions
    counts = np.bincount(questions.split[questions.split >= 0], minlength=len(questions.splits))
    return Leakage(
        splits=dict(zip(questions.splits, counts.tolist(), strict=True)),
        photographs=_in_several(np.unique(table.photograph, return_inverse=True)[1], questions.split),
        units=_in_several(table.unit, questions.split),
    )


def _in_several(item: Any, split: Any) -> int:
    pairs = np.unique(np.stack([item.astype(np.int64), split.astype(np.int64)]), axis=1)
    return int((np.bincount(pairs[0]) > 1).sum())
