"""A report as one HTML file that needs nothing else: no scripts, no network; pictures and plots are in it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from model.evaluation.report import markdown, saying
from model.evaluation.report.examples import Example
from model.evaluation.report.figures import Bar, bars
from model.evaluation.report.gathering import DRAWN, Gathered

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1f2328; --paper: #fff; --line: #d0d7de; --bar: #2a6f97;
  --faint: #9fb8c7; --chance: #c1440e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #0d1117; --line: #30363d; --bar: #58a6ff; --faint: #35506b; --chance: #ff7b54; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 72rem; margin: 2rem auto;
  padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.85rem; }
th, td { border-bottom: 1px solid var(--line); padding: 0.25rem 0.6rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
.plot { max-width: 640px; width: 100%; height: auto; font-size: 12px; }
.plot text { fill: var(--ink); } .plot .label { text-anchor: end; } .plot .tick { text-anchor: middle; opacity: 0.7; }
.plot .grid { stroke: var(--line); } .plot .bar { fill: var(--bar); } .plot .bar.faint { fill: var(--faint); }
.plot .interval { stroke: var(--ink); stroke-width: 2; } .plot .chance { stroke: var(--chance); stroke-width: 2; }
.examples { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem; }
figure { margin: 0; border: 1px solid var(--line); border-radius: 6px; padding: 0.6rem; }
figure img { max-width: 100%; } figcaption { font-size: 0.85rem; }
.part { border-left: 0.7em solid; padding-left: 0.3em; margin-right: 0.8em; }
"""


def html(said: Gathered, conditioning: str, shown: Sequence[Example]) -> str:
    """The page."""
    title = f"{said.model_id} on {said.split}"
    parts = [
        f"<p>{said.n} questions of version {escape(said.version)}, seed {said.seed}. {escape(DRAWN)}</p>",
        "<h2>What this shows</h2>",
        f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in saying.sentences(said))}</ul>",
        *_plots(said),
    ]
    for name, head, rows in markdown.tables(said):
        parts += [f"<h2>{escape(name)}</h2>", table(head, rows)]
    parts += _examples(conditioning, shown)
    if said.problems:
        parts += [
            "<h2>Malformed predictions</h2>",
            f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in said.problems[:20])}</ul>",
        ]
    return document(title, parts)


def document(title: str, parts: Sequence[str]) -> str:
    """A page of its parts, in the reports' style, under its title."""
    top = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    body = "\n".join([f"<h1>{escape(title)}</h1>", *parts])
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head>{top}<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n'
    )


def _plots(said: Gathered) -> list[str]:
    found = []
    choosers = [
        one for one in ("blind_first", "blind_longest", "blind_shortest", "blind_central", "accuracy") if said.at(one)
    ]
    if "accuracy" in choosers:
        rows = [_bar(said, one, "all", one, faint=one != "accuracy") for one in choosers]
        rows += [_bar(said, "accuracy", kind, kind) for kind in said.types[1:]]
        found += ["<h2>Right choices, chance as a line</h2>", bars("Accuracy", [one for one in rows if one])]
    metric = next((one for one in ("giou_micro_oracle", "strict_giou_predicted") if said.at(one)), None)
    if metric is not None:
        rows = [_bar(said, metric, kind, kind, line=False) for kind in said.types]
        sizes = [
            _bar(said, metric, "all", one.replace("part_size=", "parts: "), one, line=False)
            for one in said.slices("part_size=")
        ]
        found += [f"<h2>Masks: {metric}</h2>", bars(metric, [one for one in (*rows, *sizes) if one])]
    return found


def _bar(
    said: Gathered, metric: str, kind: str, label: str, part: str = "all", *, line: bool = True, faint: bool = False
) -> Bar | None:
    row, chance = said.at(metric, kind, part), said.at("chance", kind, part)
    if row is None:
        return None
    mark = float(chance["value"]) if chance is not None and line else None
    return Bar(label, row["value"], row["low"], row["high"], mark, faint)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that is wide in a frame of its own."""
    top = "".join(f"<th>{escape(one)}</th>" for one in head)
    lines = "".join(f"<tr>{''.join(f'<td>{escape(one)}</td>' for one in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>'


def _examples(conditioning: str, shown: Sequence[Example]) -> list[str]:
    if not shown:
        return []
    whose = "the true answer given" if conditioning == "oracle" else "in the model's own words"
    parts = [f"<p>Masks with {whose}: to the left the true ones, to the right the model's.</p>"]
    for title, kind in (("Best answers", True), ("Worst answers", False)):
        figures = "".join(_figure(one) for one in shown if one.is_best is kind)
        if figures:
            parts += [f"<h2>{title}</h2>", f'<div class="examples">{figures}</div>']
    return parts


def _figure(one: Example) -> str:
    picture = (
        f'<img alt="{escape(one.answer, quote=True)}" src="{one.picture}">'
        if one.picture
        else "<p>The photograph is not here.</p>"
    )
    legend = "".join(
        f'<span class="part" style="border-color: rgb{color}">{escape(name)}</span>' for name, color in one.parts
    )
    said = f"<br>It said: {escape(one.said)}" if one.said and one.said != one.answer else ""
    told = (
        f"{escape(one.question)}<br>{escape(one.answer)}{said}<br>mean IoU {one.score:.3f}, {escape(one.question_id)}"
    )
    return f"<figure>{picture}<figcaption>{legend}<br>{told}</figcaption></figure>"
