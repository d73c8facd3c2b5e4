"""Finished questions in other words, one by one: a language model rewords a share of them, and is held to what they say.

What is shown is a question with one of its choices, never which choice is right. What comes back is of use if it makes a
template (`questions.admission_paraphrase`), which then words all choices of the question, and all questions that share
its text. Where it doesn't, the wording stays as it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final

import msgspec

from partonomy_data.llm.brief import Answered, Asks, Brief, Item, Unanswered
from partonomy_data.llm.guard import reads_as_a_name
from partonomy_data.llm.purposes.wording import STYLES
from partonomy_data.questions import keyed
from partonomy_data.questions.admission_paraphrase import Inadmissible, Original, template
from partonomy_data.questions.bank import Proposed

_INSTRUCTIONS: Final = """\
You reword questions about a photograph, and their answers. Each item has a question, one of its answers, what must be kept, \
and a style. Write the question and the answer anew, in that style and in good American English, so that they say exactly \
the same in other words.

- Everything under "keep in the question" must stand in your question word for word, exactly once each.
- Exactly one of the lists under "keep in the answer" must stand in your answer word for word, once: all of its parts, in \
their order, and no others. Lists that begin with a capital letter stand at the start of a sentence, the others anywhere else.
- Add nothing: no other part, object or example, and nothing of your own about those that there are.
- The question asks for the complete list (all, every, exactly) of the parts, by that word, that can be clearly seen, and says \
that nothing else is wanted (and nothing else, only those, no others). Where it compares the object with another, it asks \
for "parts of" or "part of" the object.
- The answer is one statement that gives the list, and doesn't say "parts".
- No verb that would have to agree with a name or with the number of parts: no is, are, has, have, was, were, does, do. Use \
can, could or would.
- Nothing that tells or hints at a number: no number words, no one or ones (but "one can see"), no some, few, many, several, \
most. No former or latter where only one other object is named. No its or their, save where a list to keep begins with it.
- Don't mention choices, answers, boxes or labels, save in what must be kept.
- Plain words, and the signs , . ; : ? ' - only. One line each, at most 200 characters beside what must be kept.
- The question is one or two sentences: questions with a question mark, or requests that begin with an imperative (Name, List, \
Give, Tell, Identify, Report, Look at, Point out)."""


class Paraphrase(msgspec.Struct, frozen=True):
    """The answer to one item."""

    question: Annotated[str, msgspec.Meta(description="the question in other words")]
    answer: Annotated[str, msgspec.Meta(description="its answer in other words")]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, and what came of it. Counts are of texts, each of which several questions may share."""

    percent: float
    drawn: int
    reworded: int
    questions: int
    """Questions whose text was reworded."""
    unreadable: int
    """Not shown, as a name in them doesn't read as one."""
    inadmissible: int
    """Left as they were, though admitted when the answer came: of names that there were not then, or older rules."""
    unanswered: int


#: The fields of `Report` that are counted as questions are asked about.
COUNTED: Final = ("drawn", "reworded", "unreadable", "inadmissible", "unanswered")


@dataclass(frozen=True, slots=True)
class Reworded:
    """What came of some questions."""

    templates: tuple[Proposed | None, ...]
    """For each; None where its wording stays. Equal paraphrases of one call have one id."""
    counts: Mapping[str, int]
    """By those fields of `Report`."""


def propose(asks: Asks, originals: Sequence[Original], barred: Collection[str]) -> Reworded:
    """Asks for a paraphrase of each question whose names may be shown, and gives those that are admissible.

    `barred` are the names of the parts and objects of the store.
    """
    readable = {str(place): one for place, one in enumerate(originals) if all(map(reads_as_a_name, one.names))}
    items = [Item(place, shown(one)) for place, one in readable.items()]
    outcomes = asks.ask(brief(readable, barred), items) if items else {}
    counts: Counter[str] = Counter(drawn=len(originals), unreadable=len(originals) - len(readable))
    templates: list[Proposed | None] = [None] * len(originals)
    for place, original in readable.items():
        outcome = outcomes.get(place)
        if outcome is None or isinstance(outcome, Unanswered):
            counts["unanswered"] += 1
            continue
        # An answer that was stored was checked when it came; the names of the store may be others since.
        try:
            templates[int(place)] = _proposed(original, outcome, barred)
        except Inadmissible:
            counts["inadmissible"] += 1
        else:
            counts["reworded"] += 1
    return Reworded(tuple(templates), counts)


def brief(originals: Mapping[str, Original], barred: Collection[str]) -> Brief[Paraphrase]:
    """What is asked, and what is objected to; `originals` by the ids of the items."""
    check = partial(_check, originals, barred)
    return Brief("paraphrase", _INSTRUCTIONS, Paraphrase, check, pack=8, tokens=160, temperature=0.8)


def shown(original: Original) -> dict[str, Any]:
    """What the model sees of a question."""
    return {
        "type": original.question_type,
        "question": original.question,
        "answer": original.answer,
        "keep in the question": list(original.kept.values()),
        "keep in the answer": list(original.lists().values()),
        "style": STYLES[keyed.number("style", original.id) % len(STYLES)],
    }


def _check(originals: Mapping[str, Original], barred: Collection[str], item: Item, answer: Paraphrase) -> str | None:
    try:
        template(originals[item.id], answer.question, answer.answer, barred)
    except Inadmissible as error:
        return str(error)
    return None


def _proposed(original: Original, outcome: Answered[Paraphrase], barred: Collection[str]) -> Proposed:
    made = template(original, outcome.value.question, outcome.value.answer, barred)
    # The call and the text, and nothing of how many others were asked for: the same in a build that rewords more.
    text = keyed.hexdigest(made.question, made.answer, size=4)
    return Proposed(f"{outcome.call_id}.p{text}", original.question_type, made.question, made.answer)
