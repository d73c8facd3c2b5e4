"""When two answers are the same, as each set's own code has it, quirks and all: they decide the numbers that others report.

POPE (Li et al. 2023): an answer is *no* if its first sentence has the word no or not, else *yes*.
TextVQA (Singh et al. 2019): the answer processing of the VQA challenge's server (EvalAI), and its soft accuracy.
GQA (Hudson and Manning 2019): equal strings; case, blanks and full stops at the end are left out, as is usual.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

#: Answers of a question of TextVQA, and how many of the others must agree for the full mark.
PEOPLE: Final = 10
_AGREE: Final = 3

#: Contractions as they are spelled; without any one of its apostrophes each is taken for the same.
_SPELLED: Final = """
    ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's how'd
    how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't not've o'clock oughtn't
    'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd someone'd've
    someone'll someone's something'd something'd've something'll that's there'd there'd've there're there's they'd they'd've
    they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've when's where'd where's where've
    who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't wouldn't've y'all y'all'll y'all'd've you'd
    you'd've you'll you're you've
"""
#: The one that the server's list has the wrong way round.
_TURNED: Final = {"somebody'd": "somebodyd"}
CONTRACTIONS: Final = {
    word[:place] + word[place + 1 :]: word
    for word in _SPELLED.split()
    for place, sign in enumerate(word)
    if sign == "'"
} | _TURNED
_NUMBERS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_DIGITS: Final = {"none": "0"} | {word: str(number) for number, word in enumerate(_NUMBERS)}
_ARTICLES: Final = frozenset(("a", "an", "the"))
_SIGNS: Final = ';/[]"{}()=+\\_-><@`,?!'
#: A full stop but before a digit; the server means to spare those after one too, and doesn't. It takes away 32 at the most.
_STOP: Final = re.compile(r"\.(?!\d)")
_STOPS: Final = 32


def pope(answer: str) -> str:
    """`yes` or `no`, whatever is said."""
    return "no" if {"No", "not", "no"} & _words(answer) else "yes"


def says_either(answer: str) -> bool:
    """Whether an answer says yes or no at all, in any case of its letters; where it doesn't, POPE's rule takes it for yes."""
    return bool({"yes", "no", "not"} & {word.lower() for word in _words(answer)})


def _words(answer: str) -> set[str]:
    return set(answer.split(".")[0].replace(",", "").split(" "))


def textvqa(answer: str) -> str:
    """An answer as the server compares it."""
    text = answer.lower().replace(",", "").replace("?", "").replace("'s", " 's").strip()
    text = _unsigned(text.replace("\n", " ").replace("\t", " ").strip())
    words = [_DIGITS.get(word, word) for word in text.lower().split()]
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in _ARTICLES)


def soft_accuracy(answer: str, people: Sequence[str]) -> float:
    """The mean, over each of ten people left out, of how many of the others say the same, three counting as all.

    Both sides as `textvqa` has them. From 0 to 1.
    """
    same = Counter(people)[answer]
    agreeing = same * min(1.0, (same - 1) / _AGREE) + (len(people) - same) * min(1.0, same / _AGREE)
    return agreeing / len(people)


def gqa(answer: str) -> str:
    """An answer in lower case, without blanks around it or full stops at its end."""
    return answer.strip().rstrip(".").strip().lower()


def _unsigned(text: str) -> str:
    """Without signs: those beside a blank anywhere in the text vanish, others become a blank."""
    found = text
    for sign in _SIGNS:
        beside = f"{sign} " in text or f" {sign}" in text
        found = found.replace(sign, "" if beside else " ")
    return _STOP.sub("", found, count=_STOPS)
