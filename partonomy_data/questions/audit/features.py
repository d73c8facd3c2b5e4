"""What the learned attackers see of each choice: every cue at once, as it is and as it compares within the question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from partonomy_data.questions.audit import crossfit, cues, linking
from partonomy_data.questions.audit import sets as algebra
from partonomy_data.questions.audit.crossfit import Learnt, Rates
from partonomy_data.questions.audit.sets import Sets
from partonomy_data.questions.audit.table import Answers, Floats, Ints, Questions

#: A part that fewer, or more, of a kind's objects have is rare, or usual.
_RARE, _USUAL = 0.1, 0.6
_UNKNOWN: Final = -99.0
#: Types whose answers list all visible parts.
COMPLETE: Final = frozenset({"identification", "part_to_whole", "whole_to_part"})


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What attackers draw on beside the questions in front of them; arrays are (n,) for the whole table."""

    learnt: Learnt
    frequency: Floats
    by_kind: Rates
    """By question type and true category."""
    named: Ints
    """Category that some question of the photograph names its object by; -1 where none does."""
    size_rank: Floats
    """Rank of the object's size within its block, 0 to 1; nan where there is none."""


def gather(questions: Questions, answers: Answers, fold: Ints) -> Knowledge:
    """Knowledge for all questions. An answer is used for questions of other folds only."""
    kinds = _kind(questions, answers.category)
    return Knowledge(
        crossfit.learn(questions, answers, fold),
        cues.log_frequency(questions),
        Rates.of(
            questions, answers, np.maximum(kinds, 0), fold, kinds >= 0, len(questions.types) * _categories(questions)
        ),
        linking.named_elsewhere(questions.subject, questions.category).astype(np.int64),
        linking.rank_in_block(questions.metadata.log_area.astype(np.float64), questions.block),
    )


def _categories(questions: Questions) -> int:
    return max(1, len(questions.categories))


def _kind(questions: Questions, category: NDArray[np.int32] | Ints) -> Ints:
    code = questions.type.astype(np.int64) * _categories(questions) + category
    return np.where(category >= 0, code, -1)


def rule_scores(questions: Questions, sets: Sets, known: Knowledge, start: int) -> dict[str, Floats]:
    """Scores of the attackers that follow a rule and learn at most rates, (q, K) each, by name.

    `questions` are those of the table from row `start` on.
    """
    stop = start + len(questions)
    plain, sized = known.learnt.typical(start, stop, questions)
    scores = cues.simple(questions, sets, known.frequency)
    scores["typicality"] = crossfit.log_odds(questions, plain)
    if known.learnt.expected_size is not None:
        expected = known.learnt.expected_size[start:stop, None]
        scores["size_count"] = -np.abs(sets.size - expected)
        scores["size_parts"] = crossfit.log_odds(questions, sized)
        if np.isfinite(known.size_rank).any():
            scores["size_order"] = -np.abs(_order_distance(sets, known.size_rank[start:stop]))
    return scores


def _order_distance(sets: Sets, size_rank: Floats) -> Floats:
    """Rank of a choice's number of parts minus rank of the object's size; 0 where the latter is unknown."""
    ranks = algebra.rank(sets.size.astype(np.float64), sets.valid)
    return np.asarray(np.nan_to_num(ranks - size_rank[:, None]))


def link_scores(questions: Questions, sets: Sets, known: Knowledge, start: int) -> tuple[Floats, linking.Links]:
    """The rule of `linking`, (q, K), before blocks are evened out: agreement, and the kind where it is named elsewhere."""
    found = linking.links(questions.subject, sets)
    return found.log_share + _typical_of_named(questions, known, start), found


def _typical_of_named(questions: Questions, known: Knowledge, start: int) -> Floats:
    """(q, K): log-odds of each choice for the category that another question names; 0 where none does."""
    stop = start + len(questions)
    named = np.where(questions.names_object, -1, known.named[start:stop])
    kind = _kind(questions, named)
    choice, part = questions.mentions()
    row = choice // questions.width
    rate = known.by_kind.rate(np.maximum(kind, 0)[row], part, known.learnt.fold[start:stop][row])
    return np.asarray(np.where((named >= 0)[:, None], crossfit.log_odds(questions, rate), 0.0))


