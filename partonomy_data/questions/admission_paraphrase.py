"""Whether a paraphrase says what it was to say, and no more; and the template that it makes.

A paraphrase is written about one question with one of its choices, but must word the other choices too, and the question
of all photographs that share them. So it is taken for a template: what names the object, the other categories and the
parts must stand in it word for word, once, and these places become its slots. The rest is held to the rules of templates
(`admission`), and to a list of words besides: a thing that nobody asked about can't be named by words that name no thing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from partonomy_data.questions.admission import flaw, ordinary_words, same_text
from partonomy_data.questions.bank import SLOT, Wording, answer_slots
from partonomy_data.questions.wording import listed

_WORD: Final = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)*")
_WORDS: Final = """
    able about accurate accurately across actually afterwards again ahead along although among any anything appear
    appearing because been beforehand being belong belonging best bit brief briefly bring careful carefully catalog
    check checking closely closer come comparable compared comparison completeness comprehensive comprehensively
    concentrate confine considered considering contain containing continue contrast contrasted contrasting
    correspond corresponding covered depicted describing detail detailed detect detectable detected determine
    directly discerning disclose discover displayed displaying distinct distinctly distinguishable distinguished
    during each easily easy either entirely entirety enumerating equally especially evident evidently exact
    examination examine examined examining exhaustive exhaustively exist existing expect expected fail fails feel
    final finally finding finish focused focusing forget forgetting forth found free furnish further generally
    gently get getting given giving glance glancing goes going gone good happen having hello help hey hi how however
    identifiable identified identifying imagining included including indeed indicate indicated indicating inspect
    inspecting inspection instead inventory itemize itemizing keeping kindly know known later let let's like liked
    limit limited limiting listed listing locate located locating looked looks made making manage marked marking
    mean meaning meant mentioned mentioning merely mindful moment more moreover move moving my need needed
    nevertheless nor noted notice noticeable noticed noticing noting observable observation observe observed
    observing obvious obviously occur occurring offer okay omission omitting once onto ordinarily otherwise outright
    overall overlook overlooking own particular particularly perceive perceived perceptible photo photograph picked
    picking pinpoint pinpointing plain plainly pointed pointing politely possess possessed possessing precise
    precisely present presented presenting proceed provided providing put quickly quite rather ready really recite
    recognize recognized recognizing recount refer regard regarding remain remaining remember reported reporting
    requested required respect restrict restricted restricting reveal revealed revealing same saw saying scan
    scanning scene scrutinize scrutinizing search searching seeing seeking seem separate separately shortly showing
    shown similar similarly simple simply skip skipping slowly solely some sort speak specified specifying spot
    spotted spotting stated stating still strictly study studying sure surely survey surveying telling than thanks
    thing things thinking thorough thoroughly thus time together total totally try trying turning unambiguous
    unambiguously unmistakable unmistakably until use very viewable viewed viewing visibly walk want wanted way
    welcome whatever whatsoever whenever whereas whether whichever whose why wish wonder wondering words working yes
    yourself
"""
#: Words that a paraphrase may say beside those of the standard templates. None names a thing that a picture could show.
_FREE: Final = frozenset(_WORDS.split())
#: In an answer these would add to its list without naming anything.
_ADDING: Final = re.compile(
    r"\b(additional(?:ly)?|another|any|anything|else|extra|further|more|moreover|other|others|rest|some|things?|whatever"
    r"|whatsoever)\b",
    re.IGNORECASE,
)
#: So would these behind the list: "and" goes on with it, unless a verb or a negation follows.
_GOES_ON: Final = re.compile(
    r"\b(?:along|together|besides|beyond|including|like|plus|as well as)\b|\bwith\b(?! the (?:former|latter|first|second)\b)"
    r"|\b(?:and|or|nor)\b(?! (?:also |likewise )?(?:can|could|would|may|might|not|only|no|none|nothing)\b)",
    re.IGNORECASE,
)
#: After a name these would make another name of it: "a bus part".
_NOUNS: Final = re.compile(
    r" (?:parts?|pieces?|objects?|images?|pictures?|photos?|photographs?|scenes?|views?|kinds?|sorts?|things?|lists?"
    r"|sides?|labels?|names?)\b",
    re.IGNORECASE,
)


class Inadmissible(ValueError):
    """A paraphrase that can't be used; it says why in words that a model can mend it by."""


