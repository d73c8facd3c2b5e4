"""Predictions are judged before they are scored. What is malformed becomes a line in `problems`, and scores 0.

Masks are checked in bulk, before any C code sees them. A mask that is sound but empty is no problem; it scores 0 as well. A
truth that is malformed raises: no score can be trusted that was measured against it. True masks that are `Rle`, as a
store's are, were checked when they were made.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.evaluation.answers import EvaluationError, PartMask, Prediction, Truth
from partonomy_data import masks
from partonomy_data.errors import MaskError
from partonomy_data.masks import Rle, RleJson

#: Stands for what isn't a run-length mask, and is refused like it.
_NOTHING: Final = Rle(1, 1, b"")
_EMPTY: Final = MaskError("mask_empty", "the mask covers no pixel")


@dataclass(frozen=True, slots=True)
class Checked:
    """A question's truth and prediction, as the metrics read them."""

    truth: Truth
    prediction: Prediction
    """What is left of it: scores, choices and the like that are malformed are None."""
    answered: bool
    """False if the model gave no prediction for the question at all."""
    parts: tuple[str, ...]
    """The true part names, T, each once, in lower case, as names are compared."""
    true: tuple[Rle, ...]
    """Their masks, T, none of them empty."""
    true_areas: NDArray[np.int64]
    """In pixels, int64 (T,)."""
    named: tuple[str, ...]
    """The names of the predicted masks, P, in lower case, as often as they were given."""
    predicted: tuple[Rle | None, ...]
    """The predicted masks, P; None where one is empty or malformed."""
    predicted_areas: NDArray[np.int64]
    """In pixels, int64 (P,); 0 where there is no mask."""
    scores: tuple[float, ...]
    """How sure the model is of each mask, P, within 0 and 1."""
    problems: tuple[str, ...]
    """What was malformed, a line each."""
    refused: bool
    """Whether a mask was malformed."""


def check(truths: Sequence[Truth], predictions: Iterable[Prediction]) -> list[Checked]:
    """Each question with its prediction, in the order of `truths`; predictions may come in any order.

    A question without a prediction has an empty one. Raises EvaluationError for a malformed truth, two truths or two
    predictions with one id, and a prediction for a question that is not among the truths.
    """
    of = _by_question(truths, predictions)
    for truth in truths:
        _check_truth(truth)
    found = [of.get(truth.question_id, Prediction(truth.question_id)) for truth in truths]
    lots = [truth.masks for truth in truths]
    made = all(isinstance(one.mask, Rle) for lot in lots for one in lot)
    true = _measured(truths) if made else _bulk(truths, lots)
    said = _bulk(truths, [given.masks or () for given in found])
    return [
        _checked(truth, given, truth.question_id in of, next(true), next(said))
        for truth, given in zip(truths, found, strict=True)
    ]


def _by_question(truths: Sequence[Truth], predictions: Iterable[Prediction]) -> dict[str, Prediction]:
    ids = {truth.question_id for truth in truths}
    if len(ids) < len(truths):
        raise EvaluationError("a question is there twice", mend="Evaluate each question once")
    of: dict[str, Prediction] = {}
    for given in predictions:
        where = f"the prediction for {given.question_id}"
        if given.question_id in of:
            raise EvaluationError("it is there twice", where=where, mend="Keep one prediction for each question")
        if given.question_id not in ids:
            raise EvaluationError("no such question is evaluated", where=where, mend="Leave it out")
        of[given.question_id] = given
    return of


def _check_truth(truth: Truth) -> None:
    where = f"question {truth.question_id}"
    if len(truth.choices) < 2 or not 0 <= truth.correct < len(truth.choices):
        what = f"choice {truth.correct} of {len(truth.choices)} is said to be right"
        raise EvaluationError(what, where=where, mend="It needs two choices or more, counted from 0")
    if not 0 < truth.chance < 1:
        raise EvaluationError(f"chance is {truth.chance}", where=where, mend="It lies between 0 and 1")
    right = truth.correct_object
    if right is not None and not 0 <= right < len(truth.object_choices):
        what = f"object {right} of {len(truth.object_choices)} is said to be right"
        raise EvaluationError(what, where=where, mend="Objects are counted from 0")


@dataclass(frozen=True, slots=True)
class _Judged:
    """The masks of one question: None where empty or malformed; why, by position."""

    masks: tuple[Rle | None, ...]
    areas: NDArray[np.int64]
    errors: dict[int, MaskError]


def _measured(truths: Sequence[Truth]) -> Iterator[_Judged]:
    """True masks that are checked already, as those of a store are: an `Rle` says so by its type."""
    every = [one.mask for truth in truths for one in truth.masks if isinstance(one.mask, Rle)]
    areas, start = masks.areas(every), 0
    for truth in truths:
        stop = start + len(truth.masks)
        found, own = every[start:stop], areas[start:stop]
        errors = dict.fromkeys(np.flatnonzero(own == 0).tolist(), _EMPTY)
        for place, mask in enumerate(found):
            if mask.height != truth.size[0] or mask.width != truth.size[1]:
                size = f"{mask.height} x {mask.width}, its image's is {truth.size[0]} x {truth.size[1]}"
                errors[place] = MaskError("mask_size_mismatch", f"the mask's size is {size}")
        yield _Judged(tuple(found), own, errors)
        start = stop


