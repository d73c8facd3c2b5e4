"""A world: some thirty object categories with their parts, proportions and names, all decided by one seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from partonomy_data.demo import naming, pools, shapes
from partonomy_data.demo.keyed import generator

#: Categories of each super-category in a world.
PER_SUPER_CATEGORY = 5


@dataclass(frozen=True, slots=True)
class Slot:
    """A part of a category as this world has it (see `pools.SlotPlan` for the placing)."""

    key: str
    part: str
    polygons: tuple[shapes.Points, ...]
    """Unit outlines, already of the part's half width and half height, in units of the object."""
    parent: int
    at: tuple[float, float]
    """Relative to the parent's center, in units of the object."""
    by: tuple[float, float]
    """Relative to the part's own center, in units of the object."""
    turn: float
    swing: float
    layer: int
    chance: float
    nested: bool


@dataclass(frozen=True, slots=True)
class Category:
    """An object category of this world."""

    name: str
    super_category: str
    slots: tuple[Slot, ...]
    """Parents before the parts that hang on them."""
    slot_names: tuple[naming.SlotName, ...]
    within: tuple[tuple[int, ...], ...]
    """By slot, the slots whose pixels count as its own: itself and all that is nested in it."""
    sources: dict[str, list[naming.SourceCategory]]
    tilt: float
    floats: bool

    @property
    def part_names(self) -> tuple[str, ...]:
        """The distinct parts, sorted."""
        return tuple(sorted({slot.part for slot in self.slots}))


@dataclass(frozen=True, slots=True)
class World:
    """The categories of a world, sorted by name within their super-categories."""

    seed: int
    categories: tuple[Category, ...]

    def of_source(self, source: str) -> list[tuple[int, naming.SourceCategory]]:
        """The source's categories, each with the index of the world's category that it shows."""
        return [
            (index, entry)
            for index, category in enumerate(self.categories)
            for entry in category.sources.get(source, [])
        ]


def _kept(plan: pools.CategoryPlan, seed: int) -> list[pools.SlotPlan]:
    """The slots that the category has in this world, parents first."""
    gone = {
        slot.key
        for slot in plan.slots
        if slot.world < 1 and generator(seed, "has", plan.name, slot.part).random() >= slot.world
    }
    kept: list[pools.SlotPlan] = []
    placed: set[str | None] = {None}
    waiting = [slot for slot in plan.slots if slot.key not in gone]
    while ready := [slot for slot in waiting if slot.on in placed]:
        kept += ready
        placed |= {slot.key for slot in ready}
        waiting = [slot for slot in waiting if slot.key not in placed]
    return kept


def _slot(plan: pools.CategoryPlan, slot: pools.SlotPlan, order: dict[str, int], seed: int) -> tuple[Slot, np.ndarray]:
    """The slot with this world's shape and proportions, which all slots of one part share; and its half size."""
    rng = generator(seed, "look", plan.name, slot.part)
    sizes = np.exp(np.clip(rng.normal(0, 0.13, 2), -0.25, 0.25))
    move = rng.uniform(0.9, 1.1, 2)
    lean = rng.uniform(0.75, 1.25), (rng.uniform(-5, 5) if slot.turn or slot.swing else 0.0)
    if slot.round:
        sizes[1] = sizes[0]
    shape = slot.shapes[int(generator(seed, "shape", plan.name, slot.part, *slot.shapes).integers(len(slot.shapes)))]
    half = np.array(slot.size) * sizes
    made = Slot(
        key=slot.key,
        part=slot.part,
        polygons=tuple(polygon * half for polygon in shapes.outline(shape)),
        parent=order[slot.on] if slot.on else -1,
        at=(slot.at[0] * move[0], slot.at[1] * move[1]),
        by=(slot.by[0] * half[0], slot.by[1] * half[1]),
        turn=slot.turn * lean[0] + (lean[1] if not slot.side else 0),
        swing=slot.swing,
        layer=slot.layer,
        chance=slot.chance if slot.on else 1.0,
        nested=slot.nested,
    )
    return made, half


