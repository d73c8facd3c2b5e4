"""Questions and answers in English, from a bank of templates with slots (`templates.yaml`).

A name is never searched for, nor read as anything but text: a template is cut at its slots once, and its pieces are
joined with the names. So a span is known from where the phrase was put, and a part's name within the object's name, or
within another part's, is no span.

Spans are exact whatever a name holds: the phrase in the text is `nouns.plain(phrase)`, which is the phrase itself but
for controls and white space, and its start and end are counted, in characters (code points), as the text is put
together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

from partonomy_data.questions import keyed
from partonomy_data.questions.nouns import definite, indefinite, plain
from partonomy_data.questions.settings import TWO_TURNS

#: (start, end, part): where in the text the phrase for a part stands, in characters.
Span = tuple[int, int, str]

#: The slots of each type's question. A type that names other categories names them in this order.
QUESTION_SLOTS: Final[Mapping[str, tuple[str, ...]]] = {
    "identification": ("object",),
    "intersection": ("object", "alike"),
    "difference": ("object", "unlike"),
    "contrast": ("object", "alike", "unlike"),
    "part_to_whole": ("object",),
    "whole_to_part": ("object",),
}
# The type that the templates for the object go by in ids.
_OBJECT = "object"
_THE_OBJECT = "the object"
_PLACES: Final = {False: " in the image", True: " marked by a box in the image"}
_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class _Listing:
    """How a slot lists parts: what comes before the first phrase, and before each of the others."""

    opening: str
    each: str


_LISTINGS: Final = {
    "the_parts": _Listing("the ", "the "),
    "The_parts": _Listing("The ", "the "),
    "its_parts": _Listing("its ", ""),
    "Its_parts": _Listing("Its ", ""),
}


class _Worded(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question with its answer, as the file has them."""

    question: str
    answer: str