def _bulk(truths: Sequence[Truth], lots: Sequence[Sequence[PartMask]]) -> Iterator[_Judged]:
    """Judges all masks at once, and deals them out again, one lot for each truth."""
    every = [one for lot in lots for one in lot]
    counts = [len(lot) for lot in lots]
    sizes = np.repeat(np.array([truth.size for truth in truths], np.int64).reshape(-1, 2), counts, axis=0)
    strange = [place for place, one in enumerate(every) if not _is_run_length(one.mask)]
    usable: list[masks.Segmentation] = [one.mask for one in every]
    for place in strange:
        usable[place] = _NOTHING
    encoded = masks.encode_many(usable, sizes[:, 0], sizes[:, 1])
    errors = {
        **encoded.errors,
        **{place: MaskError("mask_not_run_length", "it is no run-length mask") for place in strange},
    }
    start = 0
    for truth, count in zip(truths, counts, strict=True):
        stop = start + count
        height, width = truth.size
        made = [None if text is None else Rle(height, width, text) for text in encoded.counts[start:stop]]
        why = {place - start: errors[place] for place in range(start, stop) if place in errors} if errors else {}
        yield _Judged(tuple(made), encoded.areas[start:stop], why)
        start = stop


def _is_run_length(mask: object) -> bool:
    return isinstance(mask, RleJson) or (isinstance(mask, Rle) and isinstance(mask.counts, bytes))


def _checked(truth: Truth, given: Prediction, answered: bool, true: _Judged, said: _Judged) -> Checked:
    parts, united, areas = _united(truth, true)
    where = f"prediction for {truth.question_id}"
    masks_given = given.masks or ()
    problems = [
        f"{where}: the mask of {masks_given[place].part!r} can't be used ({error})"
        for place, error in said.errors.items()
        if error.rule != "mask_empty"
    ]
    refused = bool(problems)
    kept, others = _usable(truth, given)
    problems += [f"{where}: {other}" for other in others]
    scores = [one.score for one in masks_given]
    if (scores and not 0.0 <= min(scores) <= max(scores) <= 1.0) or any(map(math.isnan, scores)):
        if any(math.isnan(score) for score in scores):
            problems.append(f"{where}: the score of a mask is not a number; it counts as 0")
        scores = [0.0 if math.isnan(score) else min(max(score, 0.0), 1.0) for score in scores]
    return Checked(
        truth=truth,
        prediction=kept,
        answered=answered,
        parts=parts,
        true=united,
        true_areas=areas,
        named=tuple([one.part.lower() for one in masks_given]),
        predicted=said.masks,
        predicted_areas=said.areas,
        scores=tuple(scores),
        problems=tuple(problems),
        refused=refused,
    )


def _united(truth: Truth, true: _Judged) -> tuple[tuple[str, ...], tuple[Rle, ...], NDArray[np.int64]]:
    """The true masks by name. Raises EvaluationError."""
    for place, error in true.errors.items():
        where = f"question {truth.question_id}, the true mask of {truth.masks[place].part!r}"
        raise EvaluationError(str(error), where=where, mend="Build the data again, or leave the question out")
    own = [one.part.lower() for one in truth.masks]
    names = tuple(dict.fromkeys(own))
    sound = [one for one in true.masks if one is not None]
    if len(names) == len(sound):
        return names, tuple(sound), true.areas
    lots = [[mask for one, mask in zip(own, sound, strict=True) if one == name] for name in names]
    united = tuple(masks.union(lot) for lot in lots)
    return names, united, np.array([masks.area(one) for one in united], np.int64)


def _usable(truth: Truth, given: Prediction) -> tuple[Prediction, list[str]]:
    """The prediction without what is malformed, and what that was."""
    n, objects, problems = len(truth.choices), len(truth.object_choices), []

    def number(name: str, value: int | None, below: int) -> int | None:
        if value is None or 0 <= value < below:
            return value
        problems.append(f"`{name}` is {value}, and there are {below} choices")
        return None

    def list_of(name: str, values: tuple[float, ...] | None, length: int) -> tuple[float, ...] | None:
        if values is None or (len(values) == length and all(one < math.inf for one in values)):
            return values
        problems.append(f"`{name}` are not {length} numbers")
        return None

    tokens = given.tokens
    if tokens is not None and not (len(tokens) == n and min(tokens, default=0) > 0):
        problems.append(f"`tokens` are not {n} lengths")
        tokens = None
    scores = list_of("scores", given.scores, n)
    chosen = number("chosen", given.chosen, n)
    object_scores = list_of("object_scores", given.object_scores, objects)
    object_chosen = number("object_chosen", given.object_chosen, objects)
    generated = number("generated", given.generated, n)
    if not problems:
        return given, problems
    # A choice beside scores that are refused was made by them.
    chosen = None if scores is None and given.scores is not None else chosen
    object_chosen = None if object_scores is None and given.object_scores is not None else object_chosen
    kept = replace(
        given,
        scores=scores,
        tokens=tokens,
        chosen=chosen,
        object_scores=object_scores,
        object_chosen=object_chosen,
        generated=generated,
    )
    return kept, problems
