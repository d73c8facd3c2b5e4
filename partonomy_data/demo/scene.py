"""A photograph's geometry: what stands where, what hides what, and which pixel shows which part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from partonomy_data.demo.figure import Figure, fitted, pose, shifted
from partonomy_data.demo.shapes import Points, outline
from partonomy_data.demo.world import World

#: How much finer than the photograph it is drawn; a pixel belongs to what lies at its middle.
FINENESS = 3
#: Labels from here on are things in front that belong to no object.
FIRST_OCCLUDER = 250

_SIZES = ((256, 192), (288, 216), (320, 240), (336, 224), (352, 264), (384, 288), (300, 225), (272, 272))
#: An object must show so many pixels, and this share of what it would show if nothing stood before it.
_LEAST_PIXELS, _LEAST_SHARE = 150, 0.4


@dataclass(frozen=True, slots=True)
class Wanted:
    """An object that a photograph is to show."""

    category: int
    """Index into the world's categories."""
    entry: int = 0
    """Which of the source's classes or concepts of that category it is."""
    stranger: bool = False
    """True where the source knows no such category."""


@dataclass(frozen=True, slots=True)
class Instance:
    """An object as it stands in the photograph."""

    wanted: Wanted
    figure: Figure
    labels: tuple[int, ...]
    """By slot, the value in the label map that shows it; 0 where the instance lacks the part."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything about a photograph but its colors."""

    width: int
    height: int
    horizon: float
    """Where wall or sky meets the ground, in pixels from the top."""
    instances: tuple[Instance, ...]
    """Back to front."""
    fine: NDArray[np.uint8]
    """Labels at `FINENESS` times the size, shape (3h, 3w); 0 is background."""
    labels: NDArray[np.uint8]
    """Labels of the photograph's pixels, shape (h, w); 0 where no object is."""
    visible: NDArray[np.int64]
    """By label, the number of pixels, shape (256,)."""


def _draw(canvas: ImageDraw.ImageDraw, polygons: Sequence[Points], value: int, scale: int) -> None:
    for polygon in polygons:
        canvas.polygon((polygon * scale).ravel().tolist(), fill=value)


def _overlap(box: tuple[float, ...], others: Sequence[tuple[float, ...]]) -> float:
    """The largest share of `box`, or of another box, that they have in common."""
    worst = 0.0
    for other in others:
        wide = min(box[2], other[2]) - max(box[0], other[0])
        high = min(box[3], other[3]) - max(box[1], other[1])
        if wide > 0 and high > 0:
            areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
            worst = max(worst, wide * high / min(areas))
    return worst


def _place(
    figure: Figure, size: tuple[int, int], horizon: float, crowd: int, floats: bool, rng: np.random.Generator
) -> tuple[float, float, float]:
    """A random scale and shift for the figure; one photograph in seven or so cuts it off at a border."""
    width, height = size
    low, high = {1: (0.64, 0.96), 2: (0.5, 0.74), 3: (0.4, 0.62)}.get(crowd, (0.34, 0.54))
    share = rng.uniform(low, high)
    nearness = rng.uniform(0, 1)
    x0, y0, x1, y1 = figure.box
    scale = min(share * width / (x1 - x0), min(0.94, share * 1.2) * height / (y1 - y0))
    half, tall = scale * (x1 - x0) / 2, scale * (y1 - y0)
    center = rng.uniform(half, width - half) if width > 2 * half else width / 2
    if floats:
        bottom = rng.uniform(tall + 2, max(tall + 3, 0.8 * height))
    else:
        bottom = horizon + (0.97 * height - horizon) * (0.25 + 0.75 * nearness)
        bottom = max(bottom, tall + 2)
    if rng.random() < 0.15:
        cut = rng.uniform(0.12, 0.42)
        border = int(rng.integers(3))
        if border == 2:
            bottom = height + cut * tall
        else:
            center = half - 2 * half * cut if border == 0 else width - half + 2 * half * cut
    return scale, center - scale * (x0 + x1) / 2, bottom - scale * y1


def _arrange(
    world: World, wanted: Sequence[Wanted], size: tuple[int, int], horizon: float, rng: np.random.Generator
) -> list[tuple[Wanted, Figure]]:
    """The wanted objects, posed and placed with moderate overlap, back to front."""
    placed: list[tuple[Wanted, Figure]] = []
    for item in wanted:
        category = world.categories[item.category]
        figure = pose(category, rng)
        boxes = [other.box for _, other in placed]
        allowed = 0.35 if rng.random() < 0.35 else 0.08
        options = []
        for _ in range(7):
            scale, right, down = _place(figure, size, horizon, len(wanted), category.floats, rng)
            x0, y0, x1, y1 = figure.box
            box = scale * x0 + right, scale * y0 + down, scale * x1 + right, scale * y1 + down
            options.append((_overlap(box, boxes), (scale, right, down)))
            if options[-1][0] <= allowed:
                break
        overlap, (scale, right, down) = min(options)
        if overlap < 0.6:
            placed.append((item, shifted(figure, scale, right, down)))
    return sorted(placed, key=lambda pair: pair[1].box[3])


