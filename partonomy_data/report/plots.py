"""Plots as SVG for a page without scripts. Colors (`s0`, `s1`, …) are the stylesheet's, so that dark pages have their own.

All text is escaped here: what these functions return is markup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import log10
from typing import Final

from partonomy_data.report.scales import brief, powers, shortened, steps

WIDTH: Final = 560
#: Colors of series that the stylesheet has.
SERIES: Final = 6
_ROW: Final = 24
_LETTERS: Final = 24


@dataclass(frozen=True, slots=True)
class Point:
    """A row of `intervals`; all numbers from 0 to 1."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    mark: float | None = None
    """A line across the row: what chance gives."""
    bad: bool = False


def bars(title: str, rows: Sequence[tuple[str, int]], left: int = 170) -> str:
    """A bar for each row, one below the other, with its number."""
    across, most = WIDTH - left - 70, max((value for _, value in rows), default=0) or 1
    drawn = []
    for place, (label, value) in enumerate(rows):
        y = place * _ROW + 4
        drawn += [
            _label(label, left - 10, y + 13),
            _bar(left, y + 1, max(across * value / most, 1.0 if value else 0.0), 15, 0, f"{label}: {value:,}"),
            _text(f"{value:,}", left + across * value / most + 7, y + 13, "value"),
        ]
    return _svg(title, len(rows) * _ROW + 8, drawn)


