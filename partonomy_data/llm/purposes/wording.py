"""Templates proposed by a language model: more ways to ask the same questions, each checked before it may word any.

What is asked for is one question with its answer for each type of question and each of some styles. Whether it is of
use is for `questions.admission` to say; what it objects to is what the model gets to read before its second try.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final

import msgspec

from partonomy_data.llm.brief import Answered, Asks, Brief, Item, Unanswered
from partonomy_data.questions.admission import flaw, objection, same_text
from partonomy_data.questions.bank import (
    OBJECT,
    TEMPLATE_TYPES,
    Proposed,
    Wording,
    answer_slots,
    question_slots,
    standard_texts,
)

#: How a question may sound; a variant each.
STYLES: Final = (
    "plain and neutral",
    "formal, as in a handbook",
    "as brief as can be",
    "spoken, as one would ask a friend",
    "for a child of ten, in simple words",
    "a request in the imperative",
    "polite: Could you …?",
    "a careful observer's: looking closely, going through the object bit by bit",
)

_MEANINGS: Final = {
    "identification": "all parts of the object that can be clearly seen, and no others",
    "intersection": "those clearly visible parts of the object that {alike} would have too, all of them and no others",
    "difference": "those clearly visible parts of the object that {unlike} would not have, all of them and no others",
    "contrast": (
        "those clearly visible parts of the object that {alike} would have too, but {unlike} would not, all of them and"
        " no others; name {alike} before {unlike}"
    ),
    "part_to_whole": (
        "all parts of the object that can be clearly seen, and no others, before it is said what the object is: that is"
        " asked next"
    ),
    "whole_to_part": (
        "all parts of the object that can be clearly seen, and no others, just after it was said what the object is"
    ),
    OBJECT: "what the object is",
}
_SLOTS: Final = {
    "object": 'the object asked about: "the car in the image", "the scissors in the image", "the object in the image"',
    "alike": 'an object of another kind, with its article: "a bus", "a pair of scissors", "armor"',
    "unlike": 'an object of another kind, with its article: "a bus", "a pair of scissors", "armor"',
    "the_parts": 'one part or more: "the body, the tail, and the wing"',
    "The_parts": 'the same at the start of a sentence: "The body, the tail, and the wing"',
    "its_parts": 'one part or more: "its body, tail, and wing"',
    "Its_parts": 'the same at the start of a sentence: "Its body, tail, and wing"',
    "an_object": 'what the object is, with its article: "an airplane", "a pair of scissors", "armor"',
}
_INSTRUCTIONS: Final = """\
You write templates for questions about a photograph, and for their answers. Each item says what a question asks for, which \
slots it has, in which style it is to be written, and gives examples. Write one new question with its answer, in good \
American English, that says the same as the examples in other words.

The slots are filled in later, with names that you can't know: of one thing or many, counted or not. So:
- In the question use each slot of the question exactly once, spelled as given, in curly braces. In the answer use exactly \
one slot of the answer. No other curly braces. Slots bring their own articles.
- No verb that would have to agree with a slot or with the number of parts: no is, are, has, have, was, were, does, do. Use \
can, could or would.
- Nothing that tells or hints at a number: no number words, no some, few, many, several, most.
- Where parts are asked for, ask for the complete list (all, every, exactly) of what can be clearly seen, and say that \
nothing else is wanted (and nothing else, only those, no others). Where another object is compared, ask for parts of the \
object in these words: "parts of {object}" or "part of {object}".
- The answer is one statement that lists the parts, or names the object, and nothing else; it doesn't say "parts".
- Don't name any object, part or example. Don't mention choices, answers, boxes or labels.
- Letters, spaces and the signs , . ; : ? ' - only: no quotation marks, digits or brackets. One line, at most 220 characters.
- The question is one or two sentences: questions with a question mark, or requests that begin with an imperative."""


class Template(msgspec.Struct, frozen=True):
    """The answer to one item."""

    question: Annotated[str, msgspec.Meta(description="the question, with each of its slots once, as {object}")]
    answer: Annotated[str, msgspec.Meta(description="its answer, with one slot, as {the_parts}")]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, and what came of it. Counts are of templates."""

    asked: int
    admitted: dict[str, int]
    """By type."""
    alike: int
    """Left out, as an earlier one asks in the same words."""
    inadmissible: int
    """Left out, though admitted when it was answered: of names of the store that there were not then, or older rules."""
    unanswered: int


