"""The numbers of a report: metrics by slice, and the gaps to what the model has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from model.evaluation import gaps, measuring
from model.evaluation.gaps import Gap
from model.evaluation.intervals import number
from model.evaluation.scoring import CONDITIONINGS
from partonomy_data.store.reader import Store

#: What reports show, in this order, of those that a model has; what needs no model stands first.
CHOICES: Final = (
    "chance",
    "blind_first",
    "blind_longest",
    "blind_shortest",
    "blind_central",
    "accuracy",
    "accuracy_by_length",
    "chance_corrected",
    "object_accuracy",
    "object_accuracy_predicted",
    "both_accuracy",
    "generation_accuracy",
    "block_consistent",
    "paraphrases_agree",
    "calibration_error",
)
MASKS: Final = (
    "giou_micro_oracle",
    "giou_macro_oracle",
    "strict_giou_oracle",
    "ciou_oracle",
    "boundary_iou_oracle",
    "ap50_oracle",
    "giou_micro_predicted",
    "strict_giou_predicted",
    "hungarian_giou_predicted",
    "ap50_predicted",
)
NAMES: Final = ("span_f1", "part_precision", "part_recall", "part_f1", "part_related_f1", "choice_f1")
#: What the gaps are told of.
GAPS: Final = (
    "accuracy",
    "chance_corrected",
    "object_accuracy",
    "giou_micro_oracle",
    "strict_giou_predicted",
    "part_f1",
)
_OUTSIDE: Final = """SELECT DISTINCT q.split FROM predictions p JOIN questions q USING (question_id)
    WHERE p.model_id = $model AND p.seed = $seed"""

#: What intervals draw, as reports say it.
DRAWN: Final = "95 % intervals: over all types by groups of photographs, within a type by blocks of questions."

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Gathered:
    """All that a report says in numbers."""

    model_id: str
    version: str
    split: str
    seed: int
    rows: tuple[Row, ...]
    """Of the table `evaluations`."""
    problems: tuple[str, ...]
    n: int
    """Questions."""
    gaps: Mapping[str, tuple[Gap, ...]]
    """Split out of the distribution → gaps to `test`; empty where the model wasn't asked both."""

    def at(self, metric: str, kind: str = "all", part: str = "all") -> Row | None:
        """A metric of a question type and slice."""
        return self._by_place.get((kind, part, metric))

    @cached_property
    def _by_place(self) -> dict[tuple[str, str, str], Row]:
        return {(row["question_type"], row["slice"], row["metric"]): row for row in self.rows}

    @property
    def types(self) -> list[str]:
        """`all`, and the question types."""
        found = sorted({row["question_type"] for row in self.rows} - {"all"})
        return ["all", *found]

    def slices(self, kind: str) -> list[str]:
        """The slices whose name begins so, and that are not cut by evidence: `source=`, `parts=`, `part_size=`, …"""
        return sorted({row["slice"] for row in self.rows if row["slice"].startswith(kind) and ", " not in row["slice"]})

    def of(self, metrics: Sequence[str]) -> list[str]:
        """Those of the metrics that there are over all questions."""
        there = {row["metric"] for row in self.rows if (row["question_type"], row["slice"]) == ("all", "all")}
        return [one for one in metrics if one in there]


def gather(store: Store, model_id: str, split: str, seed: int, measured: measuring.Measured | None = None) -> Gathered:
    """The numbers of a model's predictions on a split; measured again if not given. Raises EvaluationError if there are none."""
    measured = measured or measuring.measure(store, model_id, split, seed)
    there = {str(name) for (name,) in store.sql(_OUTSIDE, {"model": model_id, "seed": seed}).fetchall()}
    found: dict[str, tuple[Gap, ...]] = {}
    if gaps.INSIDE in there:
        outside = [one for one in gaps.OUTSIDE if one in there and split in (one, gaps.INSIDE)]
        found = {one: _gaps(store, model_id, one, seed) for one in outside}
    return Gathered(
        model_id, store.version, split, seed, tuple(measured.rows), tuple(measured.problems), measured.n, found
    )


def gap_rows(said: Gathered, split: str) -> list[dict[str, Any]]:
    """The gaps of a split out of the distribution as rows of the table `evaluations`: `value` is what it has more than `test`."""
    return [
        {
            "model_id": said.model_id,
            "version": said.version,
            "split": split,
            "question_type": "all",
            "slice": f"gap={gaps.INSIDE}",
            "metric": gap.metric,
            "value": gap.interval.value,
            "low": number(gap.interval.low),
            "high": number(gap.interval.high),
            "n": gap.n_outside,
            "n_skipped": 0,
        }
        for gap in said.gaps.get(split, ())
    ]


def _gaps(store: Store, model_id: str, split: str, seed: int) -> tuple[Gap, ...]:
    found: dict[str, Gap] = {}
    for conditioning in CONDITIONINGS:
        inside, outside = (
            measuring.streamed(store, model_id, one, seed, conditioning, unit="group")[0]
            for one in (gaps.INSIDE, split)
        )
        for gap in gaps.gaps(inside, outside, seed=seed):
            found.setdefault(gap.metric, gap)
    return tuple(found[name] for name in GAPS if name in found)
