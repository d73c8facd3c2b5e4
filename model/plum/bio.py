"""BIO tags: from spans of characters to tags of tokens, and back by the best sequence that is a valid one.

O is 0, B (the first token of a span) 1, I (a further token of it) 2. Ramshaw and Marcus (1995) write them; a sequence is valid if
no I follows an O or begins the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from model.plum.errors import TextError
from model.plum.rendering import Offsets

#: The field's names of the tags.
O: Final = 0  # noqa: E741
B: Final = 1
I: Final = 2  # noqa: E741
N_TAGS: Final = 3

#: What follows what: [from, to]. Only an I after an O is barred.
_ADMITTED: Final = np.array([[True, True, False], [True, True, True], [True, True, True]])

#: The same within a word: O goes on as O, and a span with an I.
_WHOLE: Final = np.array([[True, False, False], [False, False, True], [False, False, True]])


@dataclass(frozen=True)
class Span:
    """A phrase of a text: the tokens [first, last] that spell it, and its characters [start, end)."""

    first: int
    last: int
    start: int
    end: int


def tokens_of(text: str, offsets: Offsets, spans: Sequence[tuple[int, int]]) -> list[Span]:
    """The tokens of spans of characters.

    By their order in the text. A token belongs to a span if they share a character that is not blank: byte-level and
    Metaspace tokenizers put the blank before a word into its token. Raises TextError where two spans share a token, or a
    span has none, as then no tags can tell them.
    """
    solid = np.concatenate([[0], np.cumsum([not character.isspace() for character in text], dtype=np.int64)])
    found, taken = [], -1
    for start, end in sorted(spans):
        if not 0 <= start < end <= len(text):
            raise TextError(f"a span from {start} to {end} is outside of the text of {len(text)} characters")
        low, high = np.maximum(offsets[:, 0], start), np.minimum(offsets[:, 1], end)
        shared = np.flatnonzero((low < high) & (solid[np.maximum(high, low)] > solid[low]))
        if not shared.size:
            raise TextError(f"no token spells {text[start:end]!r}")
        if shared[0] <= taken:
            raise TextError(f"{text[start:end]!r} shares a token with the span before it")
        taken = int(shared[-1])
        found.append(Span(int(shared[0]), taken, start, end))
    return found


def tags_of(spans: Sequence[Span], n_tokens: int) -> npt.NDArray[np.int64]:
    """int64 (n_tokens,): the tags of spans."""
    tags = np.zeros(n_tokens, np.int64)
    for span in spans:
        tags[span.first] = B
        tags[span.first + 1 : span.last + 1] = I
    return tags


def within_words(text: str, offsets: Offsets) -> npt.NDArray[np.bool_]:
    """bool (n,): which tokens go on with the word of the token before, where all but letters and digits parts words."""
    found = np.zeros(len(offsets), bool)
    for place in range(1, len(offsets)):
        start = int(offsets[place, 0])
        found[place] = start < offsets[place - 1, 1] or text[max(start - 1, 0) : start + 1].isalnum()
    return found


def best_tags(scores: npt.NDArray[np.floating], within: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.int64]:
    """int64 (n,): the valid sequence of tags with the greatest sum of `scores` (n, 3), by Viterbi (1967).

    `within` bool (n,): tokens that go on with a word (`within_words`), at which no span may begin or have ended; so a word is
    tagged whole, by all of its tokens. Of equal sequences, the one whose last tags come first in the order O, B, I.
    """
    n = len(scores)
    if not n:
        return np.zeros(0, np.int64)
    values = np.asarray(scores, np.float64)
    best = np.where([True, True, False], values[0], -np.inf)
    came_from = np.zeros((n, N_TAGS), np.int64)
    for place in range(1, n):
        admitted = _WHOLE if within is not None and within[place] else _ADMITTED
        ways = np.where(admitted, best[:, None], -np.inf)
        came_from[place] = ways.argmax(0)
        best = ways.max(0) + values[place]
    tags = np.zeros(n, np.int64)
    tags[-1] = best.argmax()
    for place in range(n - 1, 0, -1):
        tags[place - 1] = came_from[place, tags[place]]
    return tags


def spans_of(tags: Sequence[int] | npt.NDArray[np.int64], text: str, offsets: Offsets) -> list[Span]:
    """The spans that valid tags tell, in their order, such that `tokens_of` gives the same for their characters.

    Blanks at the ends are left out, of the characters as of the tokens; a character that several tokens spell belongs
    whole to the first span that has one of them. A span of which nothing is left falls away.
    """
    found: list[Span] = []
    taken, done = -1, 0
    for first, last in _runs(tags):
        start, end = max(int(offsets[first, 0]), done), int(offsets[last, 1])
        phrase = text[start:end]
        start, end = start + len(phrase) - len(phrase.lstrip()), end - len(phrase) + len(phrase.rstrip())
        inside = np.flatnonzero((offsets[:, 0] < end) & (offsets[:, 1] > start))
        if start < end and inside.size and inside[0] > taken:
            taken, done = int(inside[-1]), end
            found.append(Span(int(inside[0]), taken, start, end))
    return found


def _runs(tags: Sequence[int] | npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """The first and the last place of each B with the I that follow it."""
    runs: list[tuple[int, int]] = []
    for place, tag in enumerate(int(tag) for tag in tags):
        if tag == B:
            runs.append((place, place))
        elif tag == I and runs and runs[-1][1] == place - 1:
            runs[-1] = (runs[-1][0], place)
    return runs
