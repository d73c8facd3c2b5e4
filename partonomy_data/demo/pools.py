"""The pool that worlds choose from: object categories, how their parts hang together, and what each source calls them.

The YAML files in `pools/` hold the data. A part is placed by `at`, a point of the part that it is `of` (-1 to 1
across that part's box), and `by`, its own point that is put there; `size` is its half width and half height in units
of the object. `each` repeats a part for sides, positions or numbers; `plan` reuses the parts of a whole family.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

#: The six super-categories, each with its file of categories.
SUPER_CATEGORIES = {
    "animals": "animal",
    "vehicles": "vehicle",
    "craft": "craft",
    "tools": "tool",
    "furniture": "furniture",
    "kitchenware": "kitchenware",
}

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """A part of a category in the pool: what may be drawn, before a world has decided."""

    key: str
    """Unique in the category: side, position or number, then the part ("left front leg")."""
    part: str
    side: str | None
    position: str | None
    shapes: tuple[str, ...]
    on: str | None
    at: Pair
    by: Pair
    size: Pair
    turn: float
    """Degrees clockwise."""
    swing: float
    """By how many degrees a photograph may turn it either way."""
    layer: int
    """Parts of a lower layer are drawn first; within a layer, in the pool's order."""
    chance: float
    """How often an instance has the part."""
    world: float
    """How often the category has the part at all."""
    nested: bool
    """True where the part lies within the part that it hangs on, whose mask then covers it too."""
    round: bool
    """True where width and height must stay in proportion."""


@dataclass(frozen=True, slots=True)
class CategoryPlan:
    """A category in the pool, with its name in each source that may show it."""

    name: str
    super_category: str
    slots: tuple[SlotPlan, ...]
    paco: str | None
    pascal_part: str | None
    partimagenet: tuple[str, ...]
    """The super-category, then the ImageNet classes; empty if the source doesn't have it."""
    partonomy: tuple[str, ...]
    tilt: float
    """By how many degrees a photograph may tilt the object either way."""
    floats: bool
    """True where the object is seen in the air."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the sources call parts."""

    synonyms: Mapping[str, tuple[str, ...]]
    pascal_part: Mapping[str, Mapping[str, str]]
    partimagenet: Mapping[str, Mapping[str, tuple[str, ...]]]
    each: frozenset[str]


def _read(name: str) -> Any:
    text = (files("partonomy_data.demo") / "pools" / f"{name}.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _pair(value: Any, default: Pair = (0.0, 0.0)) -> Pair:
    return default if value is None else (float(value[0]), float(value[1]))


def _of_variant(table: Mapping[Any, Any] | None, variant: str, default: Any) -> Any:
    """What `table` says of a variant such as "left front", by the whole of it or by one of its words."""
    for key, value in (table or {}).items():
        if str(key) == variant or str(key) in variant.split():
            return value
    return default


def _expand(row: Mapping[str, Any]) -> Iterator[SlotPlan]:
    """One row of a pool as the slots that it stands for."""
    part = str(row["part"])
    given = " ".join(str(row[word]) for word in ("side", "position") if word in row)
    variants = {given: row.get("at")} if "each" not in row else {str(k): v for k, v in row["each"].items()}
    for variant, at in variants.items():
        words = variant.split()
        scale = float(_of_variant(row.get("scales"), variant, 1.0))
        width, height = _pair(row["size"])
        behind = row.get("behind") in words
        yield SlotPlan(
            key=str(row.get("as", f"{variant} {part}".strip())),
            part=part,
            side=next((word for word in words if word in ("left", "right")), None),
            position=next((word for word in words if word in ("front", "back")), None),
            shapes=tuple(row["shape"]),
            on=row["of"].replace("{}", variant) if "of" in row else None,
            at=_pair(at if at is not None else row.get("at")),
            by=_pair(row.get("by")),
            size=(width * scale, height * scale),
            turn=float(_of_variant(row.get("turns"), variant, row.get("turn", 0))),
            swing=float(row.get("swing", 0)),
            layer=int(_of_variant(row.get("layers"), variant, row.get("layer", 0))) - (3 if behind else 0),
            chance=float(_of_variant(row.get("chances"), variant, row.get("chance", 1))),
            world=float(row.get("world", 1)),
            nested=bool(row.get("nested", False)),
            round=bool(row.get("round", False)),
        )


def _adjusted(slots: list[SlotPlan], row: Mapping[str, Any]) -> list[SlotPlan]:
    """The slots of a family as one category has them: `without`, `onto`, `places`, `sizes`, `shapes`."""
    gone = set(row.get("without", ()))
    kept: list[SlotPlan] = []
    keys: set[str] = set()
    for slot in sorted(slots, key=lambda slot: slot.on is not None):
        onto = row.get("onto", {}).get(slot.part, slot.on)
        if slot.part not in gone:
            fx, fy = row.get("sizes", {}).get(slot.part, (1, 1))
            kept.append(
                replace(
                    slot,
                    on=onto,
                    at=_pair(row.get("places", {}).get(slot.key), slot.at),
                    size=(slot.size[0] * fx, slot.size[1] * fy),
                    shapes=tuple(row.get("shapes", {}).get(slot.part, slot.shapes)),
                )
            )
    while keys != (now := {slot.key for slot in kept}):
        keys = now
        kept = [slot for slot in kept if slot.on is None or slot.on in keys]
    order = {slot.key: number for number, slot in enumerate(slots)}
    return sorted(kept, key=lambda slot: order[slot.key])


@cache
def categories() -> tuple[CategoryPlan, ...]:
    """All categories of the pool, in the order of the files."""
    found = []
    for file, super_category in SUPER_CATEGORIES.items():
        content = _read(file)
        plans = {
            name: [slot for row in rows for slot in _expand(row)] for name, rows in content.get("plans", {}).items()
        }
        for name, row in content["categories"].items():
            family = _adjusted(plans[row["plan"]], row) if "plan" in row else []
            own = [slot for item in (*row.get("parts", ()), *row.get("extra", ())) for slot in _expand(item)]
            found.append(
                CategoryPlan(
                    name=name,
                    super_category=super_category,
                    slots=(*family, *own),
                    paco=row.get("paco"),
                    pascal_part=row.get("pascal_part"),
                    partimagenet=tuple(row.get("partimagenet", ())),
                    partonomy=tuple(row.get("partonomy", ())),
                    tilt=float(row.get("tilt", 4)),
                    floats=bool(row.get("floats", False)),
                )
            )
    return tuple(found)


@cache
def names() -> Names:
    """What the sources call parts."""
    content = _read("names")
    return Names(
        synonyms={concept: tuple(words) for concept, words in content["synonyms"].items()},
        pascal_part=content["pascal_part"],
        partimagenet={
            group: {part: tuple(concepts) for part, concepts in parts.items()}
            for group, parts in content["partimagenet"].items()
        },
        each=frozenset(content["each"]),
    )
