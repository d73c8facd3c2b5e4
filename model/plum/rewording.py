"""Other sentences around the same names, by which the span extractor learns that not every word that is new to it is a name.

A small language model hears a few dozen wordings of answers in its fine-tuning, and no others: what a new one says beside the
names is as unheard to it as a new name. So answers are also read in English sentences that are put together from the pieces
below, some hundred thousand of them. Few names are as likely as many: an answer that names one part is as rare in training as it
is common among the differences of things.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

#: How a sentence begins before its verb.
_OPENINGS: Final = (
    "", "here", "there", "in this one", "in the picture", "on the left", "at the back", "as far as can be told",
    "looking closely", "of the two", "unlike the second", "in contrast to the other", "like the first", "beside the other",
    "besides", "with both in mind", "in the end", "all in all", "at first sight", "for the rest", "in both cases", "apart",
    "taken together", "so far as it shows", "common sense says",
)  # fmt: skip
#: Who has them, and what is done with them.
_CLAUSES: Final = (
    "one finds", "I can see", "you would notice", "we could name", "it has", "it would have", "both have", "both share",
    "they share", "they would lack", "neither has", "neither would have", "the first has", "the first would have",
    "the second lacks", "the second would not have", "the former shares", "the former would lack", "the latter has",
    "the latter would not share", "only one has", "only the other has", "the other lacks", "each of these would have",
    "what they have in common would be", "what sets it apart would be", "what is visible would be", "what is missing would be",
    "one could point at", "there would also be", "we find", "we can make out", "this shows", "that one lacks",
    "nothing else than this can be found:", "what I would list would be", "I would name", "the first alone would show",
    "it shares, and the other lacks,", "the one has, and the other would not have,", "both would show, and none would lack,",
)  # fmt: skip
#: What may follow the names.
_ENDINGS: Final = (
    "", "", "", "", "", "too", "as well", "in common", "here", "there", "alone", "in the first", "in the second", "in both",
    "in the former", "in the latter", "in one, but not in the other", "in the second and not in the first",
    "in either of the two", "and nothing else", "and no more", "which the other lacks", "which both would share",
    "which neither would lack", "that the first would also have", "that the latter would not have", "on closer look",
    "where it can be seen", "as can be seen", "to be clear", "at the same time", "besides", "if one looks closely",
)  # fmt: skip
#: What is said of names that come first.
_PASSIVES: Final = (
    "can be found", "would be found", "can be seen", "would be visible", "would be missing", "would be shared",
    "can be made out", "could be named", "would be common to both", "would be lacking", "belong to it", "would set it apart",
    "would be there", "would be listed", "could be pointed at", "would not be found", "can not be shared", "are what shows",
    "are visible here, and would be found", "are seen here, but would be lacking", "would be found here, but not",
)  # fmt: skip
#: What stands before a colon.
_LABELS: Final = (
    "found", "seen", "shared by both", "not to be shared", "visible", "visible, and shared", "missing", "lacking",
    "in common", "in common with the first", "in common with the second", "not in common", "to be seen", "to be found",
    "the list", "what shows", "what both have", "what both would share", "what one lacks", "found here, lacking there",
    "found in the first", "lacking in the second", "only in the first", "only in the latter", "the whole list", "the rest",
    "common", "both", "each of these", "present", "present, and clear", "named one by one", "the answer", "apart from the rest",
    "with the former", "without the latter", "here", "there too", "here as well",
)  # fmt: skip


def reworded(names: Sequence[str], rng: np.random.Generator) -> tuple[str, list[tuple[int, int]]]:
    """A sentence with these names, in their order, and the characters [start, end) of each."""
    several, places = _listed(names, rng)
    ending = _drawn(_ENDINGS, rng)
    shape = int(rng.integers(3))
    if shape == 0:
        opening = _drawn(_OPENINGS, rng)
        before, after = f"{opening}, " * bool(opening) + _drawn(_CLAUSES, rng) + " ", f" {ending}" * bool(ending)
    elif shape == 1:
        before, after = "", f" {_drawn(_PASSIVES, rng)}" + f" {ending}" * bool(ending)
    else:
        label = _drawn(_LABELS, rng)
        if rng.random() < 0.5:
            label += ", and " + _drawn(_LABELS, rng)
        before, after = f"{label}: ", f", {ending}" * bool(ending)
    text = before + several + after + "."
    capital = text[0].upper()
    text = capital + text[1:] if len(capital) == 1 else text
    return text, [(start + len(before), end + len(before)) for start, end in places]


def _listed(names: Sequence[str], rng: np.random.Generator) -> tuple[str, list[tuple[int, int]]]:
    """The names as a list, with "the" before each, one determiner before all, or none."""
    each, first = (("the ", "the "), ("", "its "), ("", "the "), ("", ""))[int(rng.choice(4, p=(0.5, 0.3, 0.1, 0.1)))]
    text, places = "", []
    for number, name in enumerate(names):
        last = number == len(names) - 1
        text += "" if not number else (" and " if len(names) == 2 else ", and " if last else ", ")
        text += first if not number else each
        places.append((len(text), len(text) + len(name)))
        text += name
    return text, places


def _drawn(among: Sequence[str], rng: np.random.Generator) -> str:
    return among[int(rng.integers(len(among)))]