def _occluders(size: tuple[int, int], rng: np.random.Generator) -> list[tuple[Points, ...]]:
    """Things in front that nobody labels, in one photograph of five: a pole, a leaf, a box at the border."""
    width, height = size
    things: list[tuple[Points, ...]] = []
    if rng.random() >= 0.2:
        return things
    for _ in range(int(rng.integers(1, 3))):
        kind = str(rng.choice(["box", "leaf", "ellipse", "round"]))
        if kind == "box":
            half = np.array([rng.uniform(0.008, 0.022) * width, 1.1 * height])
            center = np.array([rng.uniform(0.1, 0.9) * width, rng.uniform(0.2, 0.8) * height])
        else:
            half = rng.uniform(0.04, 0.11, 2) * min(size) * ([0.6, 1.6] if kind == "leaf" else [1, 1])
            center = np.array([rng.uniform(0, 1) * width, rng.uniform(0.7, 1.02) * height])
        things.append(tuple(polygon * half + center for polygon in outline(kind)))
    return things


def _label(
    world: World,
    placed: Sequence[tuple[Wanted, Figure]],
    front: Sequence[tuple[Points, ...]],
    size: tuple[int, int],
) -> tuple[list[Instance], NDArray[np.uint8]]:
    """Draws the label map, back to front, in the fine grid."""
    image = Image.new("L", (size[0] * FINENESS, size[1] * FINENESS))
    canvas = ImageDraw.Draw(image)
    instances = []
    following = 1
    for item, figure in placed:
        labels = [0] * len(world.categories[item.category].slots)
        for slot in sorted(figure.drawing_order):
            labels[slot] = following
            following += 1
        for slot in figure.drawing_order:
            _draw(canvas, figure.polygons[slot] or (), labels[slot], FINENESS)
        instances.append(Instance(item, figure, tuple(labels)))
    for number, polygons in enumerate(front):
        _draw(canvas, polygons, FIRST_OCCLUDER + number, FINENESS)
    return instances, np.asarray(image)


def _alone(figure: Figure, size: tuple[int, int]) -> int:
    """Pixels that the figure would show if it stood alone and nothing cut it off."""
    left, top, right, bottom = figure.box
    image = Image.new("L", (int(right - left) + 2, int(bottom - top) + 2))
    canvas = ImageDraw.Draw(image)
    for slot in figure.drawing_order:
        _draw(canvas, [polygon - [left, top] for polygon in figure.polygons[slot] or ()], 1, 1)
    return int(np.count_nonzero(np.asarray(image)))


def compose(world: World, wanted: Sequence[Wanted], rng: np.random.Generator) -> Scene:
    """A scene that shows the wanted objects, save those that would be almost hidden; at least the first one stays."""
    size = _SIZES[int(rng.integers(len(_SIZES)))]
    if rng.random() < 0.28:
        size = size[1], size[0]
    horizon = float(rng.uniform(0.45, 0.72)) * size[1]
    placed = _arrange(world, wanted, size, horizon, rng)
    front = _occluders(size, rng)
    while True:
        instances, fine = _label(world, placed, front, size)
        labels = fine[1::FINENESS, 1::FINENESS].copy()
        labels[labels >= FIRST_OCCLUDER] = 0
        visible = np.bincount(labels.ravel(), minlength=256)
        shown = [int(visible[[label for label in item.labels if label]].sum()) for item in instances]
        poor = [
            number
            for number, item in enumerate(instances)
            if shown[number] < max(_LEAST_PIXELS, _LEAST_SHARE * _alone(item.figure, size))
        ]
        if not poor:
            return Scene(*size, horizon, tuple(instances), fine, labels, visible)
        subjects = [number for number, (item, _) in enumerate(placed) if item == wanted[0]]
        worst = min(poor, key=lambda number: (placed[number][0] == wanted[0], shown[number]))
        if subjects == [worst]:
            front = []
            item, figure = placed[worst]
            placed = [(item, fitted(figure, 0.8 * size[0], 0.8 * size[1], size[0] / 2, 0.92 * size[1]))]
        else:
            placed.pop(worst)
