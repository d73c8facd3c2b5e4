"""Whether a proposed template asks what its type asks for, as far as words show it.

    identification             all clearly visible parts of the object, and no other
    intersection               those that {alike} would have too
    difference                 those that {unlike} would not have
    contrast                   those that {alike} would have, and {unlike} would not
    part_to_whole              all clearly visible parts, before the object is named
    whole_to_part              likewise, after it was named
    object                     what the object is

Negations decide: a template for differences has one, and it goes with {unlike}; the others have none. What only says
that the list is to be complete ("leaving none out", "and nothing else", "don't add any") isn't counted. Nothing else may be
left out, and the parts are those of the object, not of what is around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from partonomy_data.questions.bank import OBJECT, SLOT
from partonomy_data.questions.settings import CONTRASTS, TWO_TURNS

MODALS: Final = ("can", "could", "would", "may", "might", "must", "should", "will")
_IMPERATIVES = """
    add be begin compare consider describe do don't enumerate find give go identify imagine include keep label leave list
    look make mark mention mind name note omit pick picture point provide read report say show specify spell start state
    stick take tell think write
"""
#: What a request begins with.
IMPERATIVES: Final = tuple(_IMPERATIVES.split())
_COMPLETE: Final = re.compile(r"\b(all|every|each|everything|exactly|complete|completely|entire|full|fully)\b", re.I)
_ALONE: Final = re.compile(
    r"\bnothing (else|more|added|extra)|\b(add|adding|with) nothing|\b(adding|add) none|\bnone (that|which)|\bno others?\b"
    r"|\bno (more|extras?|additions?)\b|\bexactly\b|\bonly\b|\bprecisely\b|\b(leave|leaving) out the rest"
    r"|\b(don't|do not|without|not|never) add(ing)?\b|\badd no\b|\band just\b|\bjust (those|these)\b",
    re.I,
)
_SEEN: Final = r"(?:visible|seen|see|made out|make out|discernible|discerned|discern|in view|recognizable)"
_VISIBLE: Final = re.compile(rf"\bclearly (?:\w+ )?{_SEEN}\b|\b{_SEEN} clearly\b", re.I)
_UNSEEN: Final = re.compile(
    rf"\b(hidden|invisible|unseen|occluded|obscured|unclear|covered)\b|\b(not|n't|never|cannot|hardly|barely) (be )?"
    rf"(clearly )?{_SEEN}|n't (be )?(clearly )?{_SEEN}",
    re.I,
)
# Phrases that only bound the list, and "taking {object} apart".
_ACTIONS: Final = "add|leave|omit|skip|include|mention|list|name|miss|forget|overlook|drop"
_GERUNDS: Final = (
    "adding|leaving|omitting|skipping|including|mentioning|naming|missing|forgetting|overlooking|dropping|saying"
)
_BOUNDS: Final = re.compile(
    rf"\bnothing (?:else|more|added|extra)|\b(?:{_ACTIONS}|{_GERUNDS}|with) (?:nothing|none)(?: out)?\b"
    rf"|\bnone (?:that|which) can(?:'t|not)\b|\bno (?:others?|more|extras?|additions?|exceptions?|omissions?)\b"
    rf"|\b(?:don't|do not|never) (?:{_ACTIONS})\b|\b(?:without|not) (?:{_GERUNDS}|exceptions?|omissions?)\b"
    r"|\bwithout naming|\bt(?:ak(?:e|ing)) \{object\} apart|\badd no\b|\bleave no\b",
    re.I,
)
_NEGATION: Final = re.compile(
    r"\b(not|cannot|never|no|none|nothing|neither|nor|lack|lacks|lacking|lacked|without|absent|missing|miss|misses"
    r"|except|excepting|excluding|exclude|unlike|differ|differs|differing|different|difference|differences|distinguish"
    r"|distinguishes|distinguishing|apart|unshared|unique|exclusive|exclusively|hardly|barely|unmatched|fail|fails|failed"
    r"|failing|failure|instead|rather than)\b|n't\b",
    re.I,
)
# What asks to leave out what is asked for, unless it only bounds the list. Of comparisons it is what they leave aside.
_LEFT_OUT: Final = re.compile(
    r"\b(omit\w*|omission|skip\w*|forg[eo]t\w*|overlook\w*|exclud\w*|ignor\w*|disregard\w*|neglect\w*|drop\w*"
    r"|(?:leav(?:e|es|ing)|left)\b(?! aside all that \{| out the rest)|set(?:ting)? aside|pass(?:ing)? over)",
    re.I,
)
# Parts of something else, or beside the object.
_ELSEWHERE: Final = re.compile(
    r"\b(around|away|behind|beyond|outside|besides|nearby|surrounding|elsewhere|opposite)\b|\bparts? of (?!\{object\}|it\b)"
    r"|\bparts?(?: \w+){0,2} (?:against|before|beside|by|from|near|off|over|past|to|under|unlike|with|without) \{object\}",
    re.I,
)
_COMMON: Final = re.compile(
    r"\b(also|too|share|shares|shared|sharing|common|both|as well|likewise|alike|jointly|mutual|overlap|match|matching)\b",
    re.I,
)
_TURNS_TO: Final = re.compile(r"\b(?:but|and|yet|while|though|although|whereas|unlike)\b|[,;:]", re.I)
_OTHER: Final = re.compile(r"\b(there|other|others|share|shared|common|them|apart|differ|difference)\b", re.I)
_FORMER: Final = re.compile(r"\b(former|first)\b", re.I)
_LATTER: Final = re.compile(r"\b(latter|second|last)\b", re.I)
_NAMED_ALREADY: Final = re.compile(
    r"\b(having (named|identified)|you (have |just |already )*(named|identified)|now that|already)\b", re.I
)
_NOT_NAMED_YET: Final = re.compile(
    r"\b(before|first|yet|later|without naming|will be asked|start|begin|afterwards)\b", re.I
)


@cache
def words_of_meaning() -> frozenset[str]:
    """Words that these rules ask for: a template may use them whatever parts are called."""
    patterns = " ".join(one.pattern for one in (_COMPLETE, _VISIBLE, _NEGATION, _COMMON))
    return frozenset({*MODALS, *IMPERATIVES, *re.findall(r"[a-z]{3,}", patterns)})


def meaning_objection(question_type: str, question: str, answer: str) -> Iterator[str]:
    """What shows that a template of the right form asks, or answers, something else than its type does."""
    if question_type == OBJECT:
        yield from _of_object(question, answer)
        return
    if not re.search(r"\bparts?\b", question):
        yield "the question must ask for parts, by that word"
    # A list that may be a part of the list would make every shorter choice right, and one that may hold more every longer.
    if not _COMPLETE.search(question):
        yield "the question must ask for the complete list: say all, every, exactly or complete"
    if not _ALONE.search(question):
        yield "the question must say that nothing else is wanted: and nothing else, only those, no other, exactly"
    # What can be seen at a guess is a matter of opinion, and what can't is not annotated.
    if not _VISIBLE.search(question):
        yield "the question must ask for what can be clearly seen: clearly visible, can be clearly seen"
    bare = _BOUNDS.sub(" ", question)
    if _UNSEEN.search(bare) or _UNSEEN.search(answer):
        yield "it must speak of parts that can be seen, not of those that can't"
    if (left_out := _LEFT_OUT.search(bare) or _LEFT_OUT.search(answer)) is not None:
        yield f"{left_out[0]!r} asks to leave out what is asked for; say only that nothing is to be left out"
    if (elsewhere := _ELSEWHERE.search(question)) is not None:
        yield f"it must ask for parts of the object, and no other: take away {elsewhere[0].strip()!r}"
    yield from _of_comparison(question_type, bare)
    yield from _of_answer(question_type, answer)
    if question_type not in (*TWO_TURNS, *CONTRASTS) and re.search(r"\bboth\b", question + answer, re.I):
        yield "'both' hints at a number; leave it out"
    if question_type == "part_to_whole" and _NAMED_ALREADY.search(question):
        yield "the object is not named yet when this is asked"
    if question_type == "whole_to_part" and _NOT_NAMED_YET.search(question):
        yield "the object was named already when this is asked"


def _of_object(question: str, answer: str) -> Iterator[str]:
    if not re.search(r"\b(what|which|name|identify|call|tell|say|state|recognize)\b", question, re.I):
        yield "the question must ask what the object is"
    if re.search(r"\b(parts?|piece|pieces|component|components)\b", question + answer, re.I):
        yield "the question is for the object as a whole; don't speak of parts"
    if _NEGATION.search(question + answer):
        yield "say it without any negation"


def _of_comparison(question_type: str, question: str) -> Iterator[str]:
    said = SLOT.sub("x", question)  # {unlike} is no negation
    negations = len(_NEGATION.findall(said))
    if question_type not in ("difference", "contrast"):
        # "Which parts can't be seen", "which would it lack": the opposite of what is answered.
        if negations:
            yield "the question must not hold any negation, save in what says that nothing else is wanted"
    elif negations != 1 or not _goes_with("unlike", question):
        yield "the question must say once, beside {unlike}, that it would not have the parts: would not have, would lack"
    if question_type in ("intersection", "contrast"):
        if not _COMMON.search(said):
            yield "the question must say that {alike} would have the parts too: also, too, as well, share, in common, both"
        if _goes_with("alike", question, only_near=True):
            yield "the question must say that {alike} would have the parts, not that it wouldn't"
    # The parts are the object's own in each type. The other way round ("which would a bus have") nothing is annotated.
    if question_type in CONTRASTS and not re.search(r"\bparts? of \{object\}", question):
        yield "the question must ask for parts of the object: say part of {object} or parts of {object}"
    if question_type == "contrast" and question.find("{alike}") > question.find("{unlike}"):
        yield "{alike} must come before {unlike}"


def _goes_with(slot: str, question: str, *, only_near: bool = False) -> bool:
    """Whether a negation stands beside a slot: with no other slot between. `only_near`: nor a turn as "but" or a comma."""
    pieces = SLOT.split(question)
    at = next((i for i in range(1, len(pieces), 2) if pieces[i] == slot), 0)
    before = re.split(r"[.?] ", pieces[at - 1])[-1]
    after = re.split(r"[.?]", pieces[at + 1])[0]
    if only_near:
        before, after = _TURNS_TO.split(before)[-1], _TURNS_TO.split(after)[0]
    return bool(_NEGATION.search(before) or _NEGATION.search(after))


def _of_answer(question_type: str, answer: str) -> Iterator[str]:
    """An answer that lists the parts must not say the contrary of them."""
    negated = _NEGATION.search(answer) is not None
    common = _COMMON.search(answer) is not None
    if question_type not in ("difference", "contrast"):
        if negated:
            yield "the answer must not hold any negation"
        if common and question_type != "intersection":
            yield "the answer must not compare the object with another"
        return
    clauses = _TURNS_TO.split(SLOT.sub("x", answer))
    of_former = [one for one in clauses if _FORMER.search(one)]
    of_latter = [one for one in clauses if _LATTER.search(one)]
    if common and not negated:
        yield "the answer must not say that the other would have the parts"
    if negated and not (_OTHER.search(answer) or of_latter):
        yield "the answer must say of the other, not of the object, that it lacks the parts: not there, not shared"
    if any(_NEGATION.search(one) for one in of_former) or not all(_NEGATION.search(one) for one in of_latter):
        yield "the answer must say that {alike}, the former, would have the parts, and that {unlike}, the latter, would not"
