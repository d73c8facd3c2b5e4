"""Names of parts that a model of embeddings finds alike: further candidates for `relations`, beside those of the indexes.

An embedding of each name is asked for, many names a request; kept in the answer store as other answers are, so that a name
is paid for once. How large a cosine is differs from model to model, so no threshold is set: a pair is brought together
where each of the two is among the nearest of the other, the more strongly the nearer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Final

import msgspec
import numpy as np

from partonomy_data.llm.brief import Answered, Asks, Brief, Item
from partonomy_data.llm.guard import reads_as_a_name
from partonomy_data.llm.vectors import Floats, unpacked
from partonomy_data.taxonomy.blocking import Similar

#: Of so many nearest names each must be among the other's.
NEAREST: Final = 5
#: Strength of a pair of which each is the other's nearest; it falls to a fifth of that.
_STRONGEST: Final = 0.5
#: Names whose cosines with all others are in memory at once.
_ROWS: Final = 1024
#: Cosines are compared to so many digits, so that another order of summing changes nothing.
_DIGITS: Final = 5


class Vector(msgspec.Struct, frozen=True):
    """The answer to one item."""

    vector: Annotated[str, msgspec.Meta(description="float16, little-endian, base64; of length 1")]


def brief(model: str) -> Brief[Vector]:
    """What is asked of a model of embeddings."""
    return Brief("embeddings", "", Vector, _check, pack=256, tokens=0, embedding_model=model)


def similar(asks: Asks, model: str) -> Similar:
    """A source of candidates for `blocking`. Names that have no embedding have no pairs."""

    def pairs(names: Sequence[str]) -> Iterator[tuple[str, str, float]]:
        readable = [name for name in names if reads_as_a_name(name)]
        outcomes = asks.ask(brief(model), [Item(name, {"text": name}) for name in readable])
        found = {name: one.value for name, one in outcomes.items() if isinstance(one, Answered)}
        vectors = {name: unpacked(one.vector) for name, one in found.items()}
        lengths = {len(one) for one in vectors.values()}
        if len(lengths) == 1:  # a server that changed its model between two requests can't be gone by
            yield from nearest(list(vectors), np.stack(list(vectors.values())))

    return pairs


def nearest(names: Sequence[str], vectors: Floats) -> Iterator[tuple[str, str, float]]:
    """Pairs of names, each among the NEAREST of the other by the cosine, with a strength from 0.1 to 0.5.

    `vectors` is (names, dimensions). Where cosines are equal, the name that comes first in the alphabet is the nearer.
    """
    order = np.argsort(np.asarray(names, dtype=object), kind="stable")
    unit = vectors[order] / np.linalg.norm(vectors[order], axis=1, keepdims=True)
    most = min(NEAREST, len(names) - 1)
    ranks: dict[tuple[int, int], int] = {}
    for start in range(0, len(unit), _ROWS):
        cosines = np.round(unit[start : start + _ROWS] @ unit.T, _DIGITS)
        cosines[np.arange(len(cosines)), np.arange(start, start + len(cosines))] = -np.inf
        for row, nearer in enumerate(np.argsort(-cosines, axis=1, kind="stable")[:, :most], start):
            ranks.update({(row, int(other)): rank for rank, other in enumerate(nearer)})
    for (a, b), rank in ranks.items():
        if a < b and (b, a) in ranks:
            strength = round(_STRONGEST * (1 - (rank + ranks[b, a]) / (2 * NEAREST)), 6)
            yield names[order[a]], names[order[b]], strength


def _check(_item: Item, answer: Vector) -> str | None:
    """What is wrong with a vector as it came."""
    try:
        unpacked(answer.vector)
    except ValueError as error:
        return str(error)
    return None
