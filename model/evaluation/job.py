"""A model measured on a split of a version: its predictions, its metrics, and a page that says what they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from model import settings
from model.evaluation import candidates, measuring, predicting
from model.evaluation.adapters import api
from model.evaluation.adapters.api import ApiConfig
from model.evaluation.adapters.named import DType
from model.evaluation.general.config import GeneralConfig
from model.evaluation.measuring import Measured
from model.evaluation.people import job as people
from model.evaluation.predicting import PredictionConfig
from model.evaluation.protocol import predict
from model.evaluation.report import job as reporting
from model.evaluation.report.job import Written
from model.evaluation.saved import lines, reference
from model.evaluation.saved.taking import Taken, take
from model.plum.errors import ModelError
from partonomy_data.store.layout import Layout
from partonomy_data.store.reader import Store
from partonomy_data.store.reader import open as open_store

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
    sam_size: str = "vit_b"
    """Of an official checkpoint of SAM (`--model sam-box:FILE`)."""
    dtype: DType = "float32"
    """Of the weights of a model that `transformers` loads as it is (`--model hf:NAME`)."""
    api: ApiConfig = field(default_factory=ApiConfig)
    """How a model behind a server is asked (`--model api:NAME`)."""
    general: GeneralConfig = field(default_factory=GeneralConfig)
    """How the questions of a general set are asked (`--general`)."""


@dataclass(frozen=True)
class Evaluated:
    """What came of it."""

    model_id: str
    version: str
    split: str
    folder: Path
    """In the store: predictions and metrics."""
    measured: Measured
    report: Written
    left_out: dict[str, str]
    """Question → why it couldn't be asked."""
    taken: Taken | None = None
    """Of predictions in a file, what became of its lines."""
    notes: tuple[str, ...] = ()
    """Lines about how the predictions came to be: what became of a file's lines, what calls of a server cost."""


def evaluate(
    root: Path,
    model: str | Path,
    config: EvaluationConfig,
    *,
    version: str | None = None,
    told: Callable[[int, int], None] | None = None,
) -> Evaluated:
    """Measures a model of the store (by its name), one in a folder, a baseline, predictions in a file (`.jsonl`, or the
    `.json` of the paper's code), or a person (`human:` and the file that a sheet saved), on a version (the current one).

    Its predictions and metrics go to the store's `evaluations`, where `partonomy query` finds them. Raises ModelError.
    """
    layout = Layout(root.expanduser().absolute())
    with open_store(layout.root, version) as store:
        name = store.version
        made = _predicted(store, layout, model, config, told)
    folder = layout.evaluation(made.model_id, name)
    split, seed, places = made.asked.split, made.asked.seed, made.asked.photographs
    # Opened again, as its views are of the files that were there.
    with open_store(layout.root, name) as store:
        measured = measuring.measure(store, made.model_id, split, seed)
        measuring.write(measured, folder / f"evaluations-{split}-{seed}.parquet")
        report = reporting.write(store, layout, made.model_id, split, seed, measured=measured, photographs=places)
    return Evaluated(made.model_id, name, split, folder, measured, report, made.left_out, made.taken, made.notes)


@dataclass(frozen=True)
class _Predictions:
    """A model's, in the store."""

    model_id: str
    asked: PredictionConfig
    """What it was asked: a person's file says that itself."""
    left_out: dict[str, str] = field(default_factory=dict)
    taken: Taken | None = None
    notes: tuple[str, ...] = ()


def _predicted(
    store: Store, layout: Layout, model: str | Path, config: EvaluationConfig, told: Callable[[int, int], None] | None
) -> _Predictions:
    asks, (kind, _, place) = config.predictions, str(model).partition(":")
    asks.selection()  # before a model is loaded, or learned
    if kind == people.PERSON and place:
        person, asks = people.person(store, layout, Path(place), asks)
        done = predicting.run(store, layout, person, asks, about=person.digest, told=told)
        return _Predictions(person.name, asks, dict(done.left_out), notes=("", people.summarize(store, layout, asks)))
    if is_file(model):
        taken = _take(store, layout, Path(model), asks)
        return _Predictions(taken.model_id, asks, taken=taken, notes=(taken.text(), *taken.problems[:3]))
    if str(model).startswith(api.PREFIX):
        with api.opened(layout.root, place, config.api) as (asked, client):
            together = _together(asks, config.api)
            done = predicting.run(store, layout, asked, together, about=config.api.digest(), told=told)
            notes = tuple(api.account(client).splitlines())
        return _Predictions(asked.name, asks, dict(done.left_out), notes=notes)
    loaded, about = candidates.load(
        layout, store, model, asks, longest=config.longest, sam_size=config.sam_size, dtype=config.dtype
    )
    done = predicting.run(store, layout, loaded, asks, about=about, told=told)
    return _Predictions(loaded.name, asks, dict(done.left_out))