def _within(slots: list[Slot]) -> tuple[tuple[int, ...], ...]:
    members = [[index] for index in range(len(slots))]
    for index in reversed(range(len(slots))):
        if slots[index].nested:
            members[slots[index].parent] += members[index]
    return tuple(tuple(sorted(group)) for group in members)


def _category(plan: pools.CategoryPlan, words: dict[str, tuple[str, str]], seed: int) -> Category:
    plans = _kept(plan, seed)
    order = {slot.key: index for index, slot in enumerate(plans)}
    slots: list[Slot] = []
    halves: list[np.ndarray] = []
    for item in plans:
        slot, half = _slot(plan, item, order, seed)
        if slot.parent >= 0:
            parent = halves[slot.parent]
            slot = replace(slot, at=(slot.at[0] * parent[0], slot.at[1] * parent[1]))
        slots.append(slot)
        halves.append(half)
    names = tuple(
        naming.SlotName(item.part, item.side, item.position, slot.parent)
        for item, slot in zip(plans, slots, strict=True)
    )
    return Category(
        name=plan.name,
        super_category=plan.super_category,
        slots=tuple(slots),
        slot_names=names,
        within=_within(slots),
        sources=naming.source_categories(plan, names, words, seed),
        tilt=plan.tilt,
        floats=plan.floats,
    )


def _suits(categories: list[Category]) -> bool:
    """Whether a choice of categories gives each source enough to show, and the mix of rich and plain categories."""
    by_source = {source: [c for c in categories if source in c.sources] for source in naming.SOURCES}
    with_codes = [c for c in by_source["pascal_part"] if any(c.sources["pascal_part"][0].patterns)]
    groups = {entry.group for c in by_source["partimagenet"] for entry in c.sources["partimagenet"]}
    labels = [entry.name.split("--")[1] for c in by_source["partonomy"] for entry in c.sources["partonomy"]]
    shared = sum(len(c.sources) >= 2 for c in categories)
    sizes = [len(c.part_names) for c in categories]
    return (
        len(by_source["paco"]) >= 20
        and len(with_codes) >= 7
        and len(with_codes) < len(by_source["pascal_part"])
        and len(groups) >= 4
        and len(labels) >= 24
        and len(set(labels)) < len(labels)
        and shared >= 22
        and sum("hood" in c.part_names or "truck bed" in c.part_names for c in categories) <= 2
        and sum({"pedal", "fuel tank", "deck"} & set(c.part_names) != set() for c in categories) >= 1
        and min(sizes) <= 3
        and max(sizes) >= 13
        and 74 <= len({part for c in categories for part in c.part_names}) <= 92
    )


def _leave_without_parts(categories: list[Category], seed: int) -> None:
    """One plain category has no part categories in PACO, as "ball" and "napkin" there."""
    plain = [category for category in categories if "paco" in category.sources and len(category.part_names) <= 5]
    chosen = plain[int(generator(seed, "no parts in paco").integers(len(plain)))]
    entry = chosen.sources["paco"][0]
    chosen.sources["paco"] = [replace(entry, patterns=(None,) * len(entry.patterns))]


@lru_cache(maxsize=4)
def build(seed: int) -> World:
    """The world of a seed. The same seed gives the same world, in any process."""
    words = naming.word_choices(seed)
    made = {plan.name: _category(plan, words, seed) for plan in pools.categories()}
    for attempt in range(5000):
        rng = generator(seed, "categories", attempt)
        chosen: list[Category] = []
        for super_category in pools.SUPER_CATEGORIES.values():
            family = [category for category in made.values() if category.super_category == super_category]
            picks = rng.permutation(len(family))[:PER_SUPER_CATEGORY]
            chosen += sorted((family[pick] for pick in picks), key=lambda category: category.name)
        if _suits(chosen):
            _leave_without_parts(chosen, seed)
            return World(seed, tuple(chosen))
    raise RuntimeError(f"no choice of categories suits world seed {seed}")
