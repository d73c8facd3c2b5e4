"""Colors: drawn at random for each photograph and dealt to parts without regard to what the parts are called."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

#: Colors in a photograph, and how far apart any two are at first tried to be, in 8-bit RGB.
COLORS, APART = 12, 84.0

Colors = NDArray[np.float64]


def _random_color(rng: np.random.Generator) -> Colors:
    if rng.random() < 0.15:
        grey = rng.uniform(20, 245)
        return np.array([grey, grey, grey]) + rng.uniform(-6, 6, 3)
    hue, saturation, value = rng.random(), rng.uniform(0.25, 0.82), rng.uniform(0.4, 0.96)
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value)) * 255


def random_palette(backdrop: Colors, rng: np.random.Generator) -> Colors:
    """`COLORS` colors, (n, 3) from 0 to 255, far from each other and from the `backdrop` colors (m, 3)."""
    chosen: list[Colors] = []
    apart, tries = APART, 0
    taken = np.array(backdrop, dtype=np.float64)
    while len(chosen) < COLORS:
        color = _random_color(rng)
        tries += 1
        if np.sqrt(((taken - color) ** 2).sum(axis=1)).min() >= apart:
            chosen.append(color)
            taken = np.concatenate([taken, color[None]])
        elif tries % 40 == 0:
            apart *= 0.93
    return np.clip(np.array(chosen), 0, 255)


def neighbors(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which labels touch in the map, (256, 256), symmetric, background left out."""
    touch = np.zeros((256, 256), dtype=np.bool_)
    for a, b in ((labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])):
        differ = a != b
        touch[a[differ], b[differ]] = True
    touch |= touch.T
    touch[0], touch[:, 0] = False, False
    return touch


def deal(labels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.int64]:
    """By label, the number of its color (256,): random, but never that of a label that it touches, if that can be.

    Labels with few neighbors are put off to the end, so that the others find a free color; as that order knows shapes
    only, and the palette is random, the color tells nothing of the part.
    """
    touch = neighbors(labels)
    waiting = {int(label) for label in np.unique(labels) if label}
    degrees = touch.sum(axis=1)
    put_off: list[int] = []
    while waiting:
        least = min(waiting, key=lambda label: (degrees[label], label))
        waiting.remove(least)
        put_off.append(least)
        degrees = degrees - touch[least]
    colors = np.full(256, -1, dtype=np.int64)
    for label in reversed(put_off):
        uses = np.bincount(colors[touch[label] & (colors >= 0)], minlength=COLORS)
        free = np.flatnonzero(uses == uses.min())
        colors[label] = free[int(rng.integers(len(free)))]
    return colors
