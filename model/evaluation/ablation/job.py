"""Trains, measures and compares the variants of an ablation. What was trained or evaluated already is not done again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from model import settings
from model.evaluation import job as evaluating
from model.evaluation import measuring
from model.evaluation.ablation import drift, pooling
from model.evaluation.ablation.config import AblationConfig, DriftConfig
from model.evaluation.ablation.drift import Drift
from model.evaluation.ablation.pooling import Pooled
from model.evaluation.adapters.named import SIGN
from model.evaluation.intervals import Interval
from model.evaluation.scoring import CONDITIONINGS
from model.evaluation.streaming import Stream
from model.plum import saving
from model.plum.backbone import Backbone
from model.plum.errors import ModelError
from model.shipped import located
from model.training.job import model_id, train
from partonomy_data.store import files
from partonomy_data.store.layout import Layout
from partonomy_data.store.reader import Store
from partonomy_data.store.reader import open as open_store

#: What is compared, of what a variant has, by whose spans and answers it is measured.
COMPARED: Final[Mapping[str, tuple[str, ...]]] = {
    "oracle": ("accuracy", "object_accuracy", "span_f1", "strict_giou_oracle", "giou_micro_oracle"),
    "predicted": ("generation_accuracy", "part_f1", "strict_giou_predicted"),
}


@dataclass(frozen=True)
class Compared:
    """What came of one variant on one split."""

    metrics: Mapping[str, Pooled]
    gaps: Mapping[str, Interval]
    """Its metrics less those of the variant that it is compared with."""


@dataclass(frozen=True)
class Ablated:
    """What came of an ablation."""

    version: str
    models: Mapping[str, tuple[str, ...]]
    """Variant → the model of each seed."""
    same: Mapping[str, str]
    """Variant → the one that it is the same as, and was left out for."""
    against: Mapping[str, str]
    """Variant → the one that it was compared with."""
    splits: Mapping[str, Mapping[str, Compared]]
    """Split → variant → what came of it."""
    drift: Mapping[str, tuple[Drift, ...]] = field(default_factory=dict)
    """Variant → of each seed."""


def ablate(
    root: Path, config: AblationConfig, *, version: str | None = None, told: Callable[[str], None] | None = None
) -> Ablated:
    """Trains each variant with each seed, measures all on the same questions, and compares them. Raises ModelError.

    Models and their evaluations are in the store as any others are. A run that was stopped goes on from there.
    """
    config = config.checked()
    told = told or (lambda line: None)
    layout = Layout(root.expanduser().absolute())
    with open_store(layout.root, version) as store:
        version = store.version
        _check_splits(store, config.splits)
    same = config.alike()
    names = [name for name in config.variants if name not in same]
    models = {
        name: tuple(_trained(layout, config, name, seed, version, told) for seed in config.seeds) for name in names
    }
    for split in config.splits:
        for name in names:
            for model in models[name]:
                _measured(layout, config, model, split, version, told)
    against = {name: _against(config, same, name) for name in names}
    with open_store(layout.root, version) as store:
        seed = config.evaluation.predictions.seed
        splits = {split: _compared(store, models, against, split, seed) for split in config.splits}
    moved = {}
    if config.drift is not None:
        own = [name for name in names if not config.variants[name].answering]
        moved = {name: _drifted(layout, config, config.drift, models[name], told) for name in own}
    return Ablated(version, models, same, against, splits, moved)


def plan(root: Path, config: AblationConfig, *, version: str | None = None) -> str:
    """What would be trained and measured, as lines of text. Raises ModelError."""
    config = config.checked()
    layout, same, lines = Layout(root.expanduser().absolute()), config.alike(), []
    with open_store(layout.root, version) as store:
        version = store.version
        _check_splits(store, config.splits)
    for name in config.variants:
        if name in same:
            lines.append(f"{name}: left out, as it is the same as {same[name]}")
            continue
        trained = [model_id(config.training_of(name, seed), version) for seed in config.seeds]
        there = sum((layout.models / one / "config.json").exists() for one in trained)
        how = config.variants[name].answering
        what = f"answering with {how}" if how else f"{len(trained)} trainings, {there} of them there already"
        lines.append(f"{name}: {what}; measured on {', '.join(config.splits)}")
    return "\n".join(lines)


def _check_splits(store: Store, splits: Sequence[str]) -> None:
    """Raises ModelError for a split without questions, before hours are spent on training."""
    there = [str(one) for (one,) in store.sql("SELECT DISTINCT split FROM questions ORDER BY split").fetchall()]
    for split in splits:
        if split not in there:
            raise ModelError(f"split {split} has no questions", mend=f"Splits that have: {', '.join(there)}")


def _trained(
    layout: Layout, config: AblationConfig, name: str, seed: int, version: str, told: Callable[[str], None]
) -> str:
    wanted = config.training_of(name, seed)
    if not (layout.models / model_id(wanted, version) / "config.json").exists():
        told(f"training {name}, seed {seed}")
    model = train(layout.root, wanted, version=version, quiet=True).name
    how = config.variants[name].answering
    return f"{model}{SIGN}{how}" if how else model


def _measured(
    layout: Layout, config: AblationConfig, model: str, split: str, version: str, told: Callable[[str], None]
) -> None:
    """Evaluates a model, unless it was in this way: of that there is a note."""
    wanted = replace(config.evaluation, predictions=replace(config.evaluation.predictions, split=split))
    note = layout.work / "ablations" / f"{settings.digest(wanted)[:24]}.json"
    done = json.loads(note.read_text()) if note.exists() else []
    place = f"{model}/{version}"
    file = layout.evaluation(model, version) / f"predictions-{split}-{wanted.predictions.seed}.parquet"
    if place in done and file.exists():
        return
    told(f"measuring {model} on {split}")
    evaluating.evaluate(layout.root, model, wanted, version=version)
    note.parent.mkdir(parents=True, exist_ok=True)
    files.write_json(note, [*(one for one in done if one != place), place])


def _against(config: AblationConfig, same: Mapping[str, str], name: str) -> str:
    wanted = config.variants[name].against or next(iter(config.variants))
    return same.get(wanted, wanted)


def _compared(
    store: Store, models: Mapping[str, Sequence[str]], against: Mapping[str, str], split: str, seed: int
) -> dict[str, Compared]:
    streams: dict[tuple[str, str], list[Stream]] = {
        (name, conditioning): [measuring.streamed(store, one, split, seed, conditioning)[0] for one in several]
        for name, several in models.items()
        for conditioning in CONDITIONINGS
    }
    found, of = {}, pooling.whole(split)
    for name in models:
        metrics: dict[str, Pooled] = {}
        gaps: dict[str, Interval] = {}
        for conditioning, compared in COMPARED.items():
            mine, others = streams[name, conditioning], streams[against[name], conditioning]
            for metric in compared:
                value = pooling.pooled(mine, metric, of)
                if value is None:
                    continue
                metrics[metric] = value
                if against[name] != name and (gap := pooling.gap(mine, others, metric, of)) is not None:
                    gaps[metric] = gap
        found[name] = Compared(metrics, gaps)
    return found


def _drifted(
    layout: Layout, config: AblationConfig, wanted: DriftConfig, models: Sequence[str], told: Callable[[str], None]
) -> tuple[Drift, ...]:
    found = []
    for model in models:
        told(f"measuring how far {model} has moved")
        saved = saving.from_pretrained(layout.models / model).plum
        before = Backbone.load(located(saved.config.backbone), saved.backbone.plain.dtype).eval()
        found.append(drift.measure(before, saved.backbone, drift.passages(before, wanted)))
    return tuple(found)
