"""What is wrong with a template that somebody proposes, in words that a model can mend it by.

A template words thousands of questions about things that its author never saw, so what it may say is narrow. Each rule
has its reason beside it; they come in three sets:

    form       plain text in the right shape, with the right slots in places where any name fits
    silence    nothing that tells a number, a name of the store, or anything about the test itself
    meaning    it asks what its type asks for, and the answer doesn't say otherwise (`admission_meaning`)

Rules are lists of words and what stands beside what: they refuse many a template that is fine, and there are others.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache, lru_cache
from typing import Final

from partonomy_data.questions.admission_meaning import IMPERATIVES, MODALS, meaning_objection, words_of_meaning
from partonomy_data.questions.bank import LISTINGS, OBJECT, SLOT, TEMPLATE_TYPES, answer_slots, question_slots
from partonomy_data.questions.bank import standard_texts as _standard
from partonomy_data.questions.settings import CONTRASTS, TWO_TURNS
from partonomy_data.taxonomy.inflection import singular

#: Characters of a question or an answer, its slots as they are spelled. The longest standard one has 171.
LONGEST: Final = 220

_PLAIN: Final = re.compile(r"[A-Za-z ,.;:?'\-]*")
_WORD: Final = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)*")
_SENTENCE_END: Final = re.compile(r"(?<=[.?]) +")
_NUMBERS: Final = re.compile(
    r"\b(two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozens?|hundreds?|thousands?|single|sole|pairs?"
    r"|couples?|double|triple|twice|once|some|several|(?:a )?few(?:er|est)?|many|multiple|various|numerous|numbers?"
    r"|counts?|counting|plenty|lots?|one|ones|singular|plural|group|sets|handful|half|majority|most(?:ly)?|main(?:ly)?"
    r"|major|at least|at most|up to|only part|example|examples|typical(?:ly)?|usual(?:ly)?)\b",
    re.IGNORECASE,
)
# "One can see" is no number, nor is "one" after a modal: "would one find".
_ONE_CAN: Final = re.compile(
    rf"\bone (?:{'|'.join(MODALS)})\b|\b(?:{'|'.join(MODALS)}) one\b(?! (?:of|part|thing))", re.IGNORECASE
)
_MODAL: Final = re.compile(rf"\b({'|'.join(MODALS)})\b", re.IGNORECASE)
_AGREEING: Final = re.compile(
    r"\b(is|are|am|was|were|has|does|isn't|aren't|wasn't|weren't|hasn't|haven't|doesn't|have|do|don't|it's|that's"
    r"|there's|what's|they're)\b",
    re.IGNORECASE,
)
# "Would … have", "you have", "said to have", "do you see" and "don't add" agree with no name and with no number of parts.
_AGREES_WITH_NONE: Final = re.compile(
    rf"\b(?:(?:{'|'.join(MODALS)}|said to)\b[^,:;.?]*?\bhave|you (?:just |now |already )?(?:have|were|are)|do you"
    r"|(?:^|(?<=[.?,;:] )|(?<=\band )|(?<=\bbut )|(?<=\bplease ))(?:do not|don't)(?= [a-z]))\b",
    re.IGNORECASE,
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DETERMINERS: Final = _words("""
    a an the this these those its their his her your our my each every any no all either neither such
""")
#: Verbs that agree with a name before them: never there, and there only after can, could, would, …
_THIRD_PERSON: Final = _words("""
    is are was were has does isn't aren't wasn't weren't hasn't haven't doesn't don't appears belongs carries comes
    consists contains differs displays exhibits features gets goes includes keeps lacks lies looks makes misses needs
    offers owns possesses remains reveals seems shares shows stands wants
""")
_BARE: Final = _words("""
    appear carry come consist contain differ display do exhibit feature get go have include keep lack look make miss need
    offer own possess remain reveal seem share show stand want
""")
_BEFORE_LISTING: Final = _words("""
    answer be call discern find give have identify include just label lack list make mark mention name not notice observe
    of only out pick point recognize report see share show spot tell to with
""")
_AFTER_LISTING: Final = frozenset(MODALS) | _words("here there in on too also clearly as from but only alone")
_BEFORE_THE_NAME: Final = _words("is as it be called call see say that of with show shows by find recognize")
#: Words about the test rather than the picture: a reader who is told of choices is told how he is tested.
_ABOUT_THE_TEST: Final = _words("""
    above ai annotated annotation annotations answer answers assistant below box choice choices choose correct correctly
    dataset datasets disregard exam false following guess html ignore incorrect instruct instruction instructions json
    language letter markdown mask model models option options override placeholder placeholders pretend previous prompt prompts
    question questions quiz right score slot slots system template templates test true user wrong
""")
#: What may be said of things although some part or object may be called so.
_FUNCTION_WORDS: Final = _words("""
    a an and as at be before but by can could do don't for from go here i if in into it its may might must no none nor
    not nothing now of off on only or other others our out over please shall should so than that the their them then
    there these they this those through to too under up upon us was we well what when where which while who will with
    within without would you your
