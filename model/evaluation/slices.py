"""Which slices a question is in. Splits are never pooled, and verified questions are reported beside unverified ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Final

from model.evaluation.answers import Truth

ALL: Final = "all"
#: From so many parts on, their number is one slice.
MANY: Final = 5
#: Slices, and lists of them, that are remembered.
_KEPT: Final = 16384


@dataclass(frozen=True, slots=True, order=True)
class Slice:
    """Some of the questions of a split."""

    split: str
    question_type: str
    """A type, or `all`."""
    name: str
    """`all`, `source=…`, `photographs=…` (the set that they are from), `object=…`, `parts=…` (how many), or `part_size=…` (masks
    of that size alone)."""
    evidence: str
    """`verified`, `unverified`, or `all`."""

    @property
    def label(self) -> str:
        """What the column `slice` of the table `evaluations` says."""
        given = [self.name] * (self.name != ALL) + [self.evidence] * (self.evidence != ALL)
        return ", ".join(given) or ALL


def slices_of(truth: Truth) -> tuple[Slice, ...]:
    """The slices that a question is in, but for those by part size; the same objects for all questions that are alike."""
    number = len({one.part for one in truth.masks})
    given = (truth.split, truth.source, truth.collection, truth.object_category, min(number, MANY))
    return _slices(*given, truth.question_type, truth.verified)


def size_slices(truth: Truth, size: str) -> tuple[Slice, ...]:
    """The slices that the question's parts of a size are in: `part_size=small`, `medium`, `large`."""
    return _crossed(truth.split, truth.question_type, truth.verified, (f"part_size={size}",))


@lru_cache(_KEPT)
def _slices(
    split: str, source: str, collection: str, category: str, number: int, kind: str, verified: bool
) -> tuple[Slice, ...]:
    names = (
        ALL,
        f"source={source}",
        *([f"photographs={collection}"] if collection else []),
        f"object={category}",
        f"parts={number}+" if number == MANY else f"parts={number}",
    )
    return _crossed(split, kind, verified, names)


@lru_cache(_KEPT)
def _crossed(split: str, kind: str, verified: bool, names: tuple[str, ...]) -> tuple[Slice, ...]:
    evidence = "verified" if verified else "unverified"
    return tuple(_one(split, *rest) for rest in product((ALL, kind), names, (ALL, evidence)))


@lru_cache(_KEPT)
def _one(split: str, kind: str, name: str, evidence: str) -> Slice:
    return Slice(split, kind, name, evidence)