@dataclass(frozen=True, slots=True)
class Worded:
    """The templates that were proposed and admitted."""

    templates: tuple[Proposed, ...]
    report: Report


def propose(asks: Asks, barred: Iterable[str]) -> Worded:
    """Asks for a template of each type in each style, and gives those that are admissible, in the order of the items.

    `barred` are the names of the parts and objects of the store: no template may say a word of them.
    """
    names = frozenset(barred)
    asked = items()
    outcomes = asks.ask(brief(names), [item for _, _, item in asked])
    templates: list[Proposed] = []
    seen: set[tuple[str, str]] = set()
    counts: Counter[str] = Counter()
    for question_type, variant, item in asked:
        outcome = outcomes.get(item.id)
        if outcome is None or isinstance(outcome, Unanswered):
            counts["unanswered"] += 1
            continue
        proposed = _proposed(question_type, variant, outcome)
        text = (question_type, same_text(proposed.question))
        # An answer that was stored was checked when it came; the names of the store may be others since.
        if objection(question_type, proposed.question, proposed.answer, names) is not None:
            counts["inadmissible"] += 1
        elif text in seen:
            counts["alike"] += 1
        else:
            seen.add(text)
            templates.append(proposed)
    admitted = Counter(one.question_type for one in templates)
    report = Report(
        asked=len(asked),
        admitted={question_type: admitted[question_type] for question_type in TEMPLATE_TYPES},
        alike=counts["alike"],
        inadmissible=counts["inadmissible"],
        unanswered=counts["unanswered"],
    )
    return Worded(tuple(templates), report)


def brief(barred: Collection[str]) -> Brief[Template]:
    """What is asked, and what is objected to."""
    return Brief("wording", _INSTRUCTIONS, Template, partial(_check, barred), pack=4, tokens=160, temperature=0.8)


def items() -> list[tuple[str, int, Item]]:
    """(type, variant from 1, item) for each type in each style."""
    return [
        (question_type, variant, Item(f"{question_type}/{variant}", _shown(question_type, variant, style)))
        for question_type in TEMPLATE_TYPES
        for variant, style in enumerate(STYLES, 1)
    ]


def _shown(question_type: str, variant: int, style: str) -> dict[str, Any]:
    return {
        "type": question_type,
        "asks for": _MEANINGS[question_type],
        "slots of the question": {f"{{{slot}}}": _SLOTS[slot] for slot in question_slots(question_type)},
        "slots of the answer": {f"{{{slot}}}": _SLOTS[slot] for slot in answer_slots(question_type)},
        "style": style,
        "examples": [msgspec.to_builtins(one) for one in _examples(question_type, variant)],
    }


def _examples(question_type: str, variant: int) -> list[Wording]:
    """Two standard templates, others for each variant; only such as would be admitted, since they are imitated."""
    sound = [
        one for one in standard_texts()[question_type] if flaw(question_type, one.question, one.answer, ()) is None
    ]
    return [sound[place % len(sound)] for place in (variant, variant + len(sound) // 2)]


def _check(barred: Collection[str], item: Item, answer: Template) -> str | None:
    return objection(item.shown["type"], answer.question, answer.answer, barred)


def _proposed(question_type: str, variant: int, outcome: Answered[Template]) -> Proposed:
    return Proposed(f"{outcome.call_id}.{variant}", question_type, outcome.value.question, outcome.value.answer)
