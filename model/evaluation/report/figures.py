"""Plots as SVG, for a page without scripts: values with their intervals as rows, and chance as a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_ROW: Final = 22
_LEFT: Final = 190
_WIDTH: Final = 640
_RIGHT: Final = 60


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of a plot; all numbers from 0 to 1."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    mark: float | None = None
    """A line across the row: what chance gives."""
    faint: bool = False
    """Whether it is a baseline, beside which others are read."""


def bars(title: str, rows: Sequence[Bar]) -> str:
    """The rows one below the other, as an `svg` element; colors come from the page's style."""
    across = _WIDTH - _LEFT - _RIGHT
    height = _ROW * len(rows) + 26

    def x(value: float) -> str:
        return f"{_LEFT + across * min(max(value, 0.0), 1.0):.1f}"

    drawn = [
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title, quote=True)}">',
        f"<title>{escape(title)}</title>",
    ]
    for tick in (0, 0.25, 0.5, 0.75, 1):
        drawn.append(f'<line class="grid" x1="{x(tick)}" x2="{x(tick)}" y1="0" y2="{height - 20}"/>')
        drawn.append(f'<text class="tick" x="{x(tick)}" y="{height - 6}">{tick:g}</text>')
    for number, row in enumerate(rows):
        middle = number * _ROW + _ROW / 2
        kind = "bar faint" if row.faint else "bar"
        drawn.append(f'<text class="label" x="{_LEFT - 8}" y="{middle + 4}">{escape(row.label)}</text>')
        length = max(float(x(row.value)) - _LEFT, 0.0)
        drawn.append(f'<rect class="{kind}" x="{_LEFT}" y="{middle - 6}" width="{length:.1f}" height="12"/>')
        if row.low is not None and row.high is not None:
            ends = f'x1="{x(row.low)}" x2="{x(row.high)}" y1="{middle}" y2="{middle}"'
            drawn.append(f'<line class="interval" {ends}/>')
        if row.mark is not None:
            ends = f'x1="{x(row.mark)}" x2="{x(row.mark)}" y1="{middle - 10}" y2="{middle + 10}"'
            drawn.append(f'<line class="chance" {ends}/>')
        drawn.append(f'<text class="value" x="{_WIDTH - _RIGHT + 8}" y="{middle + 4}">{row.value:.3f}</text>')
    return "\n".join([*drawn, "</svg>"])