""")


def objection(question_type: str, question: str, answer: str, barred: Collection[str]) -> str | None:
    """What is wrong with a proposed template; None if it is admissible.

    `question_type` is `object` for the question for the object. `barred` are the names of parts and objects of the
    store, of which a template must not say a word. Raises ValueError for a type that there isn't.
    """
    found = flaw(question_type, question, answer, barred)
    if found is None and same_text(question) in _standard_questions(question_type):
        found = "the question is one of those that there are already; word it differently"
    return found


def flaw(question_type: str, question: str, answer: str, barred: Collection[str]) -> str | None:
    """As `objection`, but a question that there is already is none."""
    if question_type not in TEMPLATE_TYPES:
        raise ValueError(f"there are no templates for {question_type!r}")
    for rules in (_form, _places, _silence, meaning_objection):
        for found in rules(question_type, question, answer):
            return found
    return _leak(question, answer, barred)


def same_text(text: str) -> str:
    """What is left of a text without case and signs: equal for texts that nobody would call two."""
    return " ".join(_WORD.findall(text.casefold().replace("'", "")))


@cache
def _standard_questions(question_type: str) -> frozenset[str]:
    return frozenset(same_text(one.question) for one in _standard()[question_type])


def _form(question_type: str, question: str, answer: str) -> Iterator[str]:
    """Shape and slots. What passes is a line of plain letters and signs, and can't be read as any syntax."""
    for what, text in (("question", question), ("answer", answer)):
        if len(text) > LONGEST:
            yield f"the {what} is longer than {LONGEST} characters; shorten it"
        bare = SLOT.sub("x", text)
        # Digits are numbers; quotation marks, brackets, markdown and line ends would stand in every question.
        if not _PLAIN.fullmatch(bare):
            yield (
                f"the {what} may hold letters, spaces and the signs , . ; : ? ' - only, and curly braces around slots only"
            )
        if bare != bare.strip() or "  " in bare or re.search(r" [,.;:?]|[,.;:?]{2}|--|(?<![A-Za-z])'|'(?![a-z])", bare):
            yield f"the {what} has white space or signs where none belong"
        if not re.match(r"[A-Z]", text) and not text.startswith(("{The_parts}", "{Its_parts}")):
            yield f"the {what} must begin with a capital letter, not with a slot that is written small"
    wanted, offered = question_slots(question_type), answer_slots(question_type)
    # Each name once: a question that leaves one out asks something else, and names can be long.
    if sorted(SLOT.findall(question)) != sorted(wanted):
        yield f"the question must have each of these slots once, and no other: {_braced(wanted)}"
    if len(SLOT.findall(answer)) != 1 or SLOT.findall(answer)[0] not in offered:
        yield f"the answer must have one slot, one of these: {_braced(offered)}"
    yield from _sentences(question_type, question, answer)


def _sentences(question_type: str, question: str, answer: str) -> Iterator[str]:
    """A question asks, or requests; an answer states. Anything else would be an answer of another kind."""
    sentences = _SENTENCE_END.split(question)
    # Types of two turns may first say which turn it is.
    most = 3 if question_type in TWO_TURNS else 2
    if len(sentences) > most:
        yield f"the question must have at most {most} sentences"
    if any(not re.match(r"[A-Z]", one) for one in sentences):
        yield "each sentence of the question must begin with a capital letter"
    asks = [one for one in sentences if _asks(one)]
    stray = [one for one in sentences if one not in asks]
    if not asks or (stray and question_type not in TWO_TURNS) or not sentences[-1].endswith(("?", ".")):
        yield (
            "each sentence must be a question that ends with a question mark (Which …? What …? Could you …?), or a request"
            " that ends with a full stop and begins with an imperative (Name …, List …, Give …, Point out …)"
        )
    if not answer.endswith(".") or "?" in answer or len(_SENTENCE_END.split(answer)) > 2:
        yield "the answer must be a statement that ends with a full stop"
    before, slot, _ = SLOT.split(answer)
    starts = before == "" or before.endswith((". ", "? "))
    if slot in LISTINGS and slot[0].isupper() != starts:
        yield "{The_parts} and {Its_parts} stand at the start of a sentence, {the_parts} and {its_parts} anywhere else"
    if slot not in LISTINGS and starts:
        yield "{an_object} must not stand at the start of a sentence, as it is written small"


def _asks(sentence: str) -> bool:
    """Whether a sentence is a question, or a request."""
    if sentence.endswith("?"):
        asking = rf"\b(which|what|whatever|how would|how might|{'|'.join(MODALS)}) ?\b"
        return re.search(asking, sentence, re.IGNORECASE) is not None
    imperative = (
        rf"(?:^|[,:;] )(?:(?:please|then|next|now|first|and|just|so|now please),? )*(?:{'|'.join(IMPERATIVES)})\b"
    )
    return sentence.endswith(".") and re.search(imperative, sentence, re.IGNORECASE) is not None


