"""What an ablation shows, and what it doesn't, in plain sentences. Each rests on an interval, not on a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from model.evaluation.ablation.comparing import Compared
from model.evaluation.ablation.job import Ablated
from model.evaluation.gaps import INSIDE
from model.evaluation.intervals import Interval, side
from model.evaluation.report.saying import about

#: What is said of each variant, and what it is.
_SAID: Final = {
    "accuracy": "right choices",
    "strict_giou_oracle": "strict gIoU under the true answers' spans",
    "strict_giou_predicted": "strict gIoU in its own words",
}
_BESIDE: Final[Mapping[int, str]] = {1: "above chance.", 0: "at chance.", -1: "below chance."}
_UNKNOWN: Final = "no difference that can be told from chance"


def sentences(made: Ablated) -> list[str]:
    """In the order in which they matter: chance, what each change does, what is lost on the unseen, and what isn't shown."""
    told: list[str] = []
    for split, each in made.splits.items():
        told += [
            _chance(name, split, one) for name, one in each.items() if {"accuracy", "chance"} <= one.metrics.keys()
        ]
        for name, one in each.items():
            if name in made.against:
                told += _differences(f"On {split}, {name} against {made.against[name]}", one.gaps)
                told += _differences(f"On {split} instead of {INSIDE}, {name}", one.lost)
    beside = [(name, about(model)) for name, (model, *_) in made.models.items() if name not in made.against]
    told += [f"{name}: {what}" for name, what in beside if what]
    seeds = len(next(iter(made.models.values())))
    told.append(
        f"{seeds} {'training says' if seeds == 1 else 'trainings say'} roughly how far trainings of one variant differ. Nothing"
        " is said of larger models, other data or longer training: a change that does nothing here may do something there."
    )
    return told


def _chance(name: str, split: str, one: Compared) -> str:
    inside, level = one.metrics["accuracy"].interval, one.metrics["chance"].interval.value
    told = f"On {split}, {name} takes the right choice in {inside.value:.3f} of the questions, where chance is {level:.3f}: "
    if inside.low != inside.low:
        return told + "too few groups to tell them apart."
    return told + _BESIDE[side(inside.low, inside.high, level)]


def _differences(of: str, gaps: Mapping[str, Interval]) -> Iterator[str]:
    found = [f"{what} {_told(gaps[metric])}" for metric, what in _SAID.items() if metric in gaps]
    if found:
        yield f"{of}: {'; '.join(found)}."


def _told(gap: Interval) -> str:
    if gap.low != gap.low:
        return f"{gap.value:+.3f}, on too few groups for an interval"
    if gap.value == gap.low == gap.high == 0:
        return "no difference at all"
    verdict = "higher" if gap.low > 0 else "lower" if gap.high < 0 else _UNKNOWN
    return f"{gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}], {verdict}"
