"""A model measured on a split of a version: its predictions, its metrics, and a page that says what they are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from model import settings
from model.evaluation import measuring, predicting
from model.evaluation.adapters.baselines import Oracle, Random
from model.evaluation.adapters.plum import PlumModel
from model.evaluation.asking import Model
from model.evaluation.measuring import Measured
from model.evaluation.predicting import PredictionConfig
from model.plum import saving
from model.stored import folder_of
from partonomy_data.store.layout import Layout
from partonomy_data.store.reader import open as open_store

#: Baselines that can be named in the place of a model.
BASELINES: Final = ("random", "oracle")
#: What the page shows, in this order, of those that the model has.
SHOWN: Final = (
    "chance",
    "accuracy",
    "accuracy_by_length",
    "object_accuracy",
    "object_accuracy_predicted",
    "generation_accuracy",
    "block_consistent",
    "calibration_error",
    "span_f1",
    "part_f1",
    "strict_giou_oracle",
    "strict_giou_predicted",
    "giou_micro_oracle",
    "ap50_oracle",
)


@dataclass(frozen=True)
class EvaluationConfig:
    """The settings of an evaluation."""

    predictions: PredictionConfig = field(default_factory=PredictionConfig)
    longest: int = 128
    """Tokens of an answer in the model's own words."""


@dataclass(frozen=True)
class Evaluated:
    """What came of it."""

    model_id: str
    version: str
    split: str
    folder: Path
    """In the store: predictions and metrics."""
    measured: Measured
    left_out: dict[str, str]
    """Question → why it couldn't be asked."""


def evaluate(
    root: Path,
    model: str | Path,
    config: EvaluationConfig,
    *,
    version: str | None = None,
    told: Callable[[int, int], None] | None = None,
) -> Evaluated:
    """Measures a model of the store (by its name), one in a folder, or a baseline, on a version (the current one).

    Its predictions and metrics go to the store's `evaluations`, where `partonomy query` finds them. Raises ModelError.
    """
    layout = Layout(root.expanduser().absolute())
    asked = load(layout, model, config.longest)
    with open_store(layout.root, version) as store:
        name, split = store.version, config.predictions.split
        about = "" if isinstance(model, str) and model in BASELINES else _about(layout, model)
        done = predicting.run(store, layout, asked, config.predictions, about=about, told=told)
    with open_store(layout.root, name) as store:
        measured = measuring.measure(store, asked.name, split, config.predictions.seed)
    folder = layout.evaluation(asked.name, name)
    measuring.write(measured, folder / f"evaluations-{split}-{config.predictions.seed}.parquet")
    return Evaluated(asked.name, name, split, folder, measured, dict(done.left_out))


def load(layout: Layout, model: str | Path, longest: int) -> Model:
    """What is to be measured. Raises ModelError if there is no such model."""
    if model == "random":
        return Random()
    if model == "oracle":
        return Oracle()
    folder = folder_of(layout, model, f"; baselines are {', '.join(BASELINES)}")
    return PlumModel(folder.name, saving.from_pretrained(folder).plum, longest)


def _about(layout: Layout, model: str | Path) -> str:
    """The digest of a model's content, as its own config.json has it."""
    return hashlib.sha256((folder_of(layout, model) / "config.json").read_bytes()).hexdigest()


def from_file(config: Path | None, split: str | None = None) -> EvaluationConfig:
    """The settings in a file, or the defaults; `split` wins. Raises ModelError."""
    found = settings.load(config, EvaluationConfig) if config is not None else EvaluationConfig()
    return found if split is None else replace(found, predictions=replace(found.predictions, split=split))


def as_text(evaluated: Evaluated) -> str:
    """The metrics of all questions and of each type, beside chance, as a table for a terminal."""
    rows = [row for row in evaluated.measured.rows if row["slice"] == "all"]
    kinds = sorted({row["question_type"] for row in rows}, key=lambda kind: (kind != "all", kind))
    metrics = [name for name in SHOWN if any(row["metric"] == name for row in rows)]
    by_place = {(row["question_type"], row["metric"]): row for row in rows}
    head = ["", *kinds]
    # Intervals of all questions alone, or the lines would be too long; the table `evaluations` has the others.
    table = [head, *([name, *(_cell(by_place.get((kind, name)), kind == "all") for kind in kinds)] for name in metrics)]
    lines = [
        f"{evaluated.model_id} on {evaluated.split} of version {evaluated.version}: {evaluated.measured.n} questions"
    ]
    lines += ["", *_aligned(table), ""]
    lines += evaluated.measured.problems[:3]
    if evaluated.left_out:
        first = next(iter(evaluated.left_out.values()))
        lines.append(f"{len(evaluated.left_out)} questions could not be asked, such as: {first}")
    lines.append(
        f"95 % intervals by blocks of questions; all metrics and slices: table `evaluations` ({evaluated.folder})"
    )
    return "\n".join(lines)


def _cell(row: dict[str, Any] | None, interval: bool) -> str:
    if row is None:
        return "-"
    if row["low"] is None or not interval:
        return f"{row['value']:.3f}"
    return f"{row['value']:.3f} [{row['low']:.2f}, {row['high']:.2f}]"


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in table) for place in range(len(table[0]))]
    return [
        "  ".join(
            cell.ljust(width) if not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
