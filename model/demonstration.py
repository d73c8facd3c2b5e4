"""The end of `partonomy demo`: the tiny PLUM is fine-tuned on the store just made, and measured on photographs it never saw."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import partonomy_data
from model import settings
from model.commands import config_file
from model.evaluation import job as evaluating
from model.evaluation.job import EvaluationConfig
from model.evaluation.predicting import PredictionConfig
from model.training.config import TrainingConfig, ValidationConfig
from model.training.job import train_together

#: Steps that two cores take in less than two minutes; and questions that are asked afterwards.
STEPS: Final = 80
QUESTIONS: Final = 40
#: Steps of which the loss is told: the mean of so many before.
_POINTS: Final = 6
_TOLD: Final = (
    ("accuracy", "the right choice"),
    ("chance", "  by chance"),
    ("span_f1", "part names found in an answer (F1)"),
    ("strict_giou_oracle", "masks of the true answer's parts (strict gIoU)"),
    ("strict_giou_predicted", "masks of the model's own answer (strict gIoU)"),
)


def config() -> TrainingConfig:
    """The settings of `tiny.yaml`, for a minute or two."""
    whole = settings.load(config_file(Path("tiny")), TrainingConfig)
    few = replace(whole.optimisation, steps=STEPS, warm_up=min(10, STEPS))
    validation = replace(whole.validation or ValidationConfig(), every=STEPS, samples=24)
    return replace(whole, optimisation=few, validation=validation, trackers=()).checked()


def sources(root: Path) -> tuple[str, ...]:
    """Those of the `test` questions that training has photographs of, too: others name parts that it never hears of. Else ()."""
    with partonomy_data.open(root) as store:
        found = store.sql(
            """
            SELECT source FROM questions WHERE split IN ('train', 'test') GROUP BY source
            HAVING count(DISTINCT split) = 2 ORDER BY source
            """
        ).fetchall()
    return tuple(str(source) for (source,) in found)


def demonstrate(root: Path) -> str:
    """Trains and measures, and tells of it. Raises ModelError."""
    began = time.monotonic()
    folder = train_together(root, config(), min(2, os.cpu_count() or 1))
    trained = time.monotonic() - began
    known = sources(root)
    asks = EvaluationConfig(PredictionConfig(limit=QUESTIONS, sources=known))
    came_to = evaluating.evaluate(root, folder.name, asks)
    lines = [f"trained: {folder.name} for {STEPS} steps from the package's tiny weights, in {trained:.0f} s", ""]
    lines += _losses([json.loads(line) for line in (folder / "training.jsonl").read_text().splitlines()])
    values = {
        row["metric"]: row["value"]
        for row in came_to.measured.rows
        if (row["question_type"], row["slice"]) == ("all", "all")
    }
    whose = "photographs that it never saw" + ("" if known else ", of a source that none of its training is of")
    lines += ["", f"on {came_to.measured.n} questions about {whose}:"]
    lines += [f"  {what:<48}{values[name]:>6.2f}" for name, what in _TOLD if name in values]
    lines += ["", f"its best and worst answers, with their masks: {came_to.report.page}"]
    lines += ["So short a training is a demonstration; `partonomy train --config tiny` is the whole one."]
    return "\n".join(lines)


def _losses(steps: Sequence[dict[str, Any]]) -> list[str]:
    """The loss along the way, as a table of two lines."""
    values = [float(one["loss"]) for one in steps if "loss" in one and "step" in one]
    size = max(1, len(values) // _POINTS)
    ends = range(size, len(values) + 1, size)
    means = [sum(values[end - size : end]) / size for end in ends]
    return [
        f"  {'step':<6}" + "".join(f"{end:>8}" for end in ends),
        f"  {'loss':<6}" + "".join(f"{mean:>8.2f}" for mean in means),
    ]
