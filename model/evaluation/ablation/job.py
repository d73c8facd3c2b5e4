"""Trains, measures and compares the variants of an ablation. What was trained or evaluated already is not done again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from model.evaluation import candidates
from model.evaluation import job as evaluating
from model.evaluation.ablation import comparing, drift
from model.evaluation.ablation.comparing import Compared
from model.evaluation.ablation.config import AblationConfig, DriftConfig
from model.evaluation.ablation.drift import Drift
from model.evaluation.ablation.notes import Notes
from model.evaluation.adapters import api
from model.evaluation.adapters.named import SIGN
from model.plum import devices, saving
from model.plum.backbone import Backbone
from model.plum.errors import ModelError
from model.shipped import located
from model.training.job import model_id, train_together
from partonomy_data.store.layout import Layout
from partonomy_data.store.reader import Store
from partonomy_data.store.reader import open as open_store


@dataclass(frozen=True)
class Ablated:
    """What came of an ablation."""

    version: str
    models: Mapping[str, tuple[str, ...]]
    """Variant → the model of each seed; and what stands beside them → its one model, or that of each seed."""
    same: Mapping[str, str]
    """Variant → the one that it is the same as, and was left out for."""
    against: Mapping[str, str]
    """Variant → the one that it was compared with. What stands beside them is compared with none."""
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
    _check_beside(layout, config)
    same = config.alike()
    names = [name for name in config.variants if name not in same]
    models = {
        name: tuple(_trained(layout, config, name, seed, version, told) for seed in config.seeds) for name in names
    }
    asked = models | {name: _beside(name, models, same) for name in config.beside}
    for split in config.splits:
        for name, several in asked.items():
            models[name] = tuple(_measured(layout, config, model, split, version, told) for model in several)
    against = {name: _against(config, same, name) for name in names}
    with open_store(layout.root, version) as store:
        splits = comparing.compared(store, models, against, config.splits, config.evaluation.predictions.seed)
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
    _check_beside(layout, config)
    for name in config.variants:
        if name in same:
            lines.append(f"{name}: left out, as it is the same as {same[name]}")
            continue
        trained = [model_id(config.training_of(name, seed), version) for seed in config.seeds]
        there = sum((layout.models / one / "config.json").exists() for one in trained)
        how = config.variants[name].answering
        what = f"answering with {how}" if how else f"{len(trained)} trainings, {there} of them there already"
        lines.append(f"{name}: {what}; measured on {', '.join(config.splits)}")
    if config.beside:
        lines.append(f"beside them: {', '.join(config.beside)}")
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
    model = train_together(layout.root, wanted, config.processes, version=version, quiet=True).name
    how = config.variants[name].answering
    return f"{model}{SIGN}{how}" if how else model


def _check_beside(layout: Layout, config: AblationConfig) -> None:
    """Raises ModelError for what there isn't, before hours are spent on training. A server is asked when its turn comes."""
    for name in config.beside:
        variant = config.variants.get(name.partition(":")[2])
        if variant is None and not (evaluating.is_file(name) or name.startswith(api.PREFIX)):
            candidates.check(layout, name)
        if variant is not None and variant.answering:
            raise ModelError(
                f"beside: {name} names a variant that has no training of its own",
                mend=f"Name another than {name.partition(':')[2]}",
            )


def _beside(name: str, models: Mapping[str, tuple[str, ...]], same: Mapping[str, str]) -> tuple[str, ...]:
    """What `partonomy evaluate --model` would be given for what stands beside the variants."""
    kind, _, place = name.partition(":")
    place = same.get(place, place)
    return tuple(f"{kind}:{model}" for model in models[place]) if place in models else (name,)


def _measured(
    layout: Layout, config: AblationConfig, model: str, split: str, version: str, told: Callable[[str], None]
) -> str:
    """Under which name a model's results are; it is evaluated, unless it was in this way: of that there is a note."""
    wanted = replace(config.evaluation, predictions=replace(config.evaluation.predictions, split=split))
    notes = Notes(layout, version, wanted)
    if (known := notes.known(model)) is not None:
        return known
    told(f"measuring {model} on {split}")
    given = notes.given(model)
    name = evaluating.evaluate(layout.root, model, wanted, version=version).model_id
    notes.add(model, name, given)
    return name


def _against(config: AblationConfig, same: Mapping[str, str], name: str) -> str:
    wanted = config.variants[name].against or next(iter(config.variants))
    return same.get(wanted, wanted)


def _drifted(
    layout: Layout, config: AblationConfig, wanted: DriftConfig, models: Sequence[str], told: Callable[[str], None]
) -> tuple[Drift, ...]:
    found = []
    for model in models:
        told(f"measuring how far {model} has moved")
        saved = saving.from_pretrained(layout.models / model).plum
        before = Backbone.load(located(saved.config.backbone), getattr(torch, saved.config.dtype)).eval()
        before = devices.placed(before, saved.backbone.device)
        found.append(drift.measure(before, saved.backbone, drift.passages(before, wanted)))
    return tuple(found)
