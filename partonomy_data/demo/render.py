"""Pixels: a backdrop, shadows, colored and shaded parts with darker outlines, a little grain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from partonomy_data.demo import palette
from partonomy_data.demo.scene import FINENESS, FIRST_OCCLUDER, Scene

#: Patterns that a part's surface may have, by number; the first is by far the most frequent.
PATTERNS = ("plain", "striped", "dotted", "checkered")


@dataclass(frozen=True, slots=True)
class Picture:
    """A photograph and what its surfaces are like."""

    pixels: Image.Image
    colors: NDArray[np.float64]
    """By label, RGB from 0 to 255, (256, 3)."""
    patterns: NDArray[np.int64]
    """By label, an index into `PATTERNS`, (256,)."""


def _tone(rng: np.random.Generator, low: float, high: float) -> palette.Colors:
    """A muted color of a brightness between `low` and `high`."""
    return np.clip(rng.uniform(low, high) + rng.uniform(-22, 22, 3), 0, 255)


def _backdrop(scene: Scene, rng: np.random.Generator) -> tuple[NDArray[np.float32], palette.Colors]:
    """Sky or wall, ground, blurred things far off, and the objects' shadows: (h, w, 3), and its main colors."""
    bright = rng.random() < 0.75
    wall = _tone(rng, *((175, 238) if bright else (48, 96)))
    ground = _tone(rng, *((130, 205) if bright else (62, 112)))
    half = scene.width // 2, scene.height // 2
    rows = (np.arange(half[1]) * 2)[:, None]
    sky = wall * (0.9 + 0.2 * rows / scene.height)
    floor = ground * (0.86 + 0.28 * (rows - scene.horizon) / scene.height)
    column = np.where(rows < scene.horizon, sky, floor)
    image = Image.fromarray(np.clip(np.repeat(column[:, None], half[0], axis=1), 0, 255).astype(np.uint8))
    canvas = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(2, 7))):
        color = tuple(int(value) for value in np.clip(wall * rng.uniform(0.82, 1.1) + rng.uniform(-12, 12, 3), 0, 255))
        x, y = rng.uniform(0, half[0]), scene.horizon / 2
        wide, high = rng.uniform(0.05, 0.22) * half[0], rng.uniform(0.1, 0.7) * y
        draw = canvas.rectangle if rng.random() < 0.5 else canvas.ellipse
        rise = 0 if rng.random() < 0.6 else rng.uniform(0, y)
        draw((x - wide, y - high - rise, x + wide, y + high * 0.1 - rise), fill=color)
    image = image.filter(ImageFilter.GaussianBlur(1.6))
    shade = Image.new("L", half)
    canvas = ImageDraw.Draw(shade)
    for item in scene.instances:
        left, _, right, bottom = (value / 2 for value in item.figure.box)
        thick = 0.07 * (right - left) + 2
        floats = bottom * 2 < scene.horizon
        if not floats:
            canvas.ellipse((left - thick, bottom - thick, right + thick, bottom + 0.7 * thick), fill=105)
    shade = shade.filter(ImageFilter.GaussianBlur(4))
    size = scene.width, scene.height
    pixels = np.asarray(image.resize(size, Image.Resampling.BILINEAR), dtype=np.float32)
    dark = np.asarray(shade.resize(size, Image.Resampling.BILINEAR), dtype=np.float32)[..., None]
    return (pixels * (1 - dark / 255)).astype(np.float32), np.array([wall, ground, wall * 0.86, ground * 0.8])


def _surface(scene: Scene, patterns: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float32]:
    """How bright each pixel's surface is, about 1: light from above, a slant for each part, its pattern. (h, w)"""
    labels = scene.labels
    y, x = np.ogrid[: scene.height, : scene.width]
    slants = rng.uniform(-1, 1, (256, 2)).astype(np.float32) * 0.10
    gain = np.ones(labels.shape, dtype=np.float32)
    for item in scene.instances:
        left, top, right, bottom = item.figure.box
        rows = slice(max(0, int(top)), max(0, int(bottom) + 1))
        columns = slice(max(0, int(left)), max(0, int(right) + 1))
        u = (x[:, columns] - (left + right) / 2) / (right - left)
        v = (y[rows] - (top + bottom) / 2) / (bottom - top)
        window = labels[rows, columns]
        mine = np.zeros(256, dtype=np.bool_)
        mine[[label for label in item.labels if label]] = True
        lit = 1.04 - 0.24 * v + slants[window, 0] * u + slants[window, 1] * v
        gain[rows, columns] = np.where(mine[window], lit, gain[rows, columns])
    if patterns.any():
        kind = patterns[labels]
        step = int(rng.integers(4, 8))
        striped = (x + y) // (step // 2 + 1) % 2 == 0
        dotted = (x % step - step // 2) ** 2 + (y % step - step // 2) ** 2 <= (step / 3.2) ** 2
        checkered = (x // step + y // step) % 2 == 0
        dark = ((kind == 1) & striped) | ((kind == 2) & dotted) | ((kind == 3) & checkered)
        gain = gain * np.where(dark, np.float32(0.8), np.float32(1))
    return gain.astype(np.float32)


def _edges(fine: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How much of each pixel is an outline, (h, w) from 0 to 1."""
    edge = np.zeros(fine.shape, dtype=np.uint8)
    across, down = fine[:, 1:] != fine[:, :-1], fine[1:] != fine[:-1]
    edge[:, 1:][across] = 255
    edge[1:][down] = 255
    edge[:, :-1][across] = 255
    coverage: NDArray[np.float32] = np.asarray(Image.fromarray(edge).reduce(FINENESS), dtype=np.float32)
    return coverage * np.float32(1 / 255)


def render(scene: Scene, rng: np.random.Generator) -> Picture:
    """The photograph of a scene, anti-aliased; the colors have nothing to do with the parts' names."""
    background, main = _backdrop(scene, rng)
    colors = palette.random_palette(main, rng)
    dealt = palette.deal(scene.fine[1::FINENESS, 1::FINENESS], rng)
    by_label = np.where(dealt[:, None] >= 0, colors[dealt], 0.0)
    by_label[FIRST_OCCLUDER:] = by_label[FIRST_OCCLUDER:] * 0.45 + main[1] * 0.4
    patterns = np.where(rng.random(256) < 0.86, 0, rng.integers(1, len(PATTERNS), 256))
    patterns[0], patterns[FIRST_OCCLUDER:] = 0, 0

    indexed = Image.fromarray(scene.fine)
    indexed.putpalette(by_label.astype(np.uint8).tobytes())
    objects = np.asarray(indexed.convert("RGB").reduce(FINENESS), dtype=np.float32)
    covered = Image.fromarray(((scene.fine > 0) * np.uint8(255)).astype(np.uint8)).reduce(FINENESS)
    share = np.asarray(covered, dtype=np.float32)[..., None] / 255
    pixels = objects * _surface(scene, patterns, rng)[..., None] + background * (1 - share)
    pixels *= 1 - 0.62 * _edges(scene.fine)[..., None]
    pixels += rng.integers(-5, 6, pixels.shape[:2], dtype=np.int8)[..., None]
    return Picture(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), by_label, patterns)
