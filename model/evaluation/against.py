"""A model beside another on the same questions: the difference of each metric that both have, as a table and as files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from model.evaluation import candidates, measuring
from model.evaluation.comparing import Difference, compare
from model.evaluation.intervals import Interval, number
from model.evaluation.job import SHOWN, Evaluated, aligned, is_file
from model.evaluation.people import job as people
from model.evaluation.report import markdown
from model.evaluation.report.gathering import DRAWN
from model.evaluation.scoring import CONDITIONINGS
from model.evaluation.slices import ALL
from model.evaluation.streaming import Stream
from model.plum.errors import ModelError
from partonomy_data.store import files
from partonomy_data.store.layout import FOLDER_NAME, Layout
from partonomy_data.store.reader import Store
from partonomy_data.store.reader import open as open_store

#: Of a model's name, what stands in the name of its folder.
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


@dataclass(frozen=True, slots=True)
class Beside:
    """A metric of both, and what the first has more than the second."""

    first: Interval
    second: Interval
    difference: Difference


@dataclass(frozen=True)
class Against:
    """Two models on the same questions."""

    models: tuple[str, str]
    version: str
    split: str
    seed: int
    n: int
    """Questions."""
    metrics: Mapping[str, Mapping[str, Beside]] = field(default_factory=dict)
    """Metric → question type, or `all` → what came of it; metrics of masks and own words are named as in `evaluations`."""

    @property
    def types(self) -> list[str]:
        """`all`, and the question types."""
        return [ALL, *sorted({kind for by_type in self.metrics.values() for kind in by_type} - {ALL})]


def named(root: Path, model: str, split: str, seed: int, *, version: str | None = None) -> str:
    """Under which name the predictions of what `--model` calls so are in the store. Raises ModelError if there are none."""
    layout = Layout(root.expanduser().absolute())
    with open_store(layout.root, version) as store:
        name = store.version
    found = _name(model)
    file = f"predictions-{split}-{seed}.parquet"
    if FOLDER_NAME.fullmatch(found) and (layout.evaluation(found, name) / file).is_file():
        return found
    raise ModelError(
        f"there are no predictions of {model} on {split} with seed {seed}, of version {name}",
        where="--against",
        mend=f"Evaluate it first: partonomy evaluate --model {model} --split {split}",
    )


def against(root: Path, evaluated: Evaluated, other: str, seed: int) -> Against:
    """Compares a model that was measured with another whose predictions are in the store, and writes it beside the report.

    `other` is its name there. Raises EvaluationError if the two were not asked the same questions.
    """
    layout = Layout(root.expanduser().absolute())
    mine, version, split = evaluated.model_id, evaluated.version, evaluated.split
    with open_store(layout.root, version) as store:
        metrics = _compared(store, (mine, other), split, seed)
    found = Against((mine, other), version, split, seed, evaluated.measured.n, metrics)
    place = evaluated.folder / f"against-{other}-{split}-{seed}"
    files.write_text(place.with_name(f"{place.name}.md"), as_markdown(found))
    files.write_text(place.with_name(f"{place.name}.json"), json.dumps(data(found), indent=2) + "\n")
    return found


def as_text(found: Against) -> str:
    """The main metrics over all types, as a table for a terminal."""
    shown = [metric for metric in SHOWN if ALL in found.metrics.get(metric, ())]
    lines = [f"{found.models[0]} beside {found.models[1]}, on the same {found.n} questions", ""]
    lines += aligned([["", *found.models, "difference"], *([one, *_cells(found.metrics[one][ALL])] for one in shown)])
    lines += ["", "95 % intervals by groups of photographs; of the difference, on the same draws of both"]
    return "\n".join(lines)


def as_markdown(found: Against) -> str:
    """All metrics over all types, and their differences within each, as a page."""
    first, second = found.models
    lines = [f"# {first} against {second} on `{found.split}`", ""]
    lines += [f"{found.n} questions of version `{found.version}`, seed {found.seed}, the same for both. {DRAWN}"]
    lines += [f"A difference is {first} less {second}, on the same draws of both: its interval tells them apart.", ""]
    rows = [[metric, *_cells(by_type[ALL])] for metric, by_type in found.metrics.items() if ALL in by_type]
    lines += ["## Over all types", "", *markdown.table(["", first, second, "difference"], rows), ""]
    kinds = found.types[1:]
    rows = [
        [metric, *(by_type[kind].difference.interval.told("+") if kind in by_type else "-" for kind in kinds)]
        for metric, by_type in found.metrics.items()
    ]
    lines += ["## Differences by type", "", *markdown.table(["", *kinds], rows), ""]
    return "\n".join(lines)


def data(found: Against) -> dict[str, Any]:
    """All of it as plain values; what there is no number for is None."""
    rows = [
        {
            "metric": metric,
            "question_type": kind,
            "first": one.first.plain(),
            "second": one.second.plain(),
            "difference": one.difference.interval.plain(),
            "higher": number(one.difference.higher),
        }
        for metric, by_type in found.metrics.items()
        for kind, one in by_type.items()
    ]
    about = {"models": list(found.models), "version": found.version, "split": found.split, "seed": found.seed}
    return {**about, "questions": found.n, "rows": rows}


def _compared(store: Store, models: tuple[str, str], split: str, seed: int) -> dict[str, dict[str, Beside]]:
    found: dict[str, dict[str, Beside]] = {}
    for conditioning in CONDITIONINGS:
        first, second = (measuring.streamed(store, one, split, seed, conditioning)[0] for one in models)
        several: dict[str, dict[str, Beside]] = {}
        for kind, one in _besides(first, second):
            several.setdefault(one.difference.metric, {})[kind] = one
        for metric, by_type in several.items():
            found[f"{metric}{measuring.OWN}" if metric in found else metric] = by_type
    return found


def _besides(first: Stream, second: Stream) -> Iterator[tuple[str, Beside]]:
    """Question type → a metric that both have; but for those that no model changes."""
    slices = [of for of in first.tallies if (of.name, of.evidence) == (ALL, ALL)]
    differences = compare(first, second, of=slices)
    values = [{(row.slice, row.metric): row.interval for row in one.rows(of=slices)} for one in (first, second)]
    for one in differences:
        if not (one.metric == "chance" or one.metric.startswith("blind_")):
            mine, its = (each[one.slice, one.metric] for each in values)
            yield one.slice.question_type, Beside(mine, its, one)


def _name(model: str) -> str:
    """The name that predictions of what `--model` calls so have in the store; its own name there stands for itself."""
    kind, _, place = model.partition(":")
    if not place:
        return Path(model).stem if is_file(model) else Path(model).name
    if kind in (*candidates.PROMPTED, people.PERSON):
        return f"{kind}-{Path(place).stem}"
    last = Path(place).absolute().name if Path(place).is_dir() else place.removeprefix("shipped:")
    return f"{kind}-{''.join(one if one in _PLAIN else '-' for one in last)}"


def _cells(one: Beside) -> list[str]:
    return [one.first.told(), one.second.told(), one.difference.interval.told("+")]
