"""Which choice an answer in words names. The export for lmms-eval has the same, in a file that must stand alone
(`partonomy_data/export/lmms_eval_task/utils.py`); a test holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_uppercase
from typing import Final

#: What may stand before an answer: "The correct answer is: ".
_LEAD: Final = re.compile(
    r"\W*(?:(?:the )?(?:(?:correct|right|best|final) )?(?:answer|choice|option|letter)(?: is)?\b)?\W*", re.I
)
#: A letter alone, or one that is set off from what follows. "A hull" begins with an article, and is no letter.
_LETTER: Final = re.compile(r"\W*([A-Za-z])(?:\W*|\s?[).:\]*]+(.*))", re.S)
#: A letter that is set off within what follows.
_ANOTHER: Final = re.compile(r"(?<![\w'])([A-Z])(?=[).:\]*,;]|\W*$)")


def named(said: str, choices: Sequence[str], *, letters: bool) -> int | None:
    """The place of the one choice that an answer names; None if it names none, or several.

    A text is compared by its words alone, without case. `letters`: whether the choices were shown with letters, in this order,
    which name them too. What is before the end of a reasoning block is left out. Of several lines the first and the last are
    looked at, and the whole: they must not name different choices.
    """
    said = said.rpartition("</think>")[2].replace("\\boxed", "").strip()
    lines = said.splitlines() or [""]
    texts = [plain(text) for text in choices]
    places = {_named(text, texts, letters) for text in {said, lines[0], lines[-1]}} - {None}
    return places.pop() if len(places) == 1 else None


def _named(said: str, texts: Sequence[str], letters: bool) -> int | None:
    lead = _LEAD.match(said)
    for text in (said, said[lead.end() :] if lead else said):
        words = plain(text)
        if words and texts.count(words) == 1:
            return texts.index(words)
        found = _LETTER.fullmatch(text) if letters else None
        if found and (place := ascii_uppercase.index(found[1].upper())) < len(texts):
            rest = found[2] or ""
            others = set(_ANOTHER.findall(rest)) & set(ascii_uppercase[: len(texts)]) - {ascii_uppercase[place]}
            contradicted = plain(rest) in texts and plain(rest) != texts[place]
            return None if others or contradicted else place
    return None


def plain(text: str) -> str:
    """Its words alone, without case."""
    return " ".join(re.findall(r"\w+", text.casefold()))
