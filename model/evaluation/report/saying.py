"""What the numbers of an evaluation show, and what they do not, in plain sentences. Each rests on an interval, not on a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from model.evaluation.intervals import side
from model.evaluation.report.gathering import Gathered

#: Below so many questions, hardly anything can be told apart.
_FEW: Final = 200
_BASELINES: Final[Mapping[str, str]] = {
    "random": "It takes choices by chance and makes no masks: what it scores is what chance scores.",
    "oracle": "It is told the truth: whatever is below 1 here is the measurement's fault, and no model's merit.",
    "frequent": "It takes what was right most often in train, and never looks at the photograph.",
    "blind": "It is trained on the texts of train's choices, and never looks at the photograph.",
    "whole-object": "It answers by chance, and gives the object's annotated mask for each part.",
    "mean-location": "It answers by chance, and puts each part where it lies on average in the object's annotated box.",
    "nearest": "It answers by chance, and takes each part's mask from the object of train that looks most alike.",
    "color": "It answers by chance, and takes the piece of the annotated object that has the part's usual colors.",
}
_BESIDE: Final[Mapping[int, str]] = {1: "above chance", 0: "not to be told from chance", -1: "below chance"}
_PROMPTED: Final = "It answers by chance. SAM is given the {} of each true part: what an external segmenter could add."


def sentences(said: Gathered) -> list[str]:
    """In the order in which they matter."""
    told = [about(said.model_id)] if about(said.model_id) else []
    told += [one for one in (_choices(said), _blind(said), _masks(said), _own_words(said), _evidence(said)) if one]
    told += _gaps(said)
    if said.n < _FEW:
        told.append(f"These are {said.n} questions: too few to tell models apart that are alike.")
    skipped = said.at("accuracy")
    if skipped is not None and skipped["n_skipped"]:
        told.append(f"{skipped['n_skipped']} of {skipped['n']} questions have no usable choice, and count as wrong.")
    told.append(
        "Intervals say how far other questions of the same kind could have led; they say nothing of other kinds of photographs,"
        " nor of another training run of the same model."
    )
    return told


def about(model_id: str) -> str:
    """What a baseline is; nothing for a model."""
    if model_id.startswith("sam-box-"):
        return _PROMPTED.format("box")
    if model_id.startswith("sam-point-"):
        return _PROMPTED.format("middle")
    return _BASELINES.get(model_id, "")


def interval(row: Mapping[str, Any]) -> str:
    """A value with its interval, where it has one."""
    value, low, high = (None if row[name] is None else round(row[name], 3) + 0.0 for name in ("value", "low", "high"))
    return f"{value:.3f}" if low is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _choices(said: Gathered) -> str:
    accuracy, chance = said.at("accuracy"), said.at("chance")
    if accuracy is None or chance is None:
        return "It takes no choices."
    value, low, high = chance["value"], accuracy["low"], accuracy["high"]
    told = f"It takes the right choice in {interval(accuracy)} of the questions; chance is {value:.3f}."
    if low is None:
        return f"{told} There are too few groups of photographs for an interval, so nothing follows."
    return f"{told} That is {_BESIDE[side(low, high, value)]}."


def _blind(said: Gathered) -> str:
    accuracy = said.at("accuracy")
    blind = [
        row
        for one in said.of([row["metric"] for row in said.rows])
        if one.startswith("blind_") and (row := said.at(one))
    ]
    if accuracy is None or not blind:
        return ""
    best = max(blind, key=lambda row: float(row["value"]))
    name = best["metric"].removeprefix("blind_").replace("_", " ")
    told = f"A chooser that never looks and always takes the {name} choice gets {interval(best)}."
    if accuracy["low"] is not None and side(accuracy["low"], accuracy["high"], best["value"]) < 1:
        return f"{told} The model's score is not clearly above that: it need not have looked."
    return told


def _masks(said: Gathered) -> str:
    row = said.at("giou_micro_oracle")
    if row is None:
        return "It makes no masks for a given answer." if said.at("strict_giou_predicted") is None else ""
    small, large = (said.at("giou_micro_oracle", part=f"part_size={size}") for size in ("small", "large"))
    told = f"Given the true answer, its masks reach a gIoU of {interval(row)}; that asks for no names of parts."
    if small is not None and large is not None:
        told += f" Small parts reach {interval(small)}, large ones {interval(large)}."
    return told


def _own_words(said: Gathered) -> str:
    own = said.at("strict_giou_predicted")
    if own is None:
        return ""
    return f"In its own words, where parts too many and too few cost, it reaches a strict gIoU of {interval(own)}."


def _evidence(said: Gathered) -> str:
    one, other = said.at("accuracy", part="verified"), said.at("accuracy", part="unverified")
    if one is None or other is None:
        return ""
    told = f"Where the key is verified, accuracy is {interval(one)}; where it rests on incomplete labels, {interval(other)}."
    return f"{told} Part of the difference may be wrong keys."


def _gaps(said: Gathered) -> list[str]:
    told = []
    for split, found in said.gaps.items():
        for gap in found:
            if gap.metric not in ("accuracy", "giou_micro_oracle"):
                continue
            low, high = gap.interval.low, gap.interval.high
            name = split.removeprefix("test_").replace("_", " ")
            line = f"On {name}s, {gap.metric} is {gap.outside:.3f}, against {gap.inside:.3f} on test: {gap.interval.value:+.3f}"
            if low != low:
                told.append(f"{line}, on too few groups for an interval.")
                continue
            verdict = "worse" if high < 0 else "better" if low > 0 else "no difference that can be told from chance"
            told.append(f"{line} [{low:+.3f}, {high:+.3f}], {verdict}.")
    return told
