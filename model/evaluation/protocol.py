"""How a question is asked, and what is kept of what comes of it: the protocol of Explanatory Part Segmentation.

Of each question two rows are kept.

    oracle      the true answer is given, with its true spans: masks alone are measured, as in the paper's tables. `spans` are
                those that the model itself finds in that answer. The second of two turns follows the true first answer.
    predicted   the model's own: masks of the parts that it names in its own words. The second of two turns follows the
                choice that the model took in the first.

The choice is by likelihood, or however the model chooses; ties are wrong. No answer rests on more than one question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from model.data.samples import Sample
from model.evaluation.agreement import iou_by_part
from model.evaluation.asking import Asked, Chosen, Model, Said
from model.evaluation.choices import best, kept
from model.evaluation.questions import Posed, Turned
from model.evaluation.scoring import CONDITIONINGS
from partonomy_data import masks
from partonomy_data.masks import Rle

Row = dict[str, Any]


@runtime_checkable
class Told(Protocol):
    """A baseline that knows the truth, or some of it: it is no model, and says so by its name."""

    def told(self, posed: Sequence[Posed]) -> None:
        """What is about to be asked, with its truth."""
        ...


def predict(model: Model, posed: Sequence[Posed], names: Mapping[str, str], seed: int) -> list[Row]:
    """Rows of the table `predictions`, two for each question. `names`: phrase → part category (`questions.phrases`)."""
    if isinstance(model, Told):
        model.told(posed)
    firsts = [one.asked(one.first) for one in posed]
    chosen = [_unshuffled(one, one.first, made) for one, made in zip(posed, model.choose(firsts), strict=True)]
    rows: dict[tuple[str, str], Row] = {}
    for conditioning in CONDITIONINGS:
        seconds = _second(model, posed, chosen, conditioning)
        for one, first in zip(posed, chosen, strict=True):
            by_turn = {one.first: first, **seconds.get(one.question_id, {})}
            rows[one.question_id, conditioning] = _row(model, one, by_turn, conditioning, seed)
    _add_masks(model, posed, chosen, names, rows)
    return [rows[one.question_id, conditioning] for one in posed for conditioning in CONDITIONINGS]


def _second(
    model: Model, posed: Sequence[Posed], chosen: Sequence[Chosen | None], conditioning: str
) -> dict[str, dict[Turned, Chosen | None]]:
    """By question of two turns, the choice of the second; none where the first gave nothing to go on with."""
    asked: list[tuple[Posed, Turned, Asked]] = []
    for one, first in zip(posed, chosen, strict=True):
        if one.second is not None and (earlier := _earlier(one, first, conditioning)) is not None:
            asked.append((one, one.second, one.asked(one.second, earlier)))
    made = model.choose([each for _, _, each in asked])
    return {
        one.question_id: {turn: _unshuffled(one, turn, found)}
        for (one, turn, _), found in zip(asked, made, strict=True)
    }


def _earlier(one: Posed, chosen: Chosen | None, conditioning: str) -> str | None:
    """What was answered in the first turn."""
    sample = one.turns[one.first]
    if conditioning == "oracle":
        return sample.answer
    return None if chosen is None or chosen.place is None else sample.choices[chosen.place]


def _unshuffled(one: Posed, turn: Turned, chosen: Chosen | None) -> Chosen | None:
    """A choice in the places that the question has, rather than those that were shown."""
    if chosen is None:
        return None
    shown = one.shuffled[turn]
    back = np.argsort(shown)

    def ordered(values: Sequence[Any] | None) -> tuple[Any, ...] | None:
        return None if values is None else tuple(values[place] for place in back)

    scores = None if chosen.scores is None else kept(chosen.scores)
    # Scores that are the same as they are kept are a tie.
    place = chosen.place if scores is None else best(scores)
    return Chosen(None if place is None else shown[place], ordered(scores), ordered(chosen.lengths))


def _row(model: Model, one: Posed, chosen: Mapping[Turned, Chosen | None], conditioning: str, seed: int) -> Row:
    parts, whole = chosen.get("parts"), chosen.get("object")
    return {
        "model_id": model.name,
        "question_id": one.question_id,
        "choice": parts.place if parts is not None else None,
        "scores": list(parts.scores) if parts is not None and parts.scores is not None else None,
        "lengths": list(parts.lengths) if parts is not None and parts.lengths is not None else None,
        "correct": parts is not None and parts.place == one.turns["parts"].correct,
        "object_choice": whole.place if whole is not None else None,
        "text": None,
        "spans": None,
        "masks": None,
        "iou": None,
        "conditioning": conditioning,
        "seed": seed,
    }


def _add_masks(
    model: Model,
    posed: Sequence[Posed],
    chosen: Sequence[Chosen | None],
    names: Mapping[str, str],
    rows: Mapping[tuple[str, str], Row],
) -> None:
    """Fills in texts, spans, masks and their IoU, under both conditionings."""
    for conditioning in CONDITIONINGS:
        asked: list[tuple[Posed, Asked]] = []
        for one, first in zip(posed, chosen, strict=True):
            earlier = _earlier(one, first, conditioning) if one.first != "parts" else None
            if one.first == "parts" or earlier is not None:
                asked.append((one, one.asked("parts", earlier)))
        if conditioning == "oracle":
            samples = [one.turns["parts"] for one, _ in asked]
            spans = [[(start, end) for start, end, _ in sample.spans] for sample in samples]
            texts = [sample.answer for sample in samples]
            made = model.segment([each for _, each in asked], texts, spans)
            tagged = model.tag([each for _, each in asked], texts)
        else:
            made = model.say([each for _, each in asked])
            tagged = [None] * len(asked)
        for (one, _), said, found in zip(asked, made, tagged, strict=True):
            sample, row = one.turns["parts"], rows[one.question_id, conditioning]
            of = {(start, end): part for start, end, part in sample.spans}
            if said is not None:
                row.update(_said(said, sample, names, of if conditioning == "oracle" else {}))
            if conditioning == "oracle":
                row["spans"] = None if found is None else [_span(sample.answer, place, names, of) for place in found]


def _said(said: Said, sample: Sample, names: Mapping[str, str], of: Mapping[tuple[int, int], str]) -> Row:
    """The columns of a text with masks: one for each mention of a part, in the text's order."""
    if not said.masked:
        return {"text": said.text}
    spans = [_span(said.text, (part.start, part.end), names, of) for part in said.parts]
    made = [masks.from_bitmap(sample.view.back(part.mask)) for part in said.parts]
    true = {
        name: masks.from_bitmap(sample.view.back(mask))
        for (_, _, name), mask in zip(sample.spans, sample.masks, strict=True)
    }
    return {
        "text": said.text,
        "spans": spans,
        "masks": [
            {"part": span["part"], **_columns(mask), "score": part.score or 0.0}
            for span, mask, part in zip(spans, made, said.parts, strict=True)
        ],
        "iou": iou_by_part(zip((span["part"] for span in spans), made, strict=True), true),
    }


def _span(text: str, place: tuple[int, int], names: Mapping[str, str], of: Mapping[tuple[int, int], str]) -> Row:
    """A span with the part that it names: the one `of` its place, or what its phrase means anywhere, or the phrase."""
    phrase = text[place[0] : place[1]].lower()
    return {"start": place[0], "end": place[1], "part": of.get(place) or names.get(phrase, phrase)}


def _columns(rle: Rle) -> Row:
    told = masks.to_json(rle)
    return {"height": told["size"][0], "width": told["size"][1], "counts": told["counts"]}
