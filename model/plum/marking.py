"""How an answer shows where it names parts.

`tags` (PLUM): the text stays as it is, and a part's query is made of the tokens of its phrase.
`seg_token` (LISA, Lai et al. 2024, with a token per part): the token `[SEG]` stands after each phrase, and is what the query is
made of. It has to be added to the vocabulary, so the embeddings and the head train.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from model.plum.errors import TextError

SEG: Final = "[SEG]"

#: What may stand before a part's name in an answer.
_BEFORE: Final = re.compile(
    r".*(?:[,:;.?!]|\b(?:and|or|a|an|the|its|of|has|have|are|is|with)\b)\s*", re.DOTALL | re.IGNORECASE
)


def mark(text: str, spans: Sequence[tuple[int, int]]) -> tuple[str, list[tuple[int, int]]]:
    """A text with ` [SEG]` after each span, and the spans of these tokens in it, in the order given.

    Raises TextError where the text holds the token already.
    """
    if SEG in text:
        raise TextError(f"the text holds the token {SEG}: {text[:60]!r}")
    order = sorted(range(len(spans)), key=lambda number: spans[number][1])
    marked, done, places = "", 0, [(0, 0)] * len(spans)
    for number in order:
        end = spans[number][1]
        marked += f"{text[done:end]} {SEG}"
        places[number] = (len(marked) - len(SEG), len(marked))
        done = end
    return marked + text[done:], places


def unmark(text: str) -> tuple[str, list[tuple[int, int]]]:
    """A text without its `[SEG]` tokens, and for each the phrase before it in that text, [start, end).

    What a phrase is, is a guess, which tags don't need: all after the last comma, article or like word. It is empty where
    nothing but blanks stands between two tokens.
    """
    plain, spans = "", []
    pieces = re.split(rf" ?{re.escape(SEG)}", text)
    for piece in pieces[:-1]:
        plain += piece
        before = piece.rstrip()
        found = _BEFORE.match(before)
        start = len(plain) - len(piece) + (found.end() if found else len(before) - len(before.lstrip()))
        spans.append((start, len(plain) - len(piece) + len(before)))
    return plain + pieces[-1], spans
