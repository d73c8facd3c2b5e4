"""Precision, recall and F1 of part names, exact and through relations between names; and of the spans that a model tags.

All are pooled, as in the PARTONOMY paper: what is right in all questions together, over what is said, or true, in all together.
Names are compared in lower case. One that is said twice is right once at most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from model.evaluation.checking import Checked
from model.evaluation.choices import picked
from model.evaluation.marks import Marks

#: name → the names that may stand for it, or it for them: the same, broader and narrower ones.
Related = Mapping[str, Collection[str]]
UNRELATED: Final[Related] = {}


def right(said: Sequence[str], true: Sequence[str], related: Related = UNRELATED) -> int:
    """How many of the names said are true: of all one-to-one pairings of equal or related names, the largest.

    Relations hold both ways, whichever side the mapping has them on. So two true blades need two names that may mean one.
    """
    if not related:
        return (Counter(map(str.lower, said)) & Counter(map(str.lower, true))).total()
    if not said or not true:
        return 0
    fits = np.array([[_fit(one.lower(), other.lower(), related) for other in true] for one in said])
    return int(fits[linear_sum_assignment(fits, maximize=True)].sum())


def _fit(one: str, other: str, related: Related) -> bool:
    return one == other or other in related.get(one, ()) or one in related.get(other, ())


def scores(counts: Sequence[tuple[int, int, int]], name: str) -> dict[str, Marks]:
    """`<name>_precision`, `_recall` and `_f1` from each question's number of names that are right, said and true."""
    return {
        f"{name}_precision": Marks.of([(hit, said) for hit, said, _ in counts]),
        f"{name}_recall": Marks.of([(hit, true) for hit, _, true in counts]),
        f"{name}_f1": Marks.of([(2 * hit, said + true) for hit, said, true in counts]),
    }


def generated(checked: Sequence[Checked], related: Related = UNRELATED) -> dict[str, Marks]:
    """Of the names in the generated answers, against the right choice's: `part_…`, and `part_related_…` through relations.

    A question without a generated answer counts as one that names nothing.
    """
    pairs = [(one.prediction.parts or (), _true(one)) for one in checked]
    found = scores([(right(said, true), len(said), len(true)) for said, true in pairs], "part")
    if related:
        through = [(right(said, true, related), len(said), len(true)) for said, true in pairs]
        found |= scores(through, "part_related")
    return found


def of_choices(checked: Sequence[Checked]) -> dict[str, Marks]:
    """Of the names in the choice that was taken, against the right one's: `choice_…`, the paper's P and R.

    They are high by chance, as wrong choices share most names with the right one. A tie names nothing.
    """
    counts = []
    for one in checked:
        taken = picked(one.prediction.scores, one.prediction.chosen)
        said = () if taken is None else one.truth.choices[taken].parts
        counts.append((right(said, _true(one)), len(said), len(_true(one))))
    return scores(counts, "choice")


def spans(checked: Sequence[Checked]) -> dict[str, Marks]:
    """`span_precision`, `span_recall`, `span_f1` of the spans tagged in the right answer; both ends must be exact."""
    counts = []
    for one in checked:
        said = Counter(one.prediction.spans or ())
        true = Counter((span.start, span.end) for span in one.truth.spans)
        counts.append(((said & true).total(), said.total(), true.total()))
    return scores(counts, "span")


def _true(checked: Checked) -> tuple[str, ...]:
    return checked.truth.choices[checked.truth.correct].parts