class _Bank(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file of templates."""

    parts: dict[str, tuple[_Worded, ...]]
    objects: tuple[_Worded, ...]


@dataclass(frozen=True, slots=True)
class _Template:
    """A question with its answer, cut at the slots: text, slot, text, …, text."""

    question: tuple[str, ...]
    answer: tuple[str, ...]


def question(
    question_type: str,
    names_object: bool,
    object_category: str,
    contrasts: Sequence[str],
    key: str,
    *,
    boxed: bool = False,
) -> tuple[str, str]:
    """The question for parts, and the id of its template (`difference/named/3`), which also words its answers.

    `contrasts` are the other object categories: one for `intersection` and `difference`; for `contrast` the one that
    the object has the parts in common with, then the one that it hasn't. Equal keys get equal templates. `boxed` says
    that a box is drawn around the object, which the question then mentions. Raises ValueError for a type that there
    isn't, for contrasts too many or too few, and for a two-turn type that names its object.
    """
    slots = QUESTION_SLOTS.get(question_type)
    if slots is None:
        raise ValueError(f"there is no question type {question_type!r}")
    if len(contrasts) != len(slots) - 1:
        raise ValueError(f"{question_type} takes {len(slots) - 1} contrast categories, not {len(contrasts)}")
    wording_id = _chosen(question_type, names_object, key)
    values = {slot: indefinite(name) for slot, name in zip(slots[1:], contrasts, strict=True)}
    values["object"] = (definite(object_category) if names_object else _THE_OBJECT) + _PLACES[boxed]
    return _filled(_templates()[wording_id].question, values), wording_id


def answer(wording_id: str, phrases: Iterable[tuple[str, str]]) -> tuple[str, list[Span]]:
    """The answer to a question for parts that lists `phrases` in their order, and the spans of the phrases.

    `wording_id` is the question's. `phrases` are pairs (phrase, part): the part's name or its head word, and the part.
    For each, in order, a span (start, end, part) with `text[start:end] == nouns.plain(phrase)`; spans are never empty
    and don't overlap. Equal phrases are listed as often as they come. Raises ValueError for an unknown id, and where
    there is nothing to list.
    """
    before, slot, after = _found(wording_id, parts=True).answer
    listing = _LISTINGS[slot]
    named = [(plain(phrase), part) for phrase, part in phrases]
    if not named:
        raise ValueError("an answer names at least one part")
    text = before + listing.opening
    spans = []
    last = len(named) - 1
    for i, (phrase, part) in enumerate(named):
        if i:
            text += (", " if i < last else ", and " if last > 1 else " and ") + listing.each
        start = len(text)
        text += phrase
        spans.append((start, len(text), part))
    return text + after, spans


def object_question(key: str, *, boxed: bool = False) -> tuple[str, str]:
    """The question for the object, as two-turn types ask it, and the id of its template (`object/unnamed/3`)."""
    wording_id = _chosen(_OBJECT, False, key)
    return _filled(_templates()[wording_id].question, {"object": _THE_OBJECT + _PLACES[boxed]}), wording_id


def object_answer(wording_id: str, object_category: str) -> str:
    """The answer to a question for the object: "It is an airplane." Raises ValueError for an unknown id."""
    return _filled(_found(wording_id, parts=False).answer, {"an_object": indefinite(object_category)})


def template_ids() -> tuple[str, ...]:
    """The ids of all templates, those for the object last: `<type>/<named or unnamed>/<number>`."""
    return tuple(_templates())


def _found(wording_id: str, *, parts: bool) -> _Template:
    template = _templates().get(wording_id)
    if template is None or wording_id.startswith(f"{_OBJECT}/") is parts:
        raise ValueError(f"no template for {'parts' if parts else 'objects'} has the id {wording_id!r}")
    return template


def _chosen(question_type: str, names_object: bool, key: str) -> str:
    ids = _ids().get((question_type, names_object))
    if ids is None:
        raise ValueError(f"{question_type} never names its object")
    return ids[keyed.number("wording", question_type, key) % len(ids)]


def _filled(pieces: Sequence[str], values: Mapping[str, str]) -> str:
    return "".join(values[piece] if i % 2 else piece for i, piece in enumerate(pieces))


@cache
def _templates() -> dict[str, _Template]:
    """Id → template. Raises msgspec.ValidationError or ValueError if the file was edited into another shape."""
    text = files("partonomy_data.questions").joinpath("templates.yaml").read_bytes()
    bank = msgspec.yaml.decode(text, type=_Bank)
    if bank.parts.keys() != QUESTION_SLOTS.keys():
        raise ValueError(f"templates.yaml must have templates for {', '.join(QUESTION_SLOTS)}")
    out: dict[str, _Template] = {}
    for question_type, slots in QUESTION_SLOTS.items():
        turns = ("unnamed",) if question_type in TWO_TURNS else ("named", "unnamed")
        # Scissors are "they": only "the object" is sure to be an "it".
        listings = tuple(_LISTINGS) if question_type in TWO_TURNS else ("the_parts", "The_parts")
        cut = [_cut(worded, slots, listings) for worded in bank.parts[question_type]]
        out |= {f"{question_type}/{turn}/{i}": template for turn in turns for i, template in enumerate(cut)}
    objects = [_cut(worded, ("object",), ("an_object",)) for worded in bank.objects]
    return out | {f"{_OBJECT}/unnamed/{i}": template for i, template in enumerate(objects)}


def _cut(worded: _Worded, question_slots: Sequence[str], answer_slots: Sequence[str]) -> _Template:
    """The template cut at its slots: each of the question's once, in any order, and one of the answer's."""
    question, answer = (tuple(_SLOT.split(text)) for text in (worded.question, worded.answer))
    if sorted(question[1::2]) != sorted(question_slots):
        raise ValueError(f"templates.yaml: {worded.question!r} must have the slots {', '.join(question_slots)}")
    if len(answer) != 3 or answer[1] not in answer_slots:
        raise ValueError(f"templates.yaml: {worded.answer!r} must have one slot of {', '.join(answer_slots)}")
    return _Template(question, answer)


@cache
def _ids() -> dict[tuple[str, bool], tuple[str, ...]]:
    """(type, whether the object is named) → the ids of its templates."""
    out: dict[tuple[str, bool], tuple[str, ...]] = {}
    for wording_id in _templates():
        question_type, turn, _ = wording_id.split("/")
        key = (question_type, turn == "named")
        out[key] = (*out.get(key, ()), wording_id)
    return out
