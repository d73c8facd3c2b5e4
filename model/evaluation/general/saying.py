"""What came of a general set, as lines for a terminal, as a page, and as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from model.evaluation.general.measuring import Difference, Row, Sums
from model.evaluation.general.reading import Format
from model.evaluation.intervals import Interval, number
from model.evaluation.job import aligned


@dataclass(frozen=True)
class Outcome:
    """What one or two models came to."""

    form: Format
    file: str
    images: str
    prompt: str
    seed: int
    models: tuple[str, ...]
    """The first is the one that is measured, the second what it is compared with."""
    sums: tuple[Sums, ...]
    """Of each."""
    rows: tuple[tuple[Row, ...], ...]
    """The metrics of each."""
    differences: tuple[Difference, ...] = field(default=())
    """The first less the second; none of one alone."""


def text(outcome: Outcome) -> str:
    """Lines for a terminal."""
    return "\n".join(
        [f"{outcome.form}: {outcome.file}", *_counted(outcome), "", *aligned(_table(outcome)), "", *_notes()]
    )


def markdown(outcome: Outcome) -> str:
    """A page: the same, and what was left out and why."""
    head, *body = _table(outcome)
    lines = [f"# {outcome.form} of {' and '.join(outcome.models)}", ""]
    lines += [f"File `{outcome.file}`, photographs in `{outcome.images}`, seed {outcome.seed}. The prompt:", ""]
    lines += [*(f"    {line}" for line in outcome.prompt.splitlines()), "", *_counted(outcome), ""]
    lines += [_line(head), _line(["---"] * len(head)), *map(_line, body), "", *_notes(), ""]
    for title, told in (
        ("Rows that were left out", outcome.sums[0].problems),
        *((f"Questions that {name} couldn't be asked", sums.refused) for name, sums in _each(outcome)),
    ):
        lines += ["", f"## {title}", "", *(f"- {one}" for one in told), ""] if told else []
    return "\n".join(lines).rstrip() + "\n"


def data(outcome: Outcome) -> dict[str, Any]:
    """All of it as plain values; what there is no number for is None."""
    first = outcome.sums[0]
    metrics = [
        {"model": name, "metric": row.metric, **row.interval.plain(), "n": row.n, "n_skipped": row.n_skipped}
        for name, rows in zip(outcome.models, outcome.rows, strict=True)
        for row in rows
    ]
    gaps = [{"metric": one.metric, **one.interval.plain(), "higher": number(one.higher)} for one in outcome.differences]
    return {
        "format": outcome.form,
        "file": outcome.file,
        "images": outcome.images,
        "prompt": outcome.prompt,
        "seed": outcome.seed,
        "models": list(outcome.models),
        "rows": first.rows,
        "scored": first.scored,
        "left_out": first.counts(),
        "beyond_limit": first.over,
        "metrics": metrics,
        "differences": gaps,
        "left_out_told": first.problems,
        "refused_told": {f"{number}: {name}": sums.refused for number, (name, sums) in enumerate(_each(outcome), 1)},
    }


def _counted(outcome: Outcome) -> list[str]:
    first = outcome.sums[0]
    out = [f"{count} {why}" for why, count in first.counts().items() if count]
    out += [f"{first.over} beyond the limit"] if first.over else []
    lines = [f"{first.rows} rows = {' + '.join([f'{first.scored} scored', *out])}"]
    lines += [f"left out, such as: {first.problems[0]}"] if first.problems else []
    for name, sums in _each(outcome):
        if sums.refused:
            count = int(sums.tally.unusable[0])
            lines.append(f"{count} could not be asked of {name} and count as wrong, such as: {sums.refused[0]}")
    return lines


def _each(outcome: Outcome) -> list[tuple[str, Sums]]:
    return list(zip(outcome.models, outcome.sums, strict=True))


def _table(outcome: Outcome) -> list[list[str]]:
    table = [["", *outcome.models, *(["difference"] if outcome.differences else [])]]
    for place, metric in enumerate(outcome.sums[0].metrics):
        cells = [_cell(rows[place].interval) for rows in outcome.rows]
        cells += [_cell(outcome.differences[place].interval, "+")] if outcome.differences else []
        table.append([metric, *cells])
    return table


def _notes() -> list[str]:
    return ["95 % intervals by photographs; of the difference, on the same draws of both"]


def _cell(interval: Interval, sign: str = "") -> str:
    return "-" if np.isnan(interval.value) else interval.told(sign)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
