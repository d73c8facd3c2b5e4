"""Invented objects: random shapes hung on a random body, and what each part of them looks like.

Two kinds of worlds. In a *shared* one a few dozen categories have invented names, and parts that are called alike wherever they
come. A *fresh* one is made for one scene: its parts are called as their outlines are ("ring", "leaf wide"), so that there is no
end of objects, and what is said of them can be seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from partonomy_data.demo import shapes
from partonomy_data.demo.naming import SlotName
from partonomy_data.demo.world import Category, Slot, World

#: Categories of a shared world, and part names that they share.
CATEGORIES: Final = 40
PARTS: Final = 96
#: Categories of a fresh world.
FRESH: Final = 3

BODIES: Final = ("ellipse", "oval", "round", "box", "hexagon", "taper", "flare", "drop", "dome", "bowl", "funnel")
LIMBS: Final = (
    *("ellipse", "oval", "round", "box", "hexagon", "taper", "flare", "cone", "funnel", "triangle", "spike", "drop"),
    *("leaf", "leaf-wide", "ring", "hoop", "ear", "loop", "arch", "star", "cross", "dome", "bowl"),
)
_BEGINNINGS: Final = (*"bdfgklmnprstvz", "br", "dr", "gl", "kr", "pl", "st", "tr")
_VOWELS: Final = tuple("aeiou")
_ENDINGS: Final = ("", "", "l", "m", "n", "r", "x", "nk", "st")


@dataclass(frozen=True)
class Look:
    """What a part of a category is like, in units of its object, about the object's middle; alike parts together."""

    outline: str
    half: tuple[float, float]
    """Half width and half height."""
    center: tuple[float, float]
    """The mean, where there are several."""
    apart: float
    """Half the way from the first to the last."""
    copies: int
    turn: float
    """Degrees."""
    layer: int
    """-1 behind the object's body, 1 before it, 0 the body itself."""


@dataclass(frozen=True)
class Invented:
    """A world with the looks of its parts: for each category, in the world's order, by part."""

    world: World
    looks: tuple[dict[str, Look], ...]
    names: tuple[str, ...]
    """Of parts: all that there could be in such a world."""


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


def said(outline: str) -> str:
    """An outline's name as captions have it."""
    return outline.replace("-", " ")


@lru_cache(maxsize=2)
def shared(seed: int) -> Invented:
    """The world that all of a seed's scenes with invented names share."""
    parts = words(seed, PARTS, "parts")
    # No object is called as a part is.
    names = [name for name in words(seed, CATEGORIES + PARTS, "objects") if name not in set(parts)][:CATEGORIES]
    made = []
    for name in names:
        rng = generator(seed, "category", name)
        chosen = [parts[place] for place in rng.permutation(PARTS)]
        made.append(_category(name, chosen, rng))
    return _together(seed, made, parts)


def fresh(seed: int, number: int) -> Invented:
    """The world of one scene."""
    made: list[tuple[Category, dict[str, Look]]] = []
    for place in range(FRESH):
        rng = generator(seed, "fresh", number, place)
        made.append(_category(None, None, rng))
    return _together(seed, made, [said(outline) for outline in sorted({*BODIES, *LIMBS})])


def _together(seed: int, made: Sequence[tuple[Category, dict[str, Look]]], names: Sequence[str]) -> Invented:
    world = World(seed, tuple(category for category, _ in made))
    return Invented(world, tuple(looks for _, looks in made), tuple(names))


