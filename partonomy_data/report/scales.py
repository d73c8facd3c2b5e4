"""Axes: where their marks stand, and how the numbers beside them are written."""

from __future__ import annotations

from math import ceil, floor, log10


def steps(most: float, about: int = 4) -> list[float]:
    """Marks from 0 to at least `most`, some `about` of them, at 1, 2 or 5 times a power of ten; whole numbers from 1 on."""
    if most <= 0:
        return [0.0, 1.0]
    raw = most / about
    power = 10.0 ** floor(log10(raw))
    step = next(one for one in (1.0, 2.0, 5.0, 10.0) if one * power >= raw * 0.999) * power
    if most >= 1:
        step = max(step, 1.0)
    return [round(step * place, 10) for place in range(ceil(most / step - 1e-9) + 1)]


def powers(most: float) -> list[float]:
    """1, 10, 100, … up to the first that is at least `most`."""
    return [10.0**place for place in range(max(1, ceil(log10(max(most, 1.0)) - 1e-9)) + 1)]


def brief(value: float) -> str:
    """A number in few characters: 950, 1.2k, 35k, 4M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{_plain(value / size)}{letter}"
    return _plain(value)


def _plain(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") if abs(value) < 10 else f"{value:.0f}"


def shortened(text: str, most: int) -> str:
    """A label with at most so many characters."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
