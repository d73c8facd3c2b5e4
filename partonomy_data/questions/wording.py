"""Questions and answers in English, from a bank of templates with slots (`bank`, `templates.yaml`).

A name is never searched for, nor read as anything but text: the pieces of a template, which was cut at its slots once,
are joined with the names. So a span is known from where the phrase was put, and a part's name within the object's name,
or within another part's, is no span.

Spans are exact whatever a name holds: the phrase in the text is `nouns.plain(phrase)`, which is the phrase itself but
for controls and white space, and its start and end are counted, in characters (code points), as the text is put
together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from partonomy_data.questions.bank import LISTINGS, OBJECT, QUESTION_SLOTS, Bank
from partonomy_data.questions.nouns import definite, indefinite, plain

__all__ = [
    "QUESTION_SLOTS",
    "Span",
    "answer",
    "filled",
    "listed",
    "object_answer",
    "object_question",
    "question",
    "template_ids",
]

#: (start, end, part): where in the text the phrase for a part stands, in characters.
Span = tuple[int, int, str]

_THE_OBJECT = "the object"
#: What a text says of where the object is, by whether a box is drawn around it.
PLACES: Final = {False: " in the image", True: " marked by a box in the image"}


def question(
    question_type: str,
    names_object: bool,
    object_category: str,
    contrasts: Sequence[str],
    key: str,
    *,
    boxed: bool = False,
    bank: Bank | None = None,
) -> tuple[str, str]:
    """The question for parts, and the id of its template (`difference/named/3`), which also words its answers.

    `contrasts` are the other object categories: one for `intersection` and `difference`; for `contrast` the one that
    the object has the parts in common with, then the one that it hasn't. Equal keys get equal templates of one bank,
    which is the standard one if none is given. `boxed` says that a box is drawn around the object, which the question
    then mentions. Raises ValueError for a type that there isn't, for contrasts too many or too few, and for a two-turn
    type that names its object.
    """
    slots = QUESTION_SLOTS.get(question_type)
    if slots is None:
        raise ValueError(f"there is no question type {question_type!r}")
    if len(contrasts) != len(slots) - 1:
        raise ValueError(f"{question_type} takes {len(slots) - 1} contrast categories, not {len(contrasts)}")
    bank = bank or Bank.standard()
    wording_id = bank.chosen(question_type, names_object, key)
    values = {slot: indefinite(name) for slot, name in zip(slots[1:], contrasts, strict=True)}
    values["object"] = (definite(object_category) if names_object else _THE_OBJECT) + PLACES[boxed]
    return filled(bank.template(wording_id, parts=True).question, values), wording_id


def answer(wording_id: str, phrases: Iterable[tuple[str, str]], *, bank: Bank | None = None) -> tuple[str, list[Span]]:
    """The answer to a question for parts that lists `phrases` in their order, and the spans of the phrases.

    `wording_id` is the question's, from the same bank. `phrases` are pairs (phrase, part): the part's name or its head
    word, and the part. For each, in order, a span (start, end, part) with `text[start:end] == nouns.plain(phrase)`;
    spans are never empty and don't overlap. Equal phrases are listed as often as they come. Raises ValueError for an
    unknown id, and where there is nothing to list.
    """
    return listed((bank or Bank.standard()).template(wording_id, parts=True).answer, phrases)


def listed(pieces: Sequence[str], phrases: Iterable[tuple[str, str]]) -> tuple[str, list[Span]]:
    """As `answer`, from the pieces of a template's answer: text, slot, text."""
    before, slot, after = pieces
    listing = LISTINGS[slot]
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


def object_question(key: str, *, boxed: bool = False, bank: Bank | None = None) -> tuple[str, str]:
    """The question for the object, as two-turn types ask it, and the id of its template (`object/unnamed/3`)."""
    bank = bank or Bank.standard()
    wording_id = bank.chosen(OBJECT, False, key)
    pieces = bank.template(wording_id, parts=False).question
    return filled(pieces, {"object": _THE_OBJECT + PLACES[boxed]}), wording_id


def object_answer(wording_id: str, object_category: str, *, bank: Bank | None = None) -> str:
    """The answer to a question for the object: "It is an airplane." Raises ValueError for an unknown id."""
    pieces = (bank or Bank.standard()).template(wording_id, parts=False).answer
    return filled(pieces, {"an_object": indefinite(object_category)})


def template_ids() -> tuple[str, ...]:
    """The ids of the standard templates, those for the object last: `<type>/<named or unnamed>/<number>`."""
    return Bank.standard().ids()


def filled(pieces: Sequence[str], values: Mapping[str, str]) -> str:
    """The pieces of a template's question (text, slot, text, …, text) with a value in the place of each slot."""
    return "".join(values[piece] if i % 2 else piece for i, piece in enumerate(pieces))
