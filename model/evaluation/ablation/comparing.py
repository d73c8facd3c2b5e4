"""Variants compared on the same questions: each one's metrics, how they differ from another's, and what is lost on the unseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from model.evaluation import gaps, measuring
from model.evaluation.ablation import pooling
from model.evaluation.ablation.pooling import Pooled
from model.evaluation.intervals import Interval
from model.evaluation.scoring import CONDITIONINGS
from model.evaluation.streaming import Stream
from partonomy_data.store.reader import Store

_Value = TypeVar("_Value")

#: What is compared, of what a variant has, by whose spans and answers it is measured.
COMPARED: Final[Mapping[str, tuple[str, ...]]] = {
    "oracle": ("chance", "accuracy", "object_accuracy", "span_f1", "strict_giou_oracle", "giou_micro_oracle"),
    "predicted": ("generation_accuracy", "part_f1", "strict_giou_predicted"),
}


@dataclass(frozen=True)
class Compared:
    """What came of one variant on one split."""

    metrics: Mapping[str, Pooled]
    gaps: Mapping[str, Interval]
    """Its metrics less those of the variant that it is compared with."""
    lost: Mapping[str, Interval] = field(default_factory=dict)
    """Of a split of what training hasn't seen: its metrics there less those on `test`."""


def compared(
    store: Store,
    models: Mapping[str, Sequence[str]],
    against: Mapping[str, str],
    splits: Sequence[str],
    seed: int,
) -> dict[str, dict[str, Compared]]:
    """Split → name → what came of it, of the predictions in the store; `models` and `against` as in `job.Ablated`."""
    found: dict[str, dict[str, Compared]] = {split: {} for split in splits}
    for split in splits:
        of = pooling.whole(split)
        streams = {name: _streams(store, several, split, seed) for name, several in models.items()}
        for name, mine in streams.items():
            metrics, differ, lost = {}, {}, {}
            for metric, conditioning in _WHOSE.items():
                metrics[metric] = pooling.pooled(mine[conditioning], metric, of)
                if metric != "chance" and against.get(name, name) != name:
                    differ[metric] = pooling.gap(mine[conditioning], streams[against[name]][conditioning], metric, of)
            if split in gaps.OUTSIDE and gaps.INSIDE in splits:
                lost = _lost(store, models[name], split, seed)
            found[split][name] = Compared(_known(metrics), _known(differ), _known(lost))
    return found


#: Metric → its conditioning.
_WHOSE: Final = {metric: conditioning for conditioning, several in COMPARED.items() for metric in several}


def _known(values: Mapping[str, _Value | None]) -> dict[str, _Value]:
    return {metric: value for metric, value in values.items() if value is not None}


def _streams(store: Store, models: Sequence[str], split: str, seed: int) -> dict[str, list[Stream]]:
    """Conditioning → each model's, by groups: all question types count together, and those of a group aren't independent."""
    return {
        conditioning: [measuring.streamed(store, one, split, seed, conditioning, unit="group")[0] for one in models]
        for conditioning in CONDITIONINGS
    }


def _lost(store: Store, models: Sequence[str], split: str, seed: int) -> dict[str, Interval | None]:
    splits = (gaps.INSIDE, split)
    inside, outside = (_streams(store, models, one, seed) for one in splits)
    return {
        metric: pooling.apart(inside[conditioning], outside[conditioning], metric, splits)
        for metric, conditioning in _WHOSE.items()
        if metric != "chance"
    }
