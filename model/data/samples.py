"""A row of the data as what is shown, what is said, and what is segmented."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.plum.errors import ModelError
from model.plum.rendering import Turn
from partonomy_data import masks
from partonomy_data.photographs.places import Photographs
from partonomy_data.photographs.views import View, view_of


@dataclass(frozen=True)
class Sample:
    """One answer to learn, or to be asked for."""

    sample_id: str
    photograph: str
    """Hex SHA-256 of its file."""
    view_id: str
    view: View
    question: str
    answer: str
    history: tuple[Turn, ...]
    spans: tuple[tuple[int, int, str], ...]
    """Characters [start, end) of `answer`, and the part category that they name, in the answer's order."""
    masks: tuple[NDArray[np.uint8], ...]
    """For each span, (h, w) of the view, 0 and 1: the union of the part's instances."""
    choices: tuple[str, ...]
    """None where it isn't a question with choices."""
    correct: int
    choices_spans: tuple[tuple[tuple[int, int], ...], ...] = ()
    """Of each choice, the characters [start, end) that name parts; none where choices are of objects."""


def sample_of(row: Mapping[str, Any], photographs: Photographs) -> Sample:
    """The sample of a row. Raises UsageError for a photograph that can't be used, ModelError for a part without a mask."""
    name, size = str(row["sample_id"]), (int(row["height"]), int(row["width"]))
    photograph = photographs.open(row["source"], row["uri"], size[1], size[0], transposed=bool(row["transposed"]))
    view = view_of(photograph, row["referent"], row["region"], name)
    counts = {one["part"]: one["counts"] for one in row["masks"]}
    spans = tuple(sorted((int(one["start"]), int(one["end"]), str(one["part"])) for one in row["spans"]))
    missing = next((part for _, _, part in spans if part not in counts), None)
    if missing is not None:
        raise ModelError(f"the part {missing!r} that it names has no mask", where=name)
    history = [(one["question"], one["answer"]) for one in row.get("history", ())]
    if row.get("earlier_question"):
        history.append((row["earlier_question"], row["earlier_answer"]))
    return Sample(
        sample_id=name,
        photograph=str(row["sha256"]),
        view_id=str(row["view"]),
        view=view,
        question=row["prompt"],
        answer=row["answer"],
        history=tuple(Turn(question, answer) for question, answer in history),
        spans=spans,
        masks=tuple(view.of(mask) for mask in _masks([counts[part] for _, _, part in spans], size, name)),
        choices=tuple(row["texts"]),
        correct=int(row["correct_text"]),
        choices_spans=tuple(
            tuple(sorted((int(one["start"]), int(one["end"])) for one in spans))
            for spans in row.get("texts_spans") or [()] * len(row["texts"])
        ),
    )


def with_choices(sample: Sample, most: int, key: tuple[int, int]) -> Sample:
    """The same with at most so many choices: the right one and others, drawn by two numbers of 64 bits, in the order they had."""
    if len(sample.choices) <= most:
        return sample
    wrong = np.delete(np.arange(len(sample.choices)), sample.correct)
    drawn = np.random.Generator(np.random.Philox(key=key)).choice(wrong, most - 1, replace=False)
    kept = sorted([sample.correct, *drawn.tolist()])
    return replace(
        sample,
        choices=tuple(sample.choices[place] for place in kept),
        choices_spans=tuple(sample.choices_spans[place] for place in kept if sample.choices_spans),
        correct=kept.index(sample.correct),
    )


def _masks(counts: Sequence[Sequence[str]], size: tuple[int, int], where: str) -> list[NDArray[np.uint8]]:
    """For each of several parts the union of its compressed run-length masks, (h, w); all are checked at once."""
    texts = [masks.as_bytes(text) for one in counts for text in one]
    measured = masks.measure(texts, *(np.full(len(texts), side) for side in size))
    if measured.errors:
        error = measured.errors[min(measured.errors)]
        raise ModelError(f"a mask of it can't be used: {error}", where=where) from error
    checked = [masks.Rle(*size, measured.canonical.get(place, (text, ()))[0]) for place, text in enumerate(texts)]
    ends = np.cumsum([0, *map(len, counts)]).tolist()
    several = [checked[start:end] for start, end in itertools.pairwise(ends)]
    return [masks.decode(one[0] if len(one) == 1 else masks.union(one)) for one in several]
