"""Answers with other words in the place of parts' names, by which the span extractor learns what a name's surroundings say.

A small language model that reads the same few hundred names again and again learns them by heart: on a drawn world it tagged all
of these, and not one "bell", which training had held out. Where any word may stand in a name's place, only the sentence tells.
(But then each word that is new to it is a name, in new sentences too: see `rewording`.)

Each token of a name becomes another of the vocabulary of its own kind, one that begins a word or one that goes on with it, the
same wherever it comes in the answer. So tokens stay as many as they were, and so do their tags. Nothing but the tags is learned
from such an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model.plum import bio
from model.plum.errors import ModelError
from model.plum.rendering import Rendered

#: What stands for the blank before a word in the tokens of byte-level tokenizers and of Metaspace.
_BLANKS: Final = ("\u0120", "\u2581")


class Renamer:
    """Draws other words from a tokenizer's vocabulary. Raises ModelError where that has none that begin with a blank."""

    def __init__(self, tokenizer: Any) -> None:
        words = {number: token for token, number in tokenizer.get_vocab().items()}
        letters = {
            number: token for number, token in words.items() if _bare(token).isalpha() and _bare(token).isascii()
        }
        first = {number for number, token in letters.items() if token.startswith(_BLANKS)}
        self._pools = tuple(np.array(sorted(some), np.int64) for some in (first, letters.keys() - first))
        self._first = frozenset(first)
        self._letters = frozenset(letters)
        if not all(len(pool) for pool in self._pools):
            raise ModelError(
                f"the vocabulary of {type(tokenizer).__name__} doesn't tell where words begin",
                mend="Set spans.renamed to 0",
            )

    def renamed(self, one: Rendered, spans: Sequence[bio.Span], rng: np.random.Generator) -> Rendered:
        """The same with other words in the place of its spans' letters; `answer` and `offsets` are left as they were."""
        ids, drawn = list(one.ids), dict[int, int]()
        for span in spans:
            for place in range(one.n_prompt + span.first, one.n_prompt + span.last + 1):
                if ids[place] in self._letters:
                    ids[place] = drawn.setdefault(ids[place], self._other(ids[place], rng))
        return replace(one, ids=tuple(ids))

    def _other(self, token: int, rng: np.random.Generator) -> int:
        pool: NDArray[np.int64] = self._pools[0 if token in self._first else 1]
        return int(pool[rng.integers(len(pool))])


def _bare(token: str) -> str:
    return token[1:] if token.startswith(_BLANKS) else token
