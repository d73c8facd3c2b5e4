"""A model's predictions on a split: into the store, a file at a time, so that a run which is killed goes on where it was."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from model import settings
from model.data import rows
from model.data.selection import DataConfig
from model.evaluation import questions
from model.evaluation.asking import Model
from model.evaluation.protocol import predict
from model.evaluation.questions import Questions
from model.plum.errors import ModelError
from partonomy_data.photographs.places import SETTING, of_store
from partonomy_data.store import parquet
from partonomy_data.store.files import fsync_folder
from partonomy_data.store.layout import Layout
from partonomy_data.store.reader import Store

#: Questions in a file: what a killed run loses at most.
PER_FILE: Final = 256


@dataclass(frozen=True)
class PredictionConfig:
    """What is asked, and how."""

    split: str = "test"
    limit: int | None = None
    """At most so many questions, those of least key."""
    types: tuple[str, ...] = ()
    """Question types; all if empty."""
    sources: tuple[str, ...] = ()
    """Names of sources; all if empty."""
    at_once: int = 8
    """Questions that the model is asked together, which changes nothing but speed and memory."""
    seed: int = 0
    """Of the order that choices are shown in, and of what is drawn."""
    photographs: Mapping[str, str] = field(default_factory=dict)
    """Source → the folder of its photographs, where it isn't the one that the version was built from."""

    def selection(self) -> DataConfig:
        """The questions that it asks, before the limit. Raises ModelError for settings that can't be."""
        if self.at_once < 1 or (self.limit is not None and self.limit < 1):
            raise ModelError("at_once and limit must be at least 1")
        settings.check_seed("predictions.seed", self.seed)
        types = dict.fromkeys(self.types, 1.0)
        return DataConfig(splits=(self.split,), types=types, sources=self.sources).checked()


@dataclass(frozen=True)
class Predicted:
    """What came of it."""

    path: Path
    """The file: rows of the table `predictions`, by question and conditioning."""
    questions: int
    left_out: Mapping[str, str]
    """Question → why it couldn't be asked."""


def run(
    store: Store,
    layout: Layout,
    model: Model,
    config: PredictionConfig,
    *,
    about: str = "",
    told: Callable[[int, int], None] | None = None,
) -> Predicted:
    """Asks the model all questions of a split of the store's version.

    `about` is a digest of the model's content: what was predicted with another is not gone on with. `told` hears how many
    questions are done, of how many. Raises ModelError if there are no such questions.
    """
    posed = pose(store, layout, config)
    target = layout.evaluation(model.name, store.version) / f"predictions-{config.split}-{config.seed}.parquet"
    folder = layout.work / "predictions" / _digest(model.name, store.version, about, config)
    folder.mkdir(parents=True, exist_ok=True)
    names = questions.phrases(store, (config.split,))
    for first in range(0, len(posed), PER_FILE):
        part = folder / f"{first:09d}.parquet"
        if not part.exists():
            _write_part(part, model, posed, first, config, names)
        if told is not None:
            told(min(first + PER_FILE, len(posed)), len(posed))
    parts = sorted(folder.glob("*.parquet"))
    target.parent.mkdir(parents=True, exist_ok=True)
    parquet.write(_batches(parts), target, "predictions")
    fsync_folder(target.parent)
    left_out: dict[str, str] = {}
    for one in sorted(folder.glob("*.json")):
        left_out |= json.loads(one.read_text())
    shutil.rmtree(folder)
    return Predicted(target, len(posed), left_out)


def pose(store: Store, layout: Layout, config: PredictionConfig) -> Questions:
    """The questions that are asked. Raises ModelError if there are none."""
    found = rows.prepare(store, config.selection(), layout.work / "samples")
    places = of_store(layout.root, config.photographs, SETTING).check(found.uris())
    return Questions(found, places, config.seed, config.limit)


def _write_part(
    part: Path, model: Model, posed: Questions, first: int, config: PredictionConfig, names: Mapping[str, str]
) -> None:
    made: list[dict[str, object]] = []
    left_out: dict[str, str] = {}
    for several, out in posed.batches(first, first + PER_FILE, config.at_once):
        made += predict(model, several, names, config.seed) if several else []
        left_out |= out
    # First, as a part that is there counts as done.
    part.with_suffix(".json").write_text(json.dumps(left_out))
    parquet.write(pa.Table.from_pylist(made, schema=parquet.written_schema("predictions")), part, "predictions")


def _batches(parts: list[Path]) -> Iterator[pa.RecordBatch]:
    for part in parts:
        with pq.ParquetFile(part) as file:
            yield from file.iter_batches(parquet.ROWS_PER_GROUP)


def _digest(model: str, version: str, about: str, config: PredictionConfig) -> str:
    # Photographs may have moved, and how many are asked at once changes nothing.
    same = {name: value for name, value in asdict(config).items() if name not in ("photographs", "at_once")}
    told = json.dumps([model, version, about, same], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:24]
