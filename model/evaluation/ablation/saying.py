"""An ablation as tables and plots: each variant's metrics over seeds, and how they differ from what it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from model.evaluation.ablation import showing
from model.evaluation.ablation.comparing import COMPARED
from model.evaluation.ablation.job import Ablated
from model.evaluation.ablation.pooling import Pooled
from model.evaluation.gaps import INSIDE
from model.evaluation.intervals import Interval
from model.evaluation.report import page
from model.evaluation.report.figures import Bar, bars
from model.evaluation.report.markdown import table

_METRICS = tuple(metric for several in COMPARED.values() for metric in several)

Table = tuple[str, list[str], list[list[str]]]


def markdown(made: Ablated) -> str:
    """All of it."""
    lines = ["# Ablation", "", "\n\n".join(_introduction(made)), ""]
    lines += ["## What it shows, and what not", "", *(f"- {one}" for one in showing.sentences(made)), ""]
    for title, head, rows in tables(made):
        lines += [f"## {title}", "", *table(head, rows), ""]
    return "\n".join(lines)


def html(made: Ablated) -> str:
    """The same as a page that is one file, with plots."""
    said = [*_introduction(made), "In the plots, the line stands at the first variant."]
    parts = [f"<p>{escape(line)}</p>" for line in said]
    sentences = "".join(f"<li>{escape(one)}</li>" for one in showing.sentences(made))
    parts += ["<h2>What it shows, and what not</h2>", f"<ul>{sentences}</ul>"]
    for split, variants in made.splits.items():
        for metric in _METRICS:
            shown = [(name, one.metrics[metric]) for name, one in variants.items() if metric in one.metrics]
            if len(shown) > 1 and metric != "chance":
                first = shown[0][1].interval.value
                rows = [_bar(name, one, first if number else None) for number, (name, one) in enumerate(shown)]
                parts += [f"<h2>{escape(metric)} on {escape(split)}</h2>", bars(metric, rows)]
    for title, head, cells in tables(made):
        parts += [f"<h2>{escape(title)}</h2>", page.table(head, cells)]
    return page.document("Ablation", parts)


def tables(made: Ablated) -> list[Table]:
    """Title, head and rows of each."""
    found: list[Table] = []
    for split, variants in made.splits.items():
        metrics = [one for one in _METRICS if any(one in each.metrics for each in variants.values())]
        rows = [[name, *(_cell(each.metrics.get(one)) for one in metrics)] for name, each in variants.items()]
        found.append((f"On {split}", ["", *metrics], rows))
        rows = [
            [name, made.against[name], *(_signed(each.gaps.get(one)) for one in _without_chance(metrics))]
            for name, each in variants.items()
            if made.against.get(name, name) != name
        ]
        if rows:
            found.append((f"Differences on {split}", ["", "from", *_without_chance(metrics)], rows))
        rows = [
            [name, *(_signed(each.lost.get(one)) for one in _without_chance(metrics))]
            for name, each in variants.items()
            if each.lost
        ]
        if rows:
            found.append((f"From {INSIDE} to {split}", ["", *_without_chance(metrics)], rows))
    if made.drift:
        rows = []
        for name, several in made.drift.items():
            columns = [[getattr(one, field) for one in several] for field in ("kl", "before", "after")]
            rows.append([name, *(_spread(column) for column in columns), f"{several[0].tokens}"])
        head = ["", "KL a token (nats)", "perplexity before", "perplexity after", "tokens"]
        found.append(("Drift of the language model", head, rows))
    return found


def _introduction(made: Ablated) -> list[str]:
    seeds = len(next(iter(made.models.values())))
    lines = [
        f"Version {made.version} of the data; {seeds} {'training' if seeds == 1 else 'trainings'} of each variant. 95 % "
        "intervals by groups of photographs and by seeds; differences on the same draws of both.",
    ]
    lines += [f"{name} is left out, as it is the same as {other}." for name, other in made.same.items()]
    return lines


def _without_chance(metrics: Sequence[str]) -> list[str]:
    """No model changes what chance is."""
    return [one for one in metrics if one != "chance"]


def _cell(one: Pooled | None) -> str:
    if one is None:
        return "-"
    told = one.interval.told()
    return told if len(one.by_seed) == 1 else f"{told} ({', '.join(f'{value:.2f}' for value in one.by_seed)})"


def _signed(one: Interval | None) -> str:
    return "-" if one is None else one.told("+")


def _spread(values: Sequence[float]) -> str:
    mean = sum(values) / len(values)
    return f"{mean:.3f}" if len(values) == 1 else f"{mean:.3f} ({min(values):.3f} to {max(values):.3f})"


def _bar(name: str, one: Pooled, mark: float | None) -> Bar:
    inside = one.interval
    known = inside.low == inside.low
    return Bar(name, inside.value, inside.low if known else None, inside.high if known else None, mark)
