"""Scenes of invented objects, drawn by the renderer of the demo world. Each scene comes of (seed, number) alone.

Colors have nothing to do with names, and every object stands turned, sized and lit in its own way, behind things that hide it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.tiny import invented
from model.tiny.invented import Invented, Look, generator
from partonomy_data.demo import render
from partonomy_data.demo.scene import FIRST_OCCLUDER, Instance, Wanted, compose
from partonomy_data.photographs.views import view_of

#: A few pixels of a part that is nearly hidden are neither there nor not.
_LEAST_PIXELS = 12
#: How many photographs are cut to their subject; and the margin on each side, in its widths and heights.
_CUT = 0.6
_MARGINS = 0.02, 0.4
#: How many of the others have their subject marked by a box, where it is not alone.
_BOXED = 0.7


@dataclass(frozen=True)
class Part:
    """The pixels of one part of one object; where several are alike (four legs), of all of them together."""

    name: str
    mask: NDArray[np.bool_]
    """(h, w)."""
    look: Look


@dataclass(frozen=True)
class Seen:
    """An object in a scene."""

    category: str
    mask: NDArray[np.bool_]
    body: Look
    parts: tuple[Part, ...]
    """Those that show, sorted by name."""
    lacking: tuple[str, ...]
    """Parts that its category has, and that don't show; sorted."""
    foreign: tuple[str, ...]
    """Names of parts that its category doesn't have, and others could."""


@dataclass(frozen=True)
class Surface:
    """One part as it is in the photograph; each of those that are alike."""

    outline: str
    middle: tuple[float, float]
    """Of its pixels: x, y."""
    object_middle: tuple[float, float]
    """Of its object's."""
    object_size: float
    """The root of the number of its object's pixels."""


@dataclass(frozen=True)
class Drawn:
    """A scene's photograph, and what it shows, the subject first."""

    kind: str
    """Of its world: `shared` or `fresh`."""
    image: Image.Image
    objects: tuple[Seen, ...]
    labels: NDArray[np.uint8]
    """(h, w): which surface a pixel shows; 0 is none."""
    surfaces: dict[int, Surface]
    """By label. Where a box marks the subject, its own alone: all that is said and told is of what is in the box."""


def draw(seed: int, number: int, kind: str = "shared") -> Drawn:
    """The scene of a number, of the `shared` world or a `fresh` one: one object, or two or three, cut to the subject or not."""
    rng = generator(seed, kind, "scene", number)
    there = invented.shared(seed) if kind == "shared" else invented.fresh(seed, number)
    count = int(rng.choice([1, 1, 1, 2, 2, 3]))
    wanted = [Wanted(int(place)) for place in rng.permutation(len(there.world.categories))[:count]]
    scene = compose(there.world, wanted, rng)
    image = render.render(scene, rng).pixels
    shown = sorted(scene.instances, key=lambda one: one.wanted is not wanted[0])
    labels = np.where(scene.labels < FIRST_OCCLUDER, scene.labels, 0).astype(np.uint8)
    subject = _mask(labels, shown[0].labels)
    if rng.random() < _CUT:
        rows, columns = _around(subject, rng)
        labels = labels[rows, columns]
        image = image.crop((columns.start, rows.start, columns.stop, rows.stop))
    elif len(shown) > 1 and rng.random() < _BOXED:
        image = view_of(image, "box", _region(subject)).image
        shown = shown[:1]  # what is said is of the one in the box
    every = [_seen(there, labels, one) for one in shown]
    # Of another object little may be left within the cut.
    objects = tuple(one for one in every if one is every[0] or one.mask.sum() >= _LEAST_PIXELS)
    return Drawn(kind, image, objects, labels, _surfaces(there, labels, shown))


def _mask(labels: NDArray[np.uint8], own: Iterable[int]) -> NDArray[np.bool_]:
    """The pixels (h, w) of surfaces; 0 is none."""
    found: NDArray[np.bool_] = np.isin(labels, [label for label in own if label])
    return found


def _region(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """A mask's box: x, y, width, height."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    left, top = int(columns[0]), int(rows[0])
    return left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top


def _around(mask: NDArray[np.bool_], rng: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns of a mask's box with a margin, as questions about one of several objects cut photographs."""
    margin = float(rng.uniform(*_MARGINS))
    found = []
    for axis in (1, 0):
        there = np.flatnonzero(mask.any(axis))
        first, last = int(there[0]), int(there[-1]) + 1
        more = margin * (last - first)
        found.append(slice(max(0, math.floor(first - more)), min(mask.shape[1 - axis], math.ceil(last + more))))
    return found[0], found[1]


def _seen(there: Invented, labels: NDArray[np.uint8], instance: Instance) -> Seen:
    category, looks = there.world.categories[instance.wanted.category], there.looks[instance.wanted.category]
    surfaces: dict[str, list[int]] = {}
    for slot, label in zip(category.slots, instance.labels, strict=True):
        surfaces.setdefault(slot.part, []).append(label)
    parts = []
    lacking = []
    for name, own in sorted(surfaces.items()):
        mask = _mask(labels, own)
        if mask.sum() >= _LEAST_PIXELS:
            parts.append(Part(name, mask, looks[name]))
        elif not mask.any():
            lacking.append(name)
    foreign = tuple(name for name in there.names if name not in surfaces)
    whole = _mask(labels, instance.labels)
    return Seen(category.name, whole, looks[category.slots[0].part], tuple(parts), tuple(lacking), foreign)


def _surfaces(there: Invented, labels: NDArray[np.uint8], instances: list[Instance]) -> dict[int, Surface]:
    rows, columns = np.indices(labels.shape)
    counts = np.bincount(labels.ravel(), minlength=256)
    across = np.bincount(labels.ravel(), columns.ravel(), 256)
    down = np.bincount(labels.ravel(), rows.ravel(), 256)
    found = {}
    for instance in instances:
        own = [label for label in instance.labels if label and counts[label]]
        pixels = float(counts[own].sum())
        middle = (float(across[own].sum() / pixels), float(down[own].sum() / pixels)) if own else (0.0, 0.0)
        looks = there.looks[instance.wanted.category]
        slots = there.world.categories[instance.wanted.category].slots
        for slot, label in zip(slots, instance.labels, strict=True):
            if label and counts[label]:
                at = float(across[label] / counts[label]), float(down[label] / counts[label])
                found[label] = Surface(looks[slot.part].outline, at, middle, pixels**0.5)
    return found
