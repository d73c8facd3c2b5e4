"""The file of predictions that the evaluation of the PARTONOMY paper writes (github.com/AnselBlume/partonomy), as lines.

It is one JSON object: `predictions` is a list of objects with `image_path`, `questions`, `parts_answer_choices`,
`predicted_parts_answer`, `predicted_masks` (run lengths as COCO has them, each with the part's name as `label`) and
`mask_confidences`; in two-turn types `object_answer_choices` and `predicted_object_answer` as well. Its `metrics`, and the truth
that it repeats, are not read. It has no ids of questions: they are found by the photograph's file name and the choices, in any
order. Its masks were made for the true answer and its true spans, and its second turns follow the true first: that is `oracle`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PureWindowsPath
from typing import Any, Final

import msgspec

from model.evaluation.saved.lines import Line, MaskOf, Numbered
from model.plum.errors import ModelError
from partonomy_data.store.reader import Store

_QUESTIONS: Final = """
SELECT question_id, file_name, question, object_question, list_transform(choices, lambda c: c.text) AS choices,
    list_transform(object_choices, lambda c: c.text) AS objects
FROM questions JOIN images USING (image_id) WHERE split = $split
"""


class _Mask(msgspec.Struct, frozen=True):
    size: Any = None
    counts: Any = None
    label: str = "no_label"


class _Prediction(msgspec.Struct, frozen=True):
    """What is read of a prediction; the rest is left alone."""

    image_path: str
    parts_answer_choices: list[str]
    questions: list[str] | None = None
    predicted_parts_answer: str | None = None
    object_answer_choices: list[str] | None = None
    predicted_object_answer: str | None = None
    predicted_masks: list[_Mask] | None = None
    mask_confidences: list[float] | None = None


class _File(msgspec.Struct, frozen=True):
    predictions: list[msgspec.Raw]


class _Question(msgspec.Struct, frozen=True):
    question_id: str
    texts: frozenset[str]
    choices: list[str]
    objects: list[str]


def read(path: Path, store: Store, split: str) -> Iterator[Numbered]:
    """The predictions of a file, numbered from 1, about the questions of a split. Raises ModelError for another kind of file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(error.strerror or "can't be read", where=str(path), mend="Check the path") from error
    try:
        raw = msgspec.json.decode(content, type=_File).predictions
    except (msgspec.DecodeError, RecursionError) as error:
        mend = "Give the JSON of the PARTONOMY code, or lines of predictions as .jsonl (docs/evaluation.md)"
        raise ModelError(f"is no file of predictions: {error}", where=str(path), mend=mend) from error
    of = _index(store.sql(_QUESTIONS, {"split": split}).to_arrow_table().to_pylist())
    for number, one in enumerate(raw, 1):
        yield _numbered(number, one, of)


def _key(file_name: str, choices: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """The file's name without folders and ending, and the choices in an order of their own."""
    return PureWindowsPath(file_name).stem, tuple(sorted(choices))


def _index(rows: list[dict[str, Any]]) -> dict[tuple[str, tuple[str, ...]], list[_Question]]:
    of: dict[tuple[str, tuple[str, ...]], list[_Question]] = {}
    for row in rows:
        texts = frozenset(one for one in (row["question"], row["object_question"]) if one)
        question = _Question(row["question_id"], texts, row["choices"], row["objects"] or [])
        of.setdefault(_key(row["file_name"], row["choices"]), []).append(question)
    return of


def _numbered(number: int, raw: msgspec.Raw, of: dict[tuple[str, tuple[str, ...]], list[_Question]]) -> Numbered:
    try:
        given = msgspec.json.decode(raw, type=_Prediction)
    except (msgspec.DecodeError, RecursionError) as error:
        return Numbered(number, None, str(error))
    found = of.get(_key(given.image_path, given.parts_answer_choices), [])
    if len(found) > 1:
        found = [one for one in found if not one.texts.isdisjoint(given.questions or ())]
    if len(found) != 1:
        # Told as surplus: whose question it is can't be made out.
        unknown = (
            f"{PureWindowsPath(given.image_path).name}: {' | '.join(given.questions or given.parts_answer_choices)}"
        )
        return Numbered(number, Line(unknown[:200]))
    return Numbered(number, _line(given, found[0]))


def _line(given: _Prediction, question: _Question) -> Line:
    sure = given.mask_confidences or []
    masks = given.predicted_masks
    return Line(
        question.question_id,
        conditioning="oracle",
        chosen=_place(given.predicted_parts_answer, question.choices),
        object_chosen=_place(given.predicted_object_answer, question.objects),
        masks=None
        if masks is None
        else [
            MaskOf(one.label, {"size": one.size, "counts": one.counts}, score=sure[place] if place < len(sure) else 0.0)
            for place, one in enumerate(masks)
        ],
    )


def _place(text: str | None, choices: list[str]) -> int | None:
    return choices.index(text) if text in choices else None
