"""Scenes of invented objects: random shapes hung on a random body, drawn by the renderer of the demo world.

Each scene comes of (seed, number) alone. The objects' categories are drawn once for a seed: what parts they have, how they are
shaped, where they hang, and how often one lacks them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from partonomy_data.demo import render, shapes
from partonomy_data.demo.naming import SlotName
from partonomy_data.demo.scene import Instance, Scene, Wanted, compose
from partonomy_data.demo.world import Category, Slot, World

CATEGORIES: Final = 40
#: Part names that the categories share.
PARTS: Final = 96

_BODIES: Final = ("ellipse", "oval", "round", "box", "hexagon", "taper", "flare", "drop", "dome", "bowl", "funnel")
_LIMBS: Final = (
    *("ellipse", "oval", "round", "box", "hexagon", "taper", "flare", "cone", "funnel", "triangle", "spike", "drop"),
    *("leaf", "leaf-wide", "ring", "hoop", "ear", "loop", "arch", "star", "cross", "dome", "bowl"),
)
_BEGINNINGS: Final = (
    "b",
    "d",
    "f",
    "g",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "t",
    "v",
    "z",
    "br",
    "dr",
    "gl",
    "kr",
    "pl",
    "st",
    "tr",
)
_VOWELS: Final = ("a", "e", "i", "o", "u")
_ENDINGS: Final = ("", "", "l", "m", "n", "r", "x", "nk", "st")


@dataclass(frozen=True)
class Part:
    """The pixels of one part of one object; where several are alike (four legs), of all of them together."""

    name: str
    mask: NDArray[np.bool_]
    """(h, w)."""


@dataclass(frozen=True)
class Seen:
    """An object in a scene."""

    category: str
    mask: NDArray[np.bool_]
    parts: tuple[Part, ...]
    """Those that show, sorted by name."""
    lacking: tuple[str, ...]
    """Parts that its category has, and that don't show; sorted."""


@dataclass(frozen=True)
class Drawn:
    """A scene's photograph, and what it shows, the subject first."""

    image: Image.Image
    objects: tuple[Seen, ...]


def generator(*key: int | str) -> np.random.Generator:
    """A generator keyed by what it is for."""
    digest = hashlib.sha256(repr(("invented", *key)).encode()).digest()
    return np.random.Generator(np.random.Philox(key=np.frombuffer(digest[:16], np.uint64)))


def words(seed: int, count: int, purpose: str) -> list[str]:
    """So many different invented words, of two or three syllables."""
    rng = generator(seed, "words", purpose)
    found: dict[str, None] = {}
    while len(found) < count:
        syllables = [str(rng.choice(_BEGINNINGS)) + str(rng.choice(_VOWELS)) for _ in range(int(rng.integers(2, 4)))]
        found["".join(syllables) + str(rng.choice(_ENDINGS))] = None
    return list(found)


@lru_cache(maxsize=2)
def world(seed: int) -> World:
    """The categories of a seed."""
    parts = words(seed, PARTS, "parts")
    # No object is called as a part is.
    names = [name for name in words(seed, CATEGORIES + PARTS, "objects") if name not in set(parts)][:CATEGORIES]
    return World(seed, tuple(_category(seed, name, parts) for name in names))


def _category(seed: int, name: str, parts: list[str]) -> Category:
    rng = generator(seed, "category", name)
    count = int(rng.integers(3, 11))
    chosen = [parts[place] for place in rng.permutation(len(parts))[: count + 1]]
    half = np.array([rng.uniform(0.45, 1.0), rng.uniform(0.3, 0.8)])
    slots = [_slot(chosen[0], "body", str(rng.choice(_BODIES)), half, -1, (0, 0), (0, 0), 0, 0, 1.0)]
    halves = [half]
    for number, part in enumerate(chosen[1:]):
        _hang(slots, halves, part, number, rng)
    return Category(
        name=name,
        super_category="invented",
        slots=tuple(slots),
        slot_names=tuple(SlotName(slot.part, None, None, slot.parent) for slot in slots),
        within=tuple((place,) for place in range(len(slots))),
        sources={},
        tilt=float(rng.uniform(0, 20)),
        floats=bool(rng.random() < 0.3),
    )