def _category(
    name: str | None, names: Sequence[str] | None, rng: np.random.Generator
) -> tuple[Category, dict[str, Look]]:
    """A category with the names of its parts, the body's first; where there are none, they are called as their outlines are."""
    half = np.array([rng.uniform(0.45, 1.0), rng.uniform(0.3, 0.8)])
    outline = str(rng.choice(BODIES))
    # No two of its parts have the same outline, so that in a fresh world each name is one part.
    limbs = [one for one in rng.permutation(LIMBS).tolist() if one != outline]
    part = names[0] if names else said(outline)
    hung = [_Hung(_slot(part, "body", outline, half, -1, (0, 0), (0, 0), 0, 0, 1.0), half, np.zeros(2))]
    looks = {part: Look(outline, (float(half[0]), float(half[1])), (0, 0), 0, 1, 0, 0)}
    for number in range(1, int(rng.integers(3, 11)) + 1):
        part = names[number] if names else said(limbs[number])
        looks[part] = _hang(hung, part, limbs[number], rng)
    slots = tuple(one.slot for one in hung)
    category = Category(
        name=name or f"{said(outline)} thing",
        super_category="invented",
        slots=slots,
        slot_names=tuple(SlotName(slot.part, None, None, slot.parent) for slot in slots),
        within=tuple((place,) for place in range(len(slots))),
        sources={},
        tilt=float(rng.uniform(0, 20)),
        floats=bool(rng.random() < 0.3),
    )
    return category, looks


@dataclass(frozen=True)
class _Hung:
    """A slot, its half size, and where its middle is."""

    slot: Slot
    half: NDArray[np.float64]
    center: NDArray[np.float64]


def _hang(hung: list[_Hung], part: str, outline: str, rng: np.random.Generator) -> Look:
    """Hangs a part on the body, or on a part of it that is large enough: once, or several in a row."""
    large = [place for place, one in enumerate(hung) if one.half.min() > 0.22]
    parent = int(rng.choice(large)) if rng.random() < 0.4 else 0
    wide, high = hung[parent].half
    size = rng.uniform(0.16, 0.6) * min(wide, high)
    half = np.array([size, size * rng.uniform(0.4, 2.4)])
    if rng.random() < 0.25:
        half[1] = half[0]
    chance = float(rng.choice([1.0, 0.85, 0.6, 0.4]))
    inside = rng.random() < 0.35 and max(half) < 0.7 * min(wide, high)
    layer = 1 if inside or rng.random() < 0.6 else -1
    turn, swing = float(rng.choice([0, 0, 0, 20, -20, 45])), float(rng.choice([0, 0, 15]))
    copies = int(rng.choice([1, 1, 1, 2, 2, 3, 4]))
    angle = rng.uniform(0, 2 * np.pi)
    centers = []
    for copy in range(copies):
        row = 2 * copy / (copies - 1) - 1 if copies > 1 else 0.0
        if inside:
            at = np.array([0.6 * row if copies > 1 else rng.uniform(-0.5, 0.5), rng.uniform(-0.3, 0.3)])
        elif copies > 1:
            at = np.array([0.8 * row, np.sign(np.sin(angle)) or 1.0])
        else:
            at = np.array([np.cos(angle), np.sin(angle)]) * 0.95
        by = np.zeros(2) if inside else -0.75 * np.sign(at) * (np.abs(at) > 0.5)
        place, own = at * [wide, high], by * half
        key = f"{part} {copy}"
        slot = _slot(part, key, outline, half, parent, tuple(place), tuple(own), turn, swing, chance, layer)
        centers.append(hung[parent].center + place - own)
        hung.append(_Hung(slot, half, centers[-1]))
    middle = np.mean(centers, axis=0)
    apart = float(np.ptp(np.array(centers)[:, 0]) / 2)
    return Look(outline, tuple(half.tolist()), tuple(middle.tolist()), apart, copies, turn, layer)


def _slot(
    part: str,
    key: str,
    outline: str,
    half: NDArray[np.float64],
    parent: int,
    at: tuple[float, float],
    by: tuple[float, float],
    turn: float,
    swing: float,
    chance: float,
    layer: int = 0,
) -> Slot:
    polygons = tuple(polygon * half for polygon in shapes.outline(outline))
    return Slot(key, part, polygons, parent, at, by, turn, swing, layer, chance, nested=False)
