"""Names of things as noun phrases: "an airplane", "a pair of scissors", "armor"; "the airplane".

Names come as they are in the tables, and stay as they are but for characters that can't stand in a line of text (see
`plain`). The article follows the sound of the first word, by rules; which nouns are mass nouns, or come in pairs, is in
`nouns.yaml`.

The rules are our own because the general library for it (`inflect`) has "a led light", "a SUV" and "a 8-track player",
and because the text of a question must not change with the version of a library.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.resources import files

import msgspec

from partonomy_data.taxonomy.inflection import singular_phrase

#: What an empty name is called, so that a sentence about it still is one, and its span isn't empty.
UNNAMED = "unnamed"

# The vocabularies of four sources have some thousand names; what is remembered stays bounded whatever comes.
_REMEMBERED = 1 << 14

_JOINERS = "\u200c\u200d"  # they belong to the spelling of Persian, Hindi and others
_QUALIFIER = re.compile(r"\([^()]*\)")
_WORD = re.compile(r"[^\s\-\u2010-\u2015()]+")
_PREPOSITIONS = frozenset({"at", "by", "for", "from", "in", "of", "on", "to", "under", "with", "without"})

#: The letters whose own names begin with a vowel's sound: "an f-clamp".
_VOWEL_LETTERS = frozenset("aefhilmnorsx")
_VOWELS = re.compile(r"[aeiouy]")
#: Spelled with a vowel, said with a consonant: unicycle, urinal, utensil, European, ewer, one-piece.
_CONSONANT_SOUND = re.compile(
    r"""eu(?!ler) | ewe | one(?:s|self)?\Z | once\Z | ouija\Z | una(?:nim|ry) | uni(?!n|m(?!o)|dent|ron|ss)
      | u[cfgjkqst][aeiou] | ubi | ukr | ur[aeio] | uv[eu]""",
    re.VERBOSE,
)
#: Spelled with a consonant, said with a vowel: hour, heirloom, herb; ylang-ylang.
_VOWEL_SOUND = re.compile(r"hour | heir | honest | honou?r | hors\Z | herb(?:s|al)?\Z | y[^aeiou]", re.VERBOSE)


class NounLists(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sections of `nouns.yaml`; the file says what each is for."""

    pairs: frozenset[str]
    twos: frozenset[str]
    sets: frozenset[str]
    bare: frozenset[str]
    phrases: dict[str, str]
    spelled_out: frozenset[str]


@cache
def noun_lists() -> NounLists:
    """The word lists, read on first use. Raises msgspec.ValidationError if the file was edited into another shape."""
    text = files("partonomy_data.questions").joinpath("nouns.yaml").read_bytes()
    return msgspec.yaml.decode(text, type=NounLists)


@lru_cache(_REMEMBERED)
def plain(name: str) -> str:
    """`name` as it is written into a text; `plain(plain(name)) == plain(name)`.

    Controls, line ends and any white space become one space, none at the ends. Invisible characters go (those that
    turn the direction of writing would turn the rest of the sentence), save the joiners of some scripts. Half a
    surrogate pair becomes U+FFFD, as no file could hold it. An empty name becomes `UNNAMED`. All other names, whatever
    they are made of, stay as they are, letter by letter.
    """
    if name.isprintable() and name.strip() == name and "  " not in name and name:
        return name
    text = " ".join("".join(map(_visible, name)).split()).strip(f" {_JOINERS}")
    return text or UNNAMED


def _visible(ch: str) -> str:
    category = unicodedata.category(ch)
    if category == "Cc" or category[0] == "Z":
        return " "
    if category == "Cs":
        return "\ufffd"
    return "" if category == "Cf" and ch not in _JOINERS else ch


@lru_cache(_REMEMBERED)
def definite(name: str) -> str:
    """`name` (see `plain`) with the definite article, which fits one, many, and what isn't counted: "the scissors"."""
    return f"the {plain(name)}"


@lru_cache(_REMEMBERED)
def indefinite(name: str) -> str:
    """`name` (see `plain`) as any one of its kind: "a bus", "an hour hand", "a pair of scissors", "armor"."""
    text = plain(name)
    lists = noun_lists()
    lower = text.casefold()
    if lower in lists.phrases:
        return lists.phrases[lower]
    words = _head(lower)
    if words and singular_phrase(words) != words:
        return f"a {'pair' if _ends_in(words, lists.twos) else 'set'} of {text}"
    before = {"a pair of ": lists.pairs, "a set of ": lists.sets, "": lists.bare}
    length, found = max((_ends_in(words, nouns), phrase) for phrase, nouns in before.items())
    return f"{found}{text}" if length else f"{article(text)} {text}"


def article(phrase: str) -> str:
    """`a` or `an`, by how the first word of `phrase` sounds. A word in a script other than Latin takes `a`."""
    found = re.search(r"[^\W_]", phrase)
    if found is None:
        return "a"
    folded = unicodedata.normalize("NFKD", phrase[found.start() :])
    first = re.match(r"[0-9]+|[A-Za-z]+", "".join(ch for ch in folded if not unicodedata.combining(ch)))
    return "an" if first and _vowel_sound(first[0]) else "a"


def _vowel_sound(word: str) -> bool:
    """Whether a run of digits or of Latin letters begins with a vowel when read out."""
    lower = word.lower()
    if word.isdecimal():
        # Eight, eighty, eight hundred; eleven and eighteen, alone, of hundreds and of thousands.
        return word[0] == "8" or (word[:2] in ("11", "18") and (len(word) % 3 == 2 or len(word) == 4))
    abbreviated = len(word) == 1 or (word.isupper() and len(word) <= 3) or not _VOWELS.search(lower)
    if abbreviated or lower in noun_lists().spelled_out:
        return lower[0] in _VOWEL_LETTERS
    if _VOWEL_SOUND.match(lower):
        return True
    return lower[0] in "aeiou" and not _CONSONANT_SOUND.match(lower)


def _head(lower: str) -> list[str]:
    """The words of a name up to its first preposition, without what it has in parentheses."""
    words = _WORD.findall(_QUALIFIER.sub(" ", lower))
    stop = next((i for i, word in enumerate(words) if i and word in _PREPOSITIONS), len(words))
    return words[:stop]


def _ends_in(words: Sequence[str], entries: frozenset[str]) -> int:
    """How many words of the longest entry that `words` end in; 0 if in none."""
    return next((n for n in range(min(len(words), 3), 0, -1) if " ".join(words[-n:]) in entries), 0)
