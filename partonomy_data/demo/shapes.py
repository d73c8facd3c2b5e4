"""Outlines of parts: closed polygons within the square from -1 to 1, y pointing down, tall shapes standing upright."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


def _points(*pairs: tuple[float, float]) -> Points:
    return np.array(pairs, dtype=np.float64)


def _curve(x: Callable[[Points], Points], y: Callable[[Points], Points], steps: int = 32) -> Points:
    angle = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    return np.stack([x(angle), y(angle)], axis=1)


def _superellipse(power: float, steps: int = 36) -> Points:
    def bend(wave: Points) -> Points:
        return np.sign(wave) * np.abs(wave) ** (2 / power)

    return _curve(lambda a: bend(np.cos(a)), lambda a: bend(np.sin(a)), steps)


def _softened(corners: Sequence[tuple[float, float]], cut: float = 0.16) -> Points:
    """A polygon whose corners are cut twice (Chaikin), which rounds them."""
    points = np.array(corners, dtype=np.float64)
    for share in (cut, 0.3):
        following = np.roll(points, -1, axis=0)
        points = np.stack([points + share * (following - points), following + share * (points - following)], axis=1)
        points = points.reshape(-1, 2)
    return points


def _widths(top: float, bottom: float) -> Points:
    """A round-cornered trapezoid, `top` and `bottom` its half widths."""
    return _softened([(-top, -1), (top, -1), (bottom, 1), (-bottom, 1)])


def _ring(hole: float) -> Points:
    """An annulus as one polygon: around, across a seam of no width, and back around the hole."""
    angle = np.linspace(0, 2 * np.pi, 37)
    rim = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.concatenate([rim, hole * rim[::-1]])


def _arc(start: float, stop: float, thickness: float) -> Points:
    """A band along a circle from `start` to `stop` degrees (0 is to the right, 90 down)."""
    angle = np.radians(np.linspace(start, stop, 24))
    rim = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.concatenate([rim, (1 - thickness) * rim[::-1]])


def _comb(teeth: int, palm: float, gap: float) -> Points:
    """Teeth pointing up from a palm that takes the lowest `palm` of the height."""
    left, right, edge = -1.0, 1.0, 1 - 2 * palm
    pitch = (right - left + gap * 2 / teeth) / teeth
    corners = []
    for tooth in range(teeth):
        x0 = left + tooth * pitch
        x1 = x0 + pitch - gap * 2 / teeth
        corners += [(x0, edge), (x0 + 0.05, -1.0), (x1 - 0.05, -1.0), (x1, edge)]
    return _points(*corners, (1, edge + 0.4 * palm), (0.45, 1), (-0.45, 1), (-1, edge + 0.4 * palm))


def _saw() -> Points:
    lower = [(x, 1.0 if step % 2 else 0.72) for step, x in enumerate(np.linspace(-0.96, 0.9, 25))]
    return _points((1, 0.1), (0.96, -0.25), (-1, -1), (-1, 0.7), *[(float(x), y) for x, y in lower])


def _wave(bends: float) -> Points:
    """A sinuous band from left to right that thins toward its left end."""
    x = np.linspace(-1, 1, 40)
    middle = 0.68 * np.sin(np.pi * bends * x)
    half = 0.3 * np.clip((x + 1.08) * 1.5, 0, 1)
    return np.concatenate([np.stack([x, middle - half], 1), np.stack([x, middle + half], 1)[::-1]])


def _cloud(lobes: int) -> Points:
    return _curve(
        lambda a: np.cos(a) * (0.8 + 0.2 * np.abs(np.cos(lobes * a / 2))),
        lambda a: np.sin(a) * (0.8 + 0.2 * np.abs(np.cos(lobes * a / 2))),
        steps=96,
    )


def _antler() -> Points:
    return _points(
        (-0.2, 1), (-0.45, 0.2), (-1, -0.2), (-0.95, -0.45), (-0.45, -0.15), (-0.5, -1), (-0.25, -1), (-0.1, -0.1),
        (0.3, -0.9), (0.55, -0.9), (0.2, 0.05), (0.85, -0.35), (1, -0.15), (0.25, 0.4), (0.15, 1),
    )  # fmt: skip


def _heart_bottom() -> Points:
    """A hull seen from the side: flat above, curved below, the bow at the right."""
    curve = [
        (float(x), float(y)) for x, y in zip(np.linspace(0.92, -0.86, 16), 1 - np.linspace(-1, 1, 16) ** 4, strict=True)
    ]
    return _points((-1, -0.85), (1, -1), *curve)


def _tubes(half: float, *segments: tuple[tuple[float, float], tuple[float, float]]) -> tuple[Points, ...]:
    """One thin rectangle, `half` its half width, along each segment."""
    bars = []
    for start, stop in segments:
        a, b = np.array(start), np.array(stop)
        along = (b - a) / np.hypot(*(b - a))
        across = half * np.array([-along[1], along[0]])
        bars.append(np.array([a - across, b - across, b + across, a + across]))
    return tuple(bars)


#: Name → how to make the outline of a part that is several polygons.
_COMPOUND: dict[str, Callable[[], tuple[Points, ...]]] = {
    "diamond": lambda: _tubes(
        0.09,
        ((-1, 0.9), (-0.45, -0.75)), ((-0.5, -1), (-0.05, 0.95)), ((-0.45, -0.7), (0.72, -0.75)),
        ((-1, 0.9), (-0.05, 0.95)), ((-0.05, 0.95), (0.74, -0.7)),
    ),
    "step": lambda: _tubes(
        0.1, ((-1, 0.9), (-0.5, -1)), ((-1, 0.9), (0.2, 0.8)), ((-0.5, -0.2), (0.1, 0.8)), ((0.1, 0.8), (0.8, -0.8))
    ),
    "cross": lambda: _tubes(0.16, ((-1, -0.2), (1, 0.2)), ((0.2, -1), (-0.2, 1))),
    "ropes": lambda: _tubes(
        0.06, ((-1, -1), (-0.9, 1)), ((-0.3, -1), (-0.35, 1)), ((0.3, -1), (0.35, 1)), ((1, -1), (0.9, 1))
    ),
    "struts": lambda: _tubes(0.07, ((-1, 1), (-0.3, -1)), ((1, 1), (0.3, -1))),
    "struts-up": lambda: _tubes(0.06, ((-0.9, -1), (-0.05, 1)), ((0.9, -1), (0.05, 1))),
    "sprigs": lambda: (
        *_tubes(0.05, ((0, 1), (-0.6, -0.3)), ((0, 1), (0.05, -0.6)), ((0, 1), (0.65, -0.25))),
        *(
            0.34 * _superellipse(2) + center
            for center in ([-0.64, -0.4], [0.05, -0.66], [0.66, -0.34], [-0.3, 0.1], [0.35, 0.12])
        ),
    ),
}  # fmt: skip

#: Name → how to make the outline. Descriptions give the upright, unflipped look.
_MAKERS: dict[str, Callable[[], Points]] = {
    "ellipse": lambda: _superellipse(2),
    "oval": lambda: _superellipse(2.6),
    "round": lambda: _superellipse(4.2),
    "box": lambda: _superellipse(14, 60),
    "hexagon": lambda: _softened([(-0.5, -1), (0.5, -1), (1, 0), (0.5, 1), (-0.5, 1), (-1, 0)], 0.1),
    "taper": lambda: _widths(1, 0.58),
    "flare": lambda: _widths(0.58, 1),
    "cone": lambda: _widths(0.2, 1),
    "funnel": lambda: _widths(1, 0.2),
    "triangle": lambda: _softened([(0, -1.1), (1.05, 1), (-1.05, 1)], 0.08),
    "spike": lambda: _softened([(-1, -1), (1.1, 0.1), (-1, 1)], 0.06),
    "drop": lambda: _curve(lambda a: np.sin(a) * np.sin(a / 2) ** 1.4, lambda a: -np.cos(a)),
    "leaf": lambda: _curve(lambda a: np.sin(a) * np.abs(np.sin(a)) ** 0.3, lambda a: -np.cos(a)),
    "leaf-wide": lambda: _MAKERS["leaf"]()[:, ::-1],
    "spike-left": lambda: _softened([(1, -1), (-1.1, 0.1), (1, 1)], 0.06),
    "slope-left": lambda: _MAKERS["slope"]() * [-1, 1],
    "sail-left": lambda: _MAKERS["sail"]() * [-1, 1],
    "sweep-up": lambda: _MAKERS["sweep"]() * [1, -1],
    "drop-down": lambda: _MAKERS["drop"]() * [1, -1],
    "drop-side": lambda: _MAKERS["drop"]()[:, ::-1],
    "dome-right": lambda: _MAKERS["dome"]()[:, ::-1] * [-1, 1],
    "funnel-wide": lambda: _widths(1, 0.7),
    "funnel-side": lambda: _MAKERS["funnel"]()[:, ::-1] * [-1, 1],
    "taper-up": lambda: _MAKERS["flare"](),
    "spade-up": lambda: _MAKERS["spade"]() * [1, -1],
    "ear-left": lambda: _MAKERS["ear"]() * [-1, 1],
    "loop-left": lambda: _MAKERS["loop"]() * [-1, 1],
    "loop-up": lambda: _MAKERS["loop"]()[:, ::-1] * [1, -1],
    "arch-ring": lambda: _ring(0.5),
    "fiddle": lambda: _curve(
        lambda a: np.sin(a) * (0.72 + 0.2 * np.cos(2 * a + 0.4) - 0.12 * np.cos(a)), lambda a: -np.cos(a), 48
    ),
    "slope-tray": lambda: _softened([(-1, -1), (1, -0.7), (0.62, 1), (-0.3, 1)], 0.08),
    "star": lambda: _curve(
        lambda a: np.cos(a) * (0.86 + 0.14 * np.cos(6 * a)), lambda a: np.sin(a) * (0.86 + 0.14 * np.cos(6 * a)), 48
    ),
    "dome": lambda: np.concatenate([_arc(180, 360, 0.0)[:24] * [1, 2] + [0, 1]]),
    "bowl": lambda: np.concatenate([_arc(0, 180, 0.0)[:24] * [1, 2] - [0, 1]]),
    "ring": lambda: _ring(0.58),
    "hoop": lambda: _ring(0.74),
    "ear": lambda: _arc(-96, 96, 0.34) * [1.4, 1] - [0.5, 0],
    "loop": lambda: _arc(-115, 115, 0.28) * [1.3, 1] - [0.4, 0],
    "arch": lambda: _arc(180, 360, 0.22) * [1, 2] + [0, 1],
    "jaw-up": lambda: _arc(-62, 242, 0.5),
    "comb": lambda: _comb(4, 0.28, 0.45),
    "rake": lambda: _comb(7, 0.16, 0.62),
    "saw": _saw,
    "wave": lambda: _wave(1.6),
    "curl": lambda: _wave(1.0),
    "cloud": lambda: _cloud(9),
    "fluff": lambda: _cloud(14),
    "palm": lambda: _cloud(5),
    "antler": _antler,
    "hull": _heart_bottom,
    "fin": lambda: _softened([(-1, 1), (-0.75, -1), (-0.1, -0.9), (1, 1)], 0.1),
    "sweep": lambda: _softened([(-1, -1), (-0.35, -1), (1, 1), (-0.4, 1)], 0.08),
    "sail": lambda: _points((-1, -1), (-0.55, -0.5), (0.1, 0.1), (0.65, 0.6), (1, 1), (-0.9, 0.92)),
    "blade": lambda: _points((-0.9, 1), (-1, -0.3), (-0.75, -0.75), (0.2, -1), (0.7, -0.55), (0.95, 0.1), (1, 1)),
    "shears": lambda: _points((-0.5, 1), (-0.9, 0), (0.2, -1), (0.9, 0.1), (0.8, 1)),
    "axe": lambda: _points((-0.7, -0.35), (0.2, -0.5), (0.75, -1), (1, -0.4), (1, 0.45), (0.7, 1), (0.2, 0.45), (-0.7, 0.35)),
    "spade": lambda: _softened([(-1, -1), (1, -1), (0.92, 0.25), (0, 1.1), (-0.92, 0.25)], 0.12),
    "claw": lambda: _points((1, -1), (0.2, -0.8), (-0.6, -0.3), (-1, 1), (-0.4, 0.2), (0.3, 0.5), (1, 0.6)),
    "cabin": lambda: _softened([(-1, 1), (-0.72, -0.9), (0.35, -1), (1, 1)], 0.1),
    "slope": lambda: _softened([(-0.95, -1), (0.2, -1), (1, 1), (-0.95, 1)], 0.06),
}  # fmt: skip

#: All the names that `outline` knows.
NAMES = tuple(sorted([*_MAKERS, *_COMPOUND]))


@cache
def outline(name: str) -> tuple[Points, ...]:
    """The polygons, each (n, 2) with x and y within about -1 to 1, whose union is the shape called `name`.

    Raises KeyError for an unknown name.
    """
    polygons = _COMPOUND[name]() if name in _COMPOUND else (_MAKERS[name](),)
    for points in polygons:
        points.setflags(write=False)
    return polygons


@cache
def turned(degrees: float) -> Points:
    """The (2, 2) matrix that turns row vectors by `degrees` clockwise as seen on the screen (y down)."""
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