def columns(title: str, values: Sequence[tuple[str, int]], across: str) -> str:
    """A histogram: a column for each value, in their order; `across` says what they are."""
    left, top, height = 46, 10, 190
    marks = steps(max((n for _, n in values), default=0))
    wide = min((WIDTH - left - 10) / max(len(values), 1), 64.0)
    drawn = _levels(marks, left, top, height)
    every = max(1, -(-sum(len(label) + 2 for label, _ in values) * 6 // (WIDTH - left)))
    for place, (label, n) in enumerate(values):
        tall = height * n / marks[-1]
        x = (WIDTH + left - 10 - wide * len(values)) / 2 + place * wide
        drawn.append(_bar(x + wide * 0.09, top + height - tall, wide * 0.82, tall, 0, f"{label}: {n:,}"))
        if place % every == 0:
            drawn.append(_text(shortened(label, _LETTERS), x + wide / 2, top + height + 17, "tick middle"))
    drawn.append(_text(across, left + (WIDTH - left) / 2, top + height + 36, "axis middle"))
    return _svg(title, top + height + 44, drawn)


def stacked(title: str, rows: Mapping[str, Mapping[str, int]], series: Sequence[str], *, shares: bool = False) -> str:
    """A bar for each row, put together of the series' parts. `shares`: all as long, by shares of the row."""
    left = 150
    across = WIDTH - left - 66
    totals = {label: sum(parts.get(name, 0) for name in series) for label, parts in rows.items()}
    most = max(totals.values(), default=0) or 1
    drawn, top = _legend(series)
    for place, (label, parts) in enumerate(rows.items()):
        x, y, whole = float(left), top + place * _ROW + 4, totals[label] if shares else most
        drawn.append(_label(label, left - 10, y + 13))
        for number, name in enumerate(series):
            n = parts.get(name, 0)
            long = across * n / whole if whole else 0.0
            if n:
                told = f"{label}, {name}: {n:,} ({100 * n / totals[label]:.1f} %)"
                drawn.append(_bar(x, y + 1, max(long, 0.6), 15, number, told))
            x += long
        drawn.append(_text(f"{totals[label]:,}", x + 7, y + 13, "value"))
    return _svg(title, top + len(rows) * _ROW + 8, drawn)


def tail(title: str, counts: Sequence[int], across: str) -> str:
    """How counts, from the largest to the smallest, fall with their rank; both axes by powers of ten. Zeros are left out."""
    left, top, height = 46, 10, 190
    ranked = [n for n in sorted(counts, reverse=True) if n > 0]
    levels, last = powers(max(ranked, default=1)), max(len(ranked), 2)
    wide = WIDTH - left - 16

    def x(rank: float) -> float:
        return left + wide * log10(rank) / log10(last)

    def y(count: float) -> float:
        return top + height * (1 - log10(count) / log10(levels[-1]))

    drawn = [
        f'<path class="grid" d="M{left} {y(one):.1f}H{left + wide}"/>'
        + _text(brief(one), left - 7, y(one) + 4, "tick end")
        for one in levels
    ]
    drawn += [_text(brief(one), x(one), top + height + 17, "tick middle") for one in powers(last) if one <= last]
    if ranked:
        kept = sorted({min(round(10 ** (place / 40)), len(ranked)) for place in range(40 * len(powers(last)))})
        line = "L".join(f"{x(rank):.1f} {y(ranked[rank - 1]):.1f}" for rank in kept)
        drawn.append(f'<path class="area s0" d="M{x(1):.1f} {top + height}L{line}V{top + height}Z"/>')
        drawn.append(f'<path class="line s0" d="M{line}"/>')
    drawn.append(_text(across, left + wide / 2, top + height + 36, "axis middle"))
    return _svg(title, top + height + 44, drawn)


def intervals(title: str, rows: Sequence[Point], mark: str = "chance") -> str:
    """A dot for each row with its interval, on an axis from 0 to 100 %, and a line where `mark` is, if that is anything."""
    left, top = 190, 24 if mark else 6
    across, bottom = WIDTH - left - 62, top + len(rows) * _ROW + 6

    def x(value: float) -> float:
        return left + across * min(max(value, 0.0), 1.0)

    drawn = [f'<path class="chance" d="M{left} 4V16"/>' + _text(mark, left + 7, 14, "tick")] if mark else []
    for percent in (0, 25, 50, 75, 100):
        drawn.append(f'<path class="grid" d="M{x(percent / 100):.1f} {top}V{bottom}"/>')
        drawn.append(_text(f"{percent} %", x(percent / 100), bottom + 16, "tick middle"))
    for place, row in enumerate(rows):
        y = top + place * _ROW + _ROW / 2
        kind = "bad" if row.bad else "good"
        drawn.append(_label(row.label, left - 10, y + 4))
        if row.mark is not None:
            drawn.append(f'<path class="chance" d="M{x(row.mark):.1f} {y - 10:.1f}V{y + 10:.1f}"/>')
        told = f"{row.label}: {100 * row.value:.1f} %"
        if row.low is not None and row.high is not None:
            drawn.append(f'<path class="interval {kind}" d="M{x(row.low):.1f} {y:.1f}H{x(row.high):.1f}"/>')
            told += f" ({100 * row.low:.1f} to {100 * row.high:.1f})"
        shape = (
            f'<rect class="dot bad" x="{x(row.value) - 4.5:.1f}" y="{y - 4.5:.1f}" width="9" height="9"><title>'
            if row.bad
            else f'<circle class="dot good" cx="{x(row.value):.1f}" cy="{y:.1f}" r="5"><title>'
        )
        drawn.append(f"{shape}{text(told)}</title></{'rect' if row.bad else 'circle'}>")
        drawn.append(_text(f"{100 * row.value:.1f} %", WIDTH - 54, y + 4, "value"))
    return _svg(title, bottom + 24, drawn)


def text(value: str) -> str:
    """Text as markup has it: escaped, and without characters that markup can't hold."""
    return escape(clean(value), quote=True)


def clean(value: str) -> str:
    """Text with a mark in the place of each control character."""
    return "".join(one if one in "\n\t" or (one >= " " and not "\x7f" <= one <= "\x9f") else "\ufffd" for one in value)


def _svg(title: str, height: float, drawn: Sequence[str]) -> str:
    head = f'<svg class="plot" viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{text(title)}">'
    return "\n".join([head, *drawn, "</svg>"])


def _text(said: str, x: float, y: float, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{text(said)}</text>'


def _label(label: str, x: float, y: float) -> str:
    """A row's name, cut if it is long."""
    return f'<text class="label end" x="{x:.1f}" y="{y:.1f}">{text(shortened(label, _LETTERS))}</text>'


def _bar(x: float, y: float, wide: float, tall: float, series: int, told: str) -> str:
    box = f'x="{x:.1f}" y="{y:.1f}" width="{max(wide, 0):.1f}" height="{max(tall, 0):.1f}"'
    return f'<rect class="s{series % SERIES}" {box}><title>{text(told)}</title></rect>'


def _levels(marks: Sequence[float], left: float, top: float, height: float) -> list[str]:
    """The lines of a vertical axis from the first mark, below, to the last."""
    drawn = []
    for one in marks:
        y = top + height * (1 - one / marks[-1])
        drawn.append(f'<path class="grid" d="M{left:.0f} {y:.1f}H{WIDTH - 10}"/>')
        drawn.append(_text(brief(one), left - 7, y + 4, "tick end"))
    return drawn


def _legend(series: Sequence[str]) -> tuple[list[str], int]:
    """The series' colors with their names, on as many lines as they need, and the height of that."""
    drawn, x, y = [], 0.0, 4
    for number, name in enumerate(series):
        said = shortened(name, _LETTERS)
        long = 22 + 6.8 * len(said) + 14
        if x and x + long > WIDTH:
            x, y = 0.0, y + 20
        drawn.append(f'<rect class="s{number % SERIES}" x="{x:.1f}" y="{y}" width="12" height="12" rx="2"/>')
        drawn.append(_text(said, x + 18, y + 10.5, "tick"))
        x += long
    return drawn, (y + 24 if series else 0)