def single(questions: Questions, sets: Sets, known: Knowledge, start: int, rules: dict[str, Floats]) -> Floats:
    """(q, K, features): the cues of one question taken by itself."""
    valid = sets.valid
    columns = [
        valid.sum(axis=1, keepdims=True) + np.zeros(valid.shape),
        np.arange(valid.shape[1]) + np.zeros(valid.shape),
    ]
    compared = ["most_similar", "majority_vote", "largest", "longest_text", "part_frequency", "typicality"]
    compared += [name for name in ("size_count", "size_parts") if name in rules]
    for name in compared:
        columns += _compared(rules[name], valid)
    columns += _compared(cues.nearest(sets), valid)
    columns += [algebra.votes(sets)[1], *_relations(sets), *_typicality(questions, known, start, sets)]
    data = questions.metadata
    if data.known:
        for values in (data.log_area, data.truncated, data.log_region, data.log_pixels):
            columns.append(_known(values)[:, None] + np.zeros(valid.shape))
    columns.append(questions.type[:, None] + np.zeros(valid.shape))
    columns.append(questions.names_object[:, None] + np.zeros(valid.shape))
    columns.append(questions.source[:, None] + np.zeros(valid.shape))
    return np.stack(columns, axis=2)


def _known(values: Floats | NDArray[np.float32]) -> Floats:
    """The values, with a number that none of them is for what is not known."""
    return np.nan_to_num(values.astype(np.float64), nan=_UNKNOWN)


def _compared(values: Floats, valid: NDArray[np.bool_]) -> list[Floats]:
    """A value, its distances from the question's mean and best, and its rank."""
    mean, best = algebra.mean_of_valid(values, valid), algebra.best_of_valid(values, valid)
    return [values, values - mean, values - best, algebra.rank(values, valid)]


def _relations(sets: Sets) -> list[Floats]:
    """How many other choices include a choice, are included in it, or are one or two edits away."""
    shared = algebra.common(sets)
    other = algebra.others(sets)
    mine, theirs = sets.size[:, :, None], sets.size[:, None, :]
    far = algebra.edits(shared, mine, theirs)
    conditions = [shared == mine, shared == theirs, far <= 1, far <= 2]
    return [(other & condition).sum(axis=2).astype(np.float64) for condition in conditions]


def _typicality(questions: Questions, known: Knowledge, start: int, sets: Sets) -> list[Floats]:
    """The least and mean rate of a choice's parts, its rare parts, its usual parts, and the usual ones that it lacks."""
    rate, _ = known.learnt.typical(start, start + len(questions), questions)
    choice, part = questions.mentions()
    flat = len(questions) * questions.width

    def counted(weight: NDArray[np.bool_] | Floats) -> Floats:
        summed = np.bincount(choice, weight.astype(np.float64), flat)
        return np.asarray(summed.reshape(len(questions), questions.width))

    least = np.ones(flat)
    np.minimum.at(least, choice, rate)
    usual = counted(rate > _USUAL)
    key, first = np.unique(choice // questions.width * np.int64(len(questions.parts)) + part, return_index=True)
    offered = np.bincount(key // len(questions.parts), (rate[first] > _USUAL).astype(np.float64), len(questions))
    lacking = offered[:, None] - usual
    mean = counted(rate) / np.maximum(sets.size, 1)
    return [least.reshape(sets.size.shape), mean, counted(rate < _RARE), usual, lacking]


def linked(
    questions: Questions, sets: Sets, known: Knowledge, start: int, score: Floats, found: linking.Links
) -> Floats:
    """(q, K, features): what the photograph's other questions and the block's sister questions add."""
    valid = sets.valid
    size_rank = known.size_rank[start : start + len(questions)]
    columns = [*found.features.transpose(2, 0, 1), *_compared(score, valid)]
    columns += [algebra.rank(one, valid) for one in found.features.transpose(2, 0, 1)]
    columns += [_typical_of_named(questions, known, start), _order_distance(sets, size_rank)]
    columns.append(_known(size_rank)[:, None] + np.zeros(valid.shape))
    return np.stack(columns, axis=2)
