"""Which slices a question is in. Splits are never pooled, and verified questions are reported beside unverified ones."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Final

from model.evaluation.answers import Truth

ALL: Final = "all"
#: From so many parts on, their number is one slice.
MANY: Final = 5


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


def slices_of(truth: Truth) -> list[Slice]:
    """The slices that a question is in, but for those by part size."""
    number = len({one.part for one in truth.masks})
    names = (
        ALL,
        f"source={truth.source}",
        *([f"photographs={truth.collection}"] if truth.collection else []),
        f"object={truth.object_category}",
        f"parts={MANY}+" if number >= MANY else f"parts={number}",
    )
    return [Slice(truth.split, kind, name, evidence) for kind, name, evidence in _crossed(truth, names)]


def size_slices(truth: Truth, size: str) -> list[Slice]:
    """The slices that the question's parts of a size are in: `part_size=small`, `medium`, `large`."""
    return [Slice(truth.split, *rest) for rest in _crossed(truth, (f"part_size={size}",))]


def _crossed(truth: Truth, names: tuple[str, ...]) -> list[tuple[str, str, str]]:
    evidence = "verified" if truth.verified else "unverified"
    return list(product((ALL, truth.question_type), names, (ALL, evidence)))
