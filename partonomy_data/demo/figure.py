"""One instance of a category: which parts it has, how they are posed, and their outlines fitted into a box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from partonomy_data.demo.shapes import Points, turned
from partonomy_data.demo.world import Category


@dataclass(frozen=True, slots=True)
class Figure:
    """An instance with its parts' outlines in pixels of the photograph."""

    polygons: tuple[tuple[Points, ...] | None, ...]
    """By slot; None where the instance lacks the part."""
    drawing_order: tuple[int, ...]
    """The slots that it has, those to draw first first."""
    flipped: bool
    """True where it is mirrored, so that its left parts are those drawn as right ones."""

    box: tuple[float, float, float, float]
    """Left, top, right, bottom of all the parts, in pixels."""


def _bounds(polygons: tuple[tuple[Points, ...] | None, ...]) -> tuple[float, float, float, float]:
    points = np.concatenate([polygon for group in polygons if group for polygon in group])
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def pose(category: Category, rng: np.random.Generator) -> Figure:
    """An instance in units of the object, about the origin: parts missing by their chances, limbs swung, maybe mirrored."""
    count = len(category.slots)
    missing, swings = rng.random(count), rng.uniform(-1, 1, count)
    grown = rng.normal(1, 0.035, (count, 2))
    tilt, mirrored = category.tilt * rng.uniform(-1, 1), rng.random() < 0.5
    centers = np.zeros((count, 2))
    turns = np.zeros(count)
    polygons: list[tuple[Points, ...] | None] = []
    for index, slot in enumerate(category.slots):
        parent = slot.parent
        if missing[index] >= slot.chance or (parent >= 0 and polygons[parent] is None):
            polygons.append(None)
            continue
        swing = slot.swing * swings[index]
        turns[index] = slot.turn + swing
        if parent >= 0:
            centers[index] = centers[parent] + np.array(slot.at) @ turned(float(turns[parent]))
        own = turned(float(turns[index]))
        centers[index] -= np.array(slot.by) @ own
        polygons.append(tuple(polygon * grown[index] @ own + centers[index] for polygon in slot.polygons))
    whole = turned(tilt) * [-1 if mirrored else 1, 1]
    placed = tuple(tuple(polygon @ whole for polygon in group) if group else None for group in polygons)
    order = sorted(
        (index for index in range(count) if placed[index]),
        key=lambda index: (category.slots[index].layer, index),
    )
    return Figure(placed, tuple(order), mirrored, _bounds(placed))


def fitted(figure: Figure, width: float, height: float, center: float, bottom: float) -> Figure:
    """The figure scaled to lie within `width` x `height` pixels, standing on `bottom`, its middle at `center`."""
    left, top, right, low = figure.box
    scale = min(width / (right - left), height / (low - top))
    return shifted(figure, scale, center - scale * (left + right) / 2, bottom - scale * low)


def shifted(figure: Figure, scale: float, right: float, down: float) -> Figure:
    """The figure scaled about the origin, then moved."""
    shift = np.array([right, down])
    placed = tuple(tuple(polygon * scale + shift for polygon in group) if group else None for group in figure.polygons)
    x0, y0, x1, y1 = figure.box
    box = scale * x0 + right, scale * y0 + down, scale * x1 + right, scale * y1 + down
    return Figure(placed, figure.drawing_order, figure.flipped, box)
