"""PACO's tables: object and part categories with their two id spaces, and its 59 attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from partonomy_data.demo.keyed import generator
from partonomy_data.demo.world import build

#: Attribute names in the order of their ids, by type.
ATTRIBUTES = {
    "color": (
        "black", "light_blue", "blue", "dark_blue", "light_brown", "brown", "dark_brown", "light_green", "green",
        "dark_green", "light_grey", "grey", "dark_grey", "light_orange", "orange", "dark_orange", "light_pink", "pink",
        "dark_pink", "light_purple", "purple", "dark_purple", "light_red", "red", "dark_red", "white", "light_yellow",
        "yellow", "dark_yellow", "other(color)",
    ),
    "pattern_marking": (
        "plain", "striped", "dotted", "checkered", "woven", "studded", "perforated", "floral", "other(pattern_marking)",
        "logo", "text",
    ),
    "material": (
        "stone", "wood", "rattan", "fabric", "crochet", "wool", "leather", "velvet", "metal", "paper", "plastic", "glass",
        "ceramic", "other(material)",
    ),
    "transparency": ("opaque", "translucent", "transparent", "other(transparency)"),
}  # fmt: skip

#: RGB that stands for each of the 29 named colors.
_RGB = np.array([
    (15, 15, 15), (150, 195, 235), (50, 100, 220), (20, 35, 110), (195, 150, 105), (140, 85, 45), (75, 45, 25),
    (150, 225, 140), (50, 165, 60), (20, 85, 35), (195, 195, 195), (130, 130, 130), (70, 70, 70), (250, 195, 130),
    (240, 140, 30), (190, 95, 15), (250, 195, 210), (235, 120, 170), (190, 50, 110), (205, 170, 230), (140, 60, 190),
    (75, 25, 105), (240, 130, 125), (215, 40, 40), (125, 15, 20), (248, 248, 248), (250, 245, 160), (235, 220, 40),
    (175, 155, 20),
], dtype=np.float64)  # fmt: skip

#: The first part category's id.
FIRST_PART_ID = 2000


@dataclass(frozen=True, slots=True)
class Tables:
    """The ids of a world's categories in PACO."""

    objects: Mapping[str, int]
    """Object name → category id: sparse, 23 to 1196, as LVIS numbers them."""
    parts: Mapping[tuple[str, str], int]
    """(object, part) → category id: contiguous from 2000, in the order of the parts' names."""
    part_names: tuple[str, ...]
    """By `part_categories.id`, another id space."""


@lru_cache(maxsize=4)
def tables(world_seed: int) -> Tables:
    """The ids for a world."""
    world = build(world_seed)
    entries = [entry for _, entry in world.of_source("paco")]
    names = sorted(entry.name for entry in entries)
    ids = np.sort(generator(world_seed, "lvis ids").choice(np.arange(23, 1197), len(names), replace=False))
    pairs = sorted({(part, entry.name) for entry in entries for part in entry.patterns if part is not None})
    return Tables(
        objects={name: int(number) for name, number in zip(names, ids, strict=True)},
        parts={(name, part): FIRST_PART_ID + place for place, (part, name) in enumerate(pairs)},
        part_names=tuple(sorted({part for part, _ in pairs})),
    )


def color_attribute(rgb: np.ndarray) -> int:
    """The attribute id of the named color that is nearest to an RGB color (3,) from 0 to 255."""
    return int(((_RGB - rgb) ** 2).sum(axis=1).argmin())


def attribute_id(kind: str, name: str) -> int:
    """The id of an attribute. Raises ValueError if there is none of that name."""
    before = 0
    for other, names in ATTRIBUTES.items():
        if other == kind:
            return before + names.index(name)
        before += len(names)
    raise ValueError(f"PACO has no type of attribute called {kind!r}")


def _frequency(images: int) -> str:
    return "r" if images <= 10 else "c" if images <= 100 else "f"


def table_rows(ids: Tables, images: Mapping[int, int], instances: Mapping[int, int]) -> dict[str, Any]:
    """The tables of an annotation file, with the numbers of `images` and `instances` by category id."""

    def row(name: str, number: int, synset: str, kind: str) -> dict[str, Any]:
        seen = images.get(number, 0)
        return {
            "name": name, "id": number, "image_count": seen, "instance_count": instances.get(number, 0),
            "synset": synset, "frequency": _frequency(seen), "supercategory": kind,
        }  # fmt: skip

    objects = [row(name, number, f"{name.split('_(')[0]}.n.01", "OBJECT") for name, number in ids.objects.items()]
    parts = [row(f"{name}:{part}", number, part, "PART") for (name, part), number in ids.parts.items()]
    attributes: list[dict[str, Any]] = []
    by_type: dict[str, list[int]] = {}
    for kind, names in ATTRIBUTES.items():
        by_type[kind] = list(range(len(attributes), len(attributes) + len(names)))
        attributes += [
            {"supercategory": "ATTR", "id": number, "name": name}
            for number, name in zip(by_type[kind], names, strict=True)
        ]
    return {
        "categories": objects + parts,
        "part_categories": [
            {"supercategory": "PART", "id": number, "name": name} for number, name in enumerate(ids.part_names)
        ],
        "attributes": attributes,
        "attr_type_to_attr_idxs": by_type,
    }