def _places(question_type: str, question: str, answer: str) -> Iterator[str]:
    """Slots stand where any name fits: one or many, counted or not, with the article that comes with it."""
    for text in (question, answer):
        pieces = SLOT.split(text)
        for i in range(1, len(pieces), 2):
            before, slot, after = pieces[i - 1], pieces[i], pieces[i + 1]
            if (before and before[-1] != " ") or not re.match(r"[ ,.;:?]", after):
                yield f"{{{slot}}} must stand as words by itself: no ending such as 's, no hyphen beside it"
            last, first = _last(before), _next(after)
            if last in _DETERMINERS:
                yield f"{{{slot}}} brings its own article; take away {last!r} before it"
            # A name may be singular or plural, and a verb would have to agree with it.
            helped = _MODAL.search(_SENTENCE_END.split(" ".join(pieces[:i:2]))[-1])
            if slot not in LISTINGS and (first in _THIRD_PERSON or (first in _BARE and not helped)):
                yield f"{first!r} after {{{slot}}} would have to agree with it; use can, could or would"
    # One part or seven: the frame of the answer is the same.
    if question_type != OBJECT and re.search(r"\bparts?\b", SLOT.sub("x", answer), re.IGNORECASE):
        yield "the answer must not say part or parts, which would tell whether there is one or more"
    before, slot, after = SLOT.split(answer)
    allowed = _BEFORE_LISTING if slot in LISTINGS else _BEFORE_THE_NAME
    if before and not before.endswith((": ", ", ", ". ")) and _last(before) not in allowed:
        yield f"{_last(before)!r} can't stand before {{{slot}}}; put a colon there, or a verb such as see or call"
    if slot in LISTINGS and after[0] == " " and (_WORD.findall(after.lower()) or [""])[0] not in _AFTER_LISTING:
        yield f"after {{{slot}}} only a sign, can, could, would, here or there may stand"


def _silence(question_type: str, question: str, answer: str) -> Iterator[str]:
    """Nothing tells a number of parts, agrees with them, or speaks of the test."""
    for text in (question, answer):
        bare = SLOT.sub("x", text)
        numbers = _NUMBERS.search(_ONE_CAN.sub("", bare))
        # The number of parts would single out choices; "some" and "most" ask for less than all.
        if numbers:
            yield f"{numbers[0]!r} tells or hints at a number; leave it out"
        agreeing = _AGREEING.search(_AGREES_WITH_NONE.sub("", bare))
        # "The wing are visible": verbs that agree also tell whether the parts are many. "It is {an_object}" is safe.
        if agreeing and not (question_type == OBJECT and agreeing[0].lower() == "is"):
            yield f"{agreeing[0]!r} would have to agree with a name or with the parts; use can, could or would"
        said = [word for word in _WORD.findall(bare.lower()) if word in _ABOUT_THE_TEST]
        if said:
            yield f"{said[0]!r} speaks of the test; speak of the picture and its parts only"
        own = re.search(r"\b(its?|itself|it's|they|their|theirs|themselves)\b", bare, re.IGNORECASE)
        # Scissors are "they", armor is "it": only "the object" is sure to be an "it".
        singular_only = question_type in TWO_TURNS or question_type == OBJECT
        if own and not (singular_only and own[0].lower() in ("it", "its", "itself")):
            yield f"{own[0]!r} doesn't fit every object; leave it out"
        ranked = re.search(r"\b(former|latter|first|second|last)\b", bare, re.IGNORECASE)
        # Which is the latter depends on what else the sentence names. Only answers to contrasts have two to tell apart.
        if ranked and question_type in CONTRASTS and (question_type != "contrast" or text == question):
            yield f"{ranked[0]!r} isn't sure to be understood; use here and there, or leave it out"


def _leak(question: str, answer: str, barred: Collection[str]) -> str | None:
    """A word of a name that the store has would stand in questions on objects that have the part, and others."""
    ordinary, names = ordinary_words(), _name_words(frozenset(barred))
    for word in _WORD.findall(SLOT.sub(" ", f"{question} {answer}").lower()):
        if word not in ordinary and (word in names or singular(word) in names):
            return f"{word!r} is the name of a part or an object; use other words"
    return None


@cache
def ordinary_words() -> frozenset[str]:
    """Words, lower-case, that a template may say whatever the store calls its things."""
    texts = " ".join(f"{one.question} {one.answer}" for some in _standard().values() for one in some)
    return frozenset({*_WORD.findall(SLOT.sub(" ", texts).lower()), *_FUNCTION_WORDS, *words_of_meaning()})


@lru_cache(maxsize=4)
def _name_words(names: frozenset[str]) -> frozenset[str]:
    words = {word for name in names for word in _WORD.findall(name.lower())}
    return frozenset(words | {singular(word) for word in words})


def _braced(slots: Collection[str]) -> str:
    return ", ".join(f"{{{slot}}}" for slot in slots)


def _last(text: str) -> str:
    """The word at the end of a text, lower-case; empty where a sign or nothing stands there."""
    found = re.search(r"([A-Za-z']+) ?\Z", text)
    return found[1].lower() if found else ""


def _next(text: str) -> str:
    """The first word after a slot that is no adverb, lower-case; empty where a sign comes first."""
    adverb = r"(?: (?:also|too|both|still|likewise|as well|here|there|clearly|then))*"
    found = re.match(rf"{adverb} ([A-Za-z']+)", text)
    return found[1].lower() if found else ""
