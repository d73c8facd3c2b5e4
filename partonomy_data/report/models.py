"""The language model's share in a version, and what evaluated models came to on its questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Final

from partonomy_data.explore.runs import accounts
from partonomy_data.report import plots
from partonomy_data.report.figures import Figure
from partonomy_data.report.reading import SPLITS, TYPES, Reading, Row, ordered

#: Prices are summed as decimals: sums of floats differ with their order.
_CALLS: Final = (
    "SELECT purpose, model, status, count(*) AS n, sum(prompt_tokens)::BIGINT AS prompt_tokens, sum(completion_tokens)::BIGINT "
    "AS completion_tokens, sum(TRY_CAST(cost_usd AS DECIMAL(18, 9)))::DOUBLE AS cost_usd FROM llm_calls GROUP BY ALL ORDER BY ALL"
)
#: What a language model may have a say in → how many of them, and for how many it was asked.
_SHARES: Final = {
    "relations between part names": "SELECT count(*) AS n, count(*) FILTER (method LIKE 'llm%') AS by_model FROM part_relations",
    "judgements of what an object could have": (
        "SELECT count(*) AS n, count(*) FILTER (method LIKE 'llm%') AS by_model FROM plausibility"
    ),
    "questions in words of its own": (
        "SELECT count(*) AS n, count(*) FILTER (contains(wording, '/call_')) AS by_model FROM questions"
    ),
}
_METRICS: Final = (
    "SELECT model_id, split, question_type, metric, value, low, high, n, n_skipped FROM evaluations "
    "WHERE version = ? AND slice = 'all' ORDER BY ALL"
)
#: Metrics that are told first, and what they mean.
HEADLINES: Final = {
    "accuracy": "right choices of parts",
    "object_accuracy": "right choices of objects",
    "giou_micro_oracle": "overlap of masks, the true answer given",
    "strict_giou_micro_predicted": "overlap of masks in the model's own words; a part that it leaves out counts 0",
    "part_f1": "parts named, F1",
}
#: Of which there are plots.
_DRAWN: Final = ("accuracy", "giou_micro_oracle")


@dataclass(frozen=True, slots=True)
class Shares:
    """What a language model had a part in."""

    calls: list[Row]
    parts: list[Row]
    """`what`, how many there are (`n`), and for how many it was asked (`by_model`)."""
    told: Any
    """What the manifest says of it; None where none was asked."""
    accounts: list[Row]
    """Ledgers of the builds: `run`, `told`."""


@dataclass(frozen=True, slots=True)
class Results:
    """What models came to on the questions of a split."""

    split: str
    models: list[str]
    types: list[str]
    metrics: list[str]
    """All metrics, those of `HEADLINES` first."""
    cells: dict[tuple[str, str, str], Row]
    """By model, metric and type (`all` among them)."""
    figures: list[Figure]


def shares(reading: Reading, runs_of: Path) -> Shares:
    """The language model's part in it. `runs_of`: the store whose runs tell of its builds."""
    return Shares(
        calls=reading.rows(_CALLS),
        parts=[{"what": what, **reading.rows(sql)[0]} for what, sql in _SHARES.items()],
        told=reading.manifest.get("language_model"),
        accounts=list(accounts(runs_of, reading.version)),
    )


def results(reading: Reading) -> list[Results]:
    """The metrics of all models, by split; nothing where none was evaluated."""
    rows = reading.rows(_METRICS, [reading.version])
    found = []
    for split in ordered({row["split"] for row in rows}, (*SPLITS[2:], *SPLITS[1::-1])):
        of_split = [row for row in rows if row["split"] == split]
        cells = {(row["model_id"], row["metric"], row["question_type"]): row for row in of_split}
        models = ordered({row["model_id"] for row in of_split})
        metrics = ordered({row["metric"] for row in of_split}, tuple(HEADLINES))
        types = ordered({row["question_type"] for row in of_split}, ("all", *TYPES))
        figures = [made for metric in _DRAWN if (made := _figure(split, metric, models, cells))]
        found.append(Results(split, models, types, metrics, cells, figures))
    return found


def _figure(split: str, metric: str, models: Sequence[str], cells: dict[tuple[str, str, str], Row]) -> Figure | None:
    """A metric of all models with its intervals, the best first."""
    points, asked = [], 0
    for model in models:
        row, chance = cells.get((model, metric, "all")), cells.get((model, "chance", "all"))
        if row is None or _known(row["value"]) is None:
            continue
        asked = max(asked, int(row["n"]))
        mark = _known(chance["value"]) if chance is not None and metric == "accuracy" else None
        points.append(plots.Point(model, float(row["value"]), _known(row["low"]), _known(row["high"]), mark))
    if not points:
        return None
    points.sort(key=lambda point: (-point.value, point.label))
    title = f"{HEADLINES[metric].capitalize()}, on {split}"
    says = f"{metric.replace('_', ' ')} on up to {asked:,} questions, with 95 % intervals."
    drawn = plots.intervals(title, points, "chance" if metric == "accuracy" else "")
    return Figure(title, says, drawn, [], [])


def _known(value: Any) -> float | None:
    return float(value) if value is not None and isfinite(value) else None