@dataclass(frozen=True, slots=True)
class Original:
    """A question and one of its choices, which are to be said in other words."""

    id: str
    """Of all questions that share the text."""
    question_type: str
    question: str
    answer: str
    kept: Mapping[str, str]
    """Slot of the question → what stands there, and must stand in a paraphrase: "the car in the image", "a bus"."""
    phrases: tuple[str, ...]
    """What the answer calls its parts, in its order."""
    names: tuple[str, ...]
    """All in it that comes from the sources."""

    def lists(self) -> dict[str, str]:
        """Slot of an answer → how the parts would be listed there."""
        named = [(phrase, phrase) for phrase in self.phrases]
        return {slot: listed(("", slot, ""), named)[0] for slot in answer_slots(self.question_type)}


def template(original: Original, question: str, answer: str, barred: Collection[str]) -> Wording:
    """The template that a paraphrase makes. Raises Inadmissible, with the reason.

    `barred` are the names of parts and objects of the store, of which a paraphrase may say no word but those that were in
    its places before.
    """
    if re.search(r"[{}]", question + answer):
        raise Inadmissible("curly braces belong into neither the question nor the answer")
    lists = original.lists()
    made = Wording(in_slots(question, original.kept), _in_slot(answer, lists))
    if same_text(question) == same_text(original.question):
        raise Inadmissible("the question is the same as before; say it in other words")
    found = flaw(original.question_type, made.question, made.answer, barred) or next(_additions(made), None)
    if found is not None:
        raise Inadmissible(_spelled(found, {**original.kept, **lists}))
    return made


def in_slots(text: str, kept: Mapping[str, str]) -> str:
    """The question with its slots again. The object is looked for first, as another's name may be a word of it.

    `kept` is what stands in each slot. Raises Inadmissible where one of them isn't there exactly once.
    """
    pieces = [text]
    for slot, value in sorted(kept.items(), key=lambda one: (one[0] != "object", -len(one[1]), one)):
        found = [(i, at) for i in range(0, len(pieces), 2) for at in _places(value, pieces[i])]
        if len(found) != 1:
            raise Inadmissible(f'the question must hold "{value}" exactly once, word for word')
        ((i, at),) = found
        pieces[i : i + 1] = [pieces[i][:at], slot, pieces[i][at + len(value) :]]
    return _joined(pieces)


def _in_slot(text: str, lists: Mapping[str, str]) -> str:
    """The answer with its slot again."""
    found = [(slot, at) for slot, value in lists.items() for at in _places(value, text)]
    if len(found) != 1:
        forms = " or ".join(f'"{value}"' for value in lists.values())
        raise Inadmissible(f"the answer must list the parts exactly once, word for word, in their order: {forms}")
    ((slot, at),) = found
    return _joined([text[:at], slot, text[at + len(lists[slot]) :]])


def _places(value: str, text: str) -> list[int]:
    """Where a text stands in another as words by themselves; places may overlap."""
    return [one.start() for one in re.finditer(rf"(?<!\w)(?={re.escape(value)}(?!\w))", text)]


def _joined(pieces: Sequence[str]) -> str:
    return "".join(f"{{{piece}}}" if i % 2 else piece for i, piece in enumerate(pieces))


def _additions(made: Wording) -> Iterator[str]:
    """What a paraphrase says that was not said before."""
    for word in _WORD.findall(SLOT.sub(" ", f"{made.question} {made.answer}").lower()):
        if word not in _known_words():
            yield f"{word!r} is no word that may be added; use plainer ones"
    pieces = SLOT.split(made.question)
    for i in range(1, len(pieces), 2):
        noun = _NOUNS.match(pieces[i + 1])
        if noun:
            yield f"{{{pieces[i]}}} must not become another name: take away {noun[0].strip()!r} after it"
    adding = _ADDING.search(SLOT.sub("x", made.answer))
    if adding:
        yield f"{adding[0]!r} would add to the list of the answer; leave it out"
    if _GOES_ON.search(SLOT.split(made.answer)[2]):
        yield "the answer must not go on with the list"


@cache
def _known_words() -> frozenset[str]:
    return ordinary_words() | _FREE


def _spelled(reason: str, values: Mapping[str, str]) -> str:
    """A reason that speaks of slots, in the words that stand there: who writes paraphrases sees no slots."""
    for slot, value in values.items():
        reason = reason.replace(f"{{{slot}}}", f'"{value}"')
    return reason
