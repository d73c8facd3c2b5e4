"""Singular forms of nouns, by rules with word lists for what rules don't give.

The rules are our own because the general libraries fail on the words that matter here (`inflect` makes "bu" of "bus",
lemmatisers make "glass" of "glasses" and a verb of "drawing"), and because a canonical name must not change with the
version of a library. A word that is singular already stays as it is: `singular(singular(w)) == singular(w)`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from partonomy_data.taxonomy.lexicon import Lexicon, lexicon

_WORD = re.compile(r"[a-z]+\Z")
_VOWEL = re.compile(r"[aeiouy]")
#: What follows these words describes the thing named before them: "row of windows" is a row.
_PREPOSITIONS = frozenset({"of", "with", "without", "for", "from"})
#: What these words join are things of equal rank: "bows and arrows".
_CONJUNCTIONS = frozenset({"and", "or"})


def singular(word: str) -> str:
    """The singular of one lower-case English noun; `word` itself where it is singular, or not plain letters."""
    words = lexicon()
    if word in words.irregular:
        return words.irregular[word]
    if not _WORD.match(word) or not _looks_plural(word, words):
        return word
    return _without_ending(word, words)


def _looks_plural(word: str, words: Lexicon) -> bool:
    if word in words.plural_only or word in words.singular_s:
        return False
    if not word.endswith("s") or len(word) <= 3 or word.endswith("ss"):
        return False
    if word.endswith(("us", "is")):
        return word in words.regular_us_is
    if word.endswith("ics"):
        return word[:-1] in words.nouns_in_ic
    return _VOWEL.search(word[:-1]) is not None


def _without_ending(word: str, words: Lexicon) -> str:
    """The singular of a plural in -s."""
    if word.endswith("ies"):
        return word[:-1] if word[:-1] in words.nouns_in_ie or len(word) == 4 else word[:-3] + "y"
    if word.endswith("oes"):
        return word[:-1] if word[:-1] in words.nouns_in_oe else word[:-2]
    if word.endswith("uses") and not word.endswith("ouses"):
        return word[:-1] if word[:-1] in words.nouns_in_e else word[:-2]
    if word.endswith(("ches", "shes", "xes", "tzes", "zzes")):
        return word[:-1] if word[:-1] in words.nouns_in_e else word[:-2]
    if word.endswith("sses") or (word.endswith("ses") and word[:-2] in words.nouns_in_s):
        return word[:-2]
    return word[:-1]


def singular_phrase(tokens: Sequence[str]) -> list[str]:
    """`tokens` (lower-case words) with the head noun in the singular.

    The head is the last word before the first preposition ("rows of windows" → "row of windows"), and of each side of
    "and" and "or" ("nuts and bolts" → "nut and bolt").
    """
    stop = next((i for i, token in enumerate(tokens) if i and token in _PREPOSITIONS), len(tokens))
    out = list(tokens)
    for i in range(stop):
        ends_here = i + 1 == stop or (tokens[i + 1] in _CONJUNCTIONS and i + 2 < stop)
        if ends_here and tokens[i] not in _CONJUNCTIONS:
            out[i] = _head(tokens, i)
    return out


def _head(tokens: Sequence[str], i: int) -> str:
    words = lexicon()
    if " ".join(tokens) in words.kept or (i and f"{tokens[i - 1]} {tokens[i]}" in words.kept):
        return tokens[i]
    if tokens[i] == "glasses":
        alone = i == 0 or tokens[i - 1] in _CONJUNCTIONS
        return "glasses" if alone or tokens[i - 1] in words.eyewear else "glass"
    return singular(tokens[i])