def _hang(
    slots: list[Slot], halves: list[NDArray[np.float64]], part: str, number: int, rng: np.random.Generator
) -> None:
    """Hangs a part on the body, or on a part of it that is large enough: once, or several in a row."""
    large = [place for place, half in enumerate(halves) if half.min() > 0.22]
    parent = int(rng.choice(large)) if rng.random() < 0.4 else 0
    wide, high = halves[parent]
    size = rng.uniform(0.16, 0.6) * min(wide, high)
    half = np.array([size, size * rng.uniform(0.4, 2.4)])
    if rng.random() < 0.25:
        half[1] = half[0]
    shape, chance = str(rng.choice(_LIMBS)), float(rng.choice([1.0, 0.85, 0.6, 0.4]))
    inside = rng.random() < 0.35 and max(half) < 0.7 * min(wide, high)
    layer = 1 if inside or rng.random() < 0.6 else -1
    turn, swing = float(rng.choice([0, 0, 0, 20, -20, 45])), float(rng.choice([0, 0, 15]))
    copies = int(rng.choice([1, 1, 1, 2, 2, 3, 4]))
    angle = rng.uniform(0, 2 * np.pi)
    for copy in range(copies):
        if inside:
            at = np.array(
                [rng.uniform(-0.5, 0.5) if copies == 1 else -0.6 + 1.2 * copy / (copies - 1), rng.uniform(-0.3, 0.3)]
            )
        elif copies > 1:
            at = np.array([-0.8 + 1.6 * copy / (copies - 1), np.sign(np.sin(angle)) or 1.0])
        else:
            at = np.array([np.cos(angle), np.sin(angle)]) * 0.95
        by = np.zeros(2) if inside else -0.75 * np.sign(at) * (np.abs(at) > 0.5)
        place = (float(at[0] * wide), float(at[1] * high))
        own = (float(by[0] * half[0]), float(by[1] * half[1]))
        slots.append(
            _slot(part, f"{part} {number} {copy}", shape, half, parent, place, own, turn, swing, chance, layer)
        )
        halves.append(half)


def _slot(
    part: str,
    key: str,
    shape: str,
    half: NDArray[np.float64],
    parent: int,
    at: tuple[float, float],
    by: tuple[float, float],
    turn: float,
    swing: float,
    chance: float,
    layer: int = 0,
) -> Slot:
    polygons = tuple(polygon * half for polygon in shapes.outline(shape))
    return Slot(key, part, polygons, parent, at, by, turn, swing, layer, chance, nested=False)


def draw(seed: int, number: int) -> Drawn:
    """The scene of a number: one object, or two or three."""
    rng = generator(seed, "scene", number)
    there = world(seed)
    count = int(rng.choice([1, 1, 1, 2, 2, 3]))
    wanted = [Wanted(int(rng.integers(len(there.categories)))) for _ in range(count)]
    scene = compose(there, wanted, rng)
    picture = render.render(scene, rng)
    shown = sorted(scene.instances, key=lambda one: one.wanted is not wanted[0])
    return Drawn(picture.pixels, tuple(_seen(there, scene, one) for one in shown))


def _seen(there: World, scene: Scene, instance: Instance) -> Seen:
    category = there.categories[instance.wanted.category]
    labels: dict[str, list[int]] = {}
    for slot, label in zip(category.slots, instance.labels, strict=True):
        labels.setdefault(slot.part, []).append(label)
    parts = []
    lacking = []
    for name, own in sorted(labels.items()):
        mask = np.isin(scene.labels, [label for label in own if label])
        # A few pixels of a part that is nearly hidden are neither there nor not.
        if mask.sum() >= 12:
            parts.append(Part(name, mask))
        elif not mask.any():
            lacking.append(name)
    whole = np.isin(scene.labels, [label for label in instance.labels if label])
    return Seen(category.name, whole, tuple(parts), tuple(lacking))