def plan(root: Path, model: str, config: EvaluationConfig, *, version: str | None = None) -> str:
    """What asking a model behind a server would take: calls, tokens and price, as lines of text. Nothing is sent.

    What the answer store holds costs nothing. Raises ModelError for another kind of model.
    """
    if not model.startswith(api.PREFIX):
        raise ModelError("only a model behind a server has a price", where=model, mend="Leave out --dry-run")
    layout, settings = Layout(root.expanduser().absolute()), _together(config.predictions, config.api)
    with (
        open_store(layout.root, version) as store,
        api.opened(layout.root, model.removeprefix(api.PREFIX), config.api, dry=True) as (asked, client),
    ):
        posed = predicting.pose(store, layout, settings)
        for several, _ in posed.batches(0, len(posed), settings.at_once):
            if several:
                predict(asked, several, {}, settings.seed)
        return f"{len(posed)} questions\n{api.account(client, planned=True)}"


def _together(predictions: PredictionConfig, about: ApiConfig) -> PredictionConfig:
    """The same with enough questions at once that a server always has as many requests as it may have."""
    return replace(predictions, at_once=max(predictions.at_once, 4 * about.concurrency))


def write_sheet(root: Path, config: EvaluationConfig, *, version: str | None = None) -> str:
    """Writes a page of questions to be answered by people, and says what to do with it. Raises ModelError."""
    layout = Layout(root.expanduser().absolute())
    with open_store(layout.root, version) as store:
        return people.write_sheet(store, layout, config.predictions)


def is_file(model: str | Path) -> bool:
    """Whether it names a file of predictions, rather than a model."""
    return Path(model).suffix in (".jsonl", ".json")


def _take(store: Store, layout: Layout, path: Path, config: PredictionConfig) -> Taken:
    """Predictions in a file, under the name that the file has without its ending."""
    if candidates.is_models(layout, path.stem):
        what = f"its predictions would be taken for those of the model {path.stem}"
        raise ModelError(what, where=str(path), mend=f"Give the file another name, such as my-{path.name}")
    said = lines.read(path) if path.suffix == ".jsonl" else reference.read(path, store, config.split)
    target = layout.evaluation(path.stem, store.version) / f"predictions-{config.split}-{config.seed}.parquet"
    return take(store, path.stem, said, config, path.name, target)


def from_file(config: Path | None, split: str | None = None) -> EvaluationConfig:
    """The settings in a file, or the defaults; `split` wins. Raises ModelError."""
    found = settings.load(config, EvaluationConfig) if config is not None else EvaluationConfig()
    return found if split is None else replace(found, predictions=replace(found.predictions, split=split))


def limited(config: EvaluationConfig, limit: int | None, budget: str | None) -> EvaluationConfig:
    """The same with at most so many questions, and a cap on cost (`5usd`, `200calls`), where given. Raises UsageError."""
    if limit is not None:
        config = replace(config, predictions=replace(config.predictions, limit=limit))
    return config if budget is None else replace(config, api=api.budgeted(config.api, budget))


def as_text(evaluated: Evaluated) -> str:
    """The metrics of all questions and of each type, beside chance, as a table for a terminal."""
    rows = [row for row in evaluated.measured.rows if row["slice"] == "all"]
    kinds = sorted({row["question_type"] for row in rows}, key=lambda kind: (kind != "all", kind))
    metrics = [name for name in SHOWN if any(row["metric"] == name for row in rows)]
    by_place = {(row["question_type"], row["metric"]): row for row in rows}
    head = ["", *kinds]
    # Intervals of all questions alone, or the lines would be too long; the table `evaluations` has the others.
    table = [head, *([name, *(_cell(by_place.get((kind, name)), kind == "all") for kind in kinds)] for name in metrics)]
    told = [
        f"{evaluated.model_id} on {evaluated.split} of version {evaluated.version}: {evaluated.measured.n} questions"
    ]
    told += ["", *aligned(table), ""]
    told += evaluated.measured.problems[:3]
    told += evaluated.notes
    if evaluated.left_out:
        first = next(iter(evaluated.left_out.values()))
        told.append(f"{len(evaluated.left_out)} questions could not be asked, such as: {first}")
    told.append(
        f"95 % intervals by groups of photographs; all metrics and slices: table `evaluations` ({evaluated.folder})"
    )
    told.append(f"Report: {evaluated.report.page}")
    return "\n".join(told)


def _cell(row: dict[str, Any] | None, interval: bool) -> str:
    if row is None:
        return "-"
    if row["low"] is None or not interval:
        return f"{row['value']:.3f}"
    return f"{row['value']:.3f} [{row['low']:.2f}, {row['high']:.2f}]"


def aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table: its first column to the left, the others to the right."""
    widths = [max(len(row[place]) for row in table) for place in range(len(table[0]))]
    return [
        "  ".join(
            cell.ljust(width) if not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
