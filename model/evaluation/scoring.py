"""All metrics of some questions at once, as marks: what a stream adds up, and what can be looked at question by question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from model.evaluation import attackers, boundaries, choices, parts_named, segmentation
from model.evaluation.answers import EvaluationError
from model.evaluation.checking import Checked
from model.evaluation.marks import Marks
from model.evaluation.overlaps import Overlap, overlap
from model.evaluation.parts_named import UNRELATED, Related

#: What can be asked of a model. What is asked is scored in every question, and counts 0 where nothing came.
MEASURES: Final = ("choices", "by_length", "objects", "generation", "names", "spans", "masks", "boundary")
#: Whose spans the masks were made for: the true answer's, or those of the model's own answer.
CONDITIONINGS: Final = ("oracle", "predicted")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is measured. Raises EvaluationError for a measure or a conditioning that doesn't exist."""

    measures: frozenset[str] = frozenset(MEASURES)
    conditioning: str = "oracle"
    """Stands at the end of the name of each metric of masks, as the two can't be compared."""
    related: Related = field(default_factory=lambda: UNRELATED)
    """Part names that may stand for each other, in lower case."""

    def __post_init__(self) -> None:
        unknown = sorted(self.measures - set(MEASURES))
        if unknown:
            raise EvaluationError(f"there is no measure {unknown[0]!r}", mend=f"Choose from {', '.join(MEASURES)}")
        if self.conditioning not in CONDITIONINGS:
            what = f"there is no conditioning {self.conditioning!r}"
            raise EvaluationError(what, mend=f"Choose from {', '.join(CONDITIONINGS)}")


@dataclass(frozen=True, slots=True)
class Scored:
    """The marks of n questions, by metric."""

    marks: dict[str, Marks]
    by_size: dict[str, dict[str, Marks]]
    """Those of the parts of each size alone: size → metric → marks."""
    unusable: dict[str, list[bool]]
    """By metric, whether a question was scored without what was asked of the model: it is missing, or malformed."""
    overlaps: list[Overlap]
    """Of each question, if masks were asked for."""


def score(checked: Sequence[Checked], wanted: Wanted) -> Scored:
    """All that is wanted, of some questions."""
    given = {name: _missing(checked, name) for name in MEASURES}
    marks: dict[str, Marks] = {}
    unusable: dict[str, list[bool]] = {}

    def take(measure: str, found: dict[str, Marks], ending: str = "") -> None:
        for name, one in found.items():
            marks[name + ending] = one
            unusable[name + ending] = given[measure] if measure else [False] * len(checked)

    asked = wanted.measures
    take("", attackers.blind(checked))
    if "choices" in asked:
        take("choices", choices.accuracy(checked) | parts_named.of_choices(checked))
    if "by_length" in asked:
        take("by_length", choices.normalized(checked))
    if "objects" in asked:
        take("objects", choices.objects(checked))
    if "generation" in asked:
        take("generation", choices.generation(checked))
    if "names" in asked:
        take("names", parts_named.generated(checked, wanted.related))
    if "spans" in asked:
        take("spans", parts_named.spans(checked))
    overlaps: list[Overlap] = []
    sizes: dict[str, dict[str, Marks]] = {}
    ending = f"_{wanted.conditioning}"
    if asked & {"masks", "boundary"}:
        overlaps = [overlap(one) for one in checked]
    if "masks" in asked:
        take("masks", segmentation.by_name(checked, overlaps), ending)
        take("masks", segmentation.matched(checked, overlaps) | segmentation.in_union(checked), ending)
        found = segmentation.by_size(checked, overlaps)
        sizes = {size: {name + ending: one for name, one in lot.items()} for size, lot in found.items()}
    if "boundary" in asked:
        take("boundary", boundaries.boundary(checked, overlaps), ending)
    return Scored(marks, sizes, unusable, overlaps)


def _missing(checked: Sequence[Checked], measure: str) -> list[bool]:
    """Whether a question has nothing, or something malformed, of what a measure needs."""
    if measure == "choices":
        return [one.prediction.scores is None and one.prediction.chosen is None for one in checked]
    if measure == "by_length":
        return [one.prediction.scores is None or one.prediction.tokens is None for one in checked]
    if measure == "objects":
        return [one.prediction.object_scores is None and one.prediction.object_chosen is None for one in checked]
    if measure == "generation":
        return [one.prediction.generated is None for one in checked]
    if measure == "names":
        return [one.prediction.parts is None for one in checked]
    if measure == "spans":
        return [one.prediction.spans is None for one in checked]
    return [one.refused or one.prediction.masks is None for one in checked]
