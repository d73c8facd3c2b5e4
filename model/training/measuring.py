"""How good a model is while it trains, on samples that it doesn't learn from: always the same ones, so that measurements compare.

loss         as in training, with the model's own earlier masks
giou         mean IoU over masks at the photograph's size, under the true spans
giou_own     the same under the spans that the model tags in the true text; a part that it misses counts 0, and so does a span
             that it tags and that names none
span_f1      spans tagged exactly
accuracy     of the choice by its score, ties counted wrong; `chance` beside it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from accelerate.utils import gather_object
from numpy.typing import NDArray

from model.data.collate import Collator
from model.data.samples import Sample
from model.plum import answering, losses
from model.plum.answering import Answer, Asked, Look
from model.plum.batch import counts
from model.plum.model import Plum


@dataclass
class _Tally:
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(losses.TERMS, 0.0))
    counts: dict[str, float] = field(default_factory=lambda: dict.fromkeys(losses.TERMS, 0.0))
    ious: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    tagged: int = 0
    true: int = 0
    right: int = 0
    chosen: list[bool] = field(default_factory=list)
    chance: list[float] = field(default_factory=list)

    def add(self, other: _Tally) -> None:
        """Adds what another process has counted."""
        for name in losses.TERMS:
            self.sums[name] += other.sums[name]
            self.counts[name] += other.counts[name]
        self.ious += other.ious
        self.own += other.own
        self.tagged, self.true = self.tagged + other.tagged, self.true + other.true
        self.right += other.right
        self.chosen += other.chosen
        self.chance += other.chance


@torch.no_grad()
def measure(
    plum: Plum, samples: Sequence[Sample], collator: Collator, at_once: int = 8, team: tuple[int, int] = (0, 1)
) -> dict[str, float]:
    """The measurements above; those that have nothing to measure are left out.

    `team`: this process's rank, and how many share the samples; each of them calls this, and is told the same.
    """
    rank, processes = team
    training = plum.training
    plum.eval()
    tally = _Tally()
    try:
        for start in range(0, len(samples), at_once)[rank::processes]:
            _add(tally, plum, samples[start : start + at_once], collator)
    finally:
        plum.train(training)
    if processes > 1:
        first, *others = gather_object([tally])
        for one in others:
            first.add(one)
        tally = first
    total = losses.total(
        {name: torch.tensor(value) for name, value in tally.sums.items()}, tally.counts, plum.config.losses
    )
    found = {"loss": float(total)}
    if tally.true:
        found["giou"] = float(np.mean(tally.ious))
        found["giou_own"] = float(np.mean(tally.own))
        found["span_f1"] = 2 * tally.right / (tally.tagged + tally.true)
    if tally.chosen:
        found["accuracy"] = float(np.mean(tally.chosen))
        found["chance"] = float(np.mean(tally.chance))
    return found


def _add(tally: _Tally, plum: Plum, samples: Sequence[Sample], collator: Collator) -> None:
    made = collator(samples)
    if made.batch is None:
        return
    batch = made.batch.to(plum.backbone.device)
    for name, value in plum(batch).items():
        tally.sums[name] += float(value)
    for name, count in counts([made.batch], plum.config.losses.span_weights).items():
        tally.counts[name] += count
    used = [sample for sample in samples if sample.sample_id not in made.left_out]
    looks: dict[str, Look] = {}
    for sample in used:
        if sample.view_id not in looks:
            looks[sample.view_id] = answering.look(plum, [sample.view.image])[0]
    asked = [Asked(looks[sample.view_id], sample.question, sample.history) for sample in used]
    _add_choices(tally, plum, used, asked)
    _add_masks(tally, plum, used, asked)


def _add_choices(tally: _Tally, plum: Plum, samples: Sequence[Sample], asked: Sequence[Asked]) -> None:
    if plum.config.marking == "seg_token":
        return  # a choice without its [SEG] tokens is not what the model would say
    pairs = [(sample, one) for sample, one in zip(samples, asked, strict=True) if sample.choices]
    found = answering.score_choices(
        plum,
        [one for _, one in pairs],
        [sample.choices for sample, _ in pairs],
        [sample.choices_spans for sample, _ in pairs],
    )
    for (sample, _), scores in zip(pairs, found, strict=True):
        values = [score.total for score in scores]
        others = [value for place, value in enumerate(values) if place != sample.correct]
        tally.chosen.append(values[sample.correct] > max(others))
        tally.chance.append(1 / len(values))


def _add_masks(tally: _Tally, plum: Plum, samples: Sequence[Sample], asked: Sequence[Asked]) -> None:
    texts = [sample.answer for sample in samples]
    places = [[(start, end) for start, end, _ in sample.spans] for sample in samples]
    given = answering.segment_spans(plum, asked, texts, places)
    tags = plum.config.marking == "tags"
    own: Sequence[Answer | None] = answering.segment_spans(plum, asked, texts) if tags else [None] * len(samples)
    for sample, oracle, mine in zip(samples, given, own, strict=True):
        tally.ious += [iou(one.mask, mask) for one, mask in zip(oracle.named, sample.masks, strict=True)]
        true = {(start, end): mask for (start, end, _), mask in zip(sample.spans, sample.masks, strict=True)}
        tagged = {(one.start, one.end): one.mask for one in mine.named} if mine is not None else {}
        tally.own += [iou(tagged[place], mask) if place in tagged else 0.0 for place, mask in true.items()]
        tally.own += [0.0] * len(tagged.keys() - true.keys())
        tally.tagged, tally.true = tally.tagged + len(tagged), tally.true + len(true)
        tally.right += len(tagged.keys() & true.keys())


def iou(first: NDArray[np.bool_], second: NDArray[np.uint8]) -> float:
    """Intersection over union of two masks (h, w); 0 where both are empty, as a part that isn't there can't be found."""
    other = second.astype(bool)
    union = int((first | other).sum())
    return int((first & other).sum()) / union if union else 0.0
