"""What each source calls the categories and parts of a world, and which of the world's parts it labels together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from partonomy_data.demo import pools
from partonomy_data.demo.keyed import generator

#: The four sources, in the order in which a world lists them.
SOURCES = ("paco", "partimagenet", "pascal_part", "partonomy")

_IRREGULAR = {"foot": "feet"}


@dataclass(frozen=True, slots=True)
class SlotName:
    """One part of a category, as naming needs to know it."""

    part: str
    side: str | None
    position: str | None
    parent: int
    """Index of the part that it hangs on, -1 for the first."""


@dataclass(frozen=True, slots=True)
class SourceCategory:
    """A category as one source has it."""

    name: str
    """The source's name of the object: PACO's category, the wnid's class, Pascal's class, PARTONOMY's label."""
    group: str
    """PartImageNet's super-category, PARTONOMY's category; empty for the others."""
    patterns: tuple[str | None, ...]
    """By slot, the source's name of the part, None where it doesn't label it. {s} {S} {p} {n}: see `names.yaml`."""
    apart: frozenset[str]
    """The patterns whose instances are annotated one by one; the others become one mask for each name."""


@dataclass(frozen=True, slots=True)
class SourcePart:
    """A part that a source would label: its name there, and the slots that make it up."""

    name: str
    pattern: str
    slots: tuple[int, ...]


def plural(name: str) -> str:
    """The plural of a part's name, enough for the words of the pool."""
    head, _, last = name.rpartition(" ")
    if last in _IRREGULAR:
        return f"{head} {_IRREGULAR[last]}".strip()
    return name + ("es" if name.endswith(("s", "sh", "ch", "x")) else "s")


def word_choices(world_seed: int) -> dict[str, tuple[str, str]]:
    """Concept → (PACO's word, PARTONOMY's word). Three times in four they differ where there are synonyms."""
    chosen = {}
    for concept, words in sorted(pools.names().synonyms.items()):
        rng = generator(world_seed, "word", concept)
        first = int(rng.integers(len(words)))
        second = (first + 1) % len(words) if rng.random() < 0.75 else first
        chosen[concept] = (words[first], words[second])
    return chosen


def _paco(plan: pools.CategoryPlan, slots: Sequence[SlotName], words: dict[str, tuple[str, str]]) -> SourceCategory:
    patterns = [words.get(slot.part, (slot.part, ""))[0].replace(" ", "_").replace("-", "_") for slot in slots]
    return SourceCategory(plan.paco or "", "", tuple(patterns), frozenset())


def _partimagenet(plan: pools.CategoryPlan, slots: Sequence[SlotName]) -> list[SourceCategory]:
    names = pools.names()
    group, *classes = plan.partimagenet
    covers = {concept: part for part, concepts in names.partimagenet[group].items() for concept in concepts}
    patterns = tuple(covers.get(slot.part) for slot in slots)
    return [SourceCategory(name, group, patterns, names.each) for name in classes]


def _pascal_part(plan: pools.CategoryPlan, slots: Sequence[SlotName]) -> SourceCategory:
    codes = pools.names().pascal_part[plan.pascal_part or ""]
    patterns = tuple(codes.get(slot.part) for slot in slots)
    apart = frozenset(pattern for pattern in codes.values() if "{n}" in pattern)
    return SourceCategory(plan.pascal_part or "", "", patterns, apart)


def _partonomy(
    plan: pools.CategoryPlan, slots: Sequence[SlotName], words: dict[str, tuple[str, str]], world_seed: int
) -> list[SourceCategory]:
    several = {slot.part for slot in slots if sum(other.part == slot.part for other in slots) > 1}
    found = []
    for label in plan.partonomy:
        patterns, apart = [], set()
        for slot in slots:
            name = words.get(slot.part, ("", slot.part))[1].replace("-", " ")
            style = generator(world_seed, "style", label, slot.part).random()
            sided = (("{S} " if slot.side else "") + ("{P} " if slot.position else "")) + name
            if slot.part in words and generator(world_seed, "slash", label, slot.part).random() < 0.08:
                name = sided = "/".join(dict.fromkeys(words[slot.part]))
            if slot.part in several and style < 0.45:
                patterns.append(plural(name))
            elif style < 0.75:
                patterns.append(name)
                apart.add(name)
            else:
                patterns.append(sided)
                apart.add(sided)
        found.append(SourceCategory(label, label.split("--")[0], tuple(patterns), frozenset(apart)))
    return found


def source_categories(
    plan: pools.CategoryPlan, slots: Sequence[SlotName], words: dict[str, tuple[str, str]], world_seed: int
) -> dict[str, list[SourceCategory]]:
    """The category in each source that may show it: several classes or concepts in PartImageNet and PARTONOMY."""
    found: dict[str, list[SourceCategory]] = {}
    if plan.paco:
        found["paco"] = [_paco(plan, slots, words)]
    if plan.partimagenet:
        found["partimagenet"] = _partimagenet(plan, slots)
    if plan.pascal_part:
        found["pascal_part"] = [_pascal_part(plan, slots)]
    if plan.partonomy:
        found["partonomy"] = _partonomy(plan, slots, words, world_seed)
    return found


def vocabulary(category: SourceCategory, slots: Sequence[SlotName]) -> dict[str, tuple[str, ...]]:
    """All the names of parts that the source may use for the category, each with what the world calls the parts."""
    found: dict[str, set[str]] = {}
    for slot, pattern in zip(slots, category.patterns, strict=True):
        if pattern is not None:
            for flipped in (False, True):
                found.setdefault(_resolver(pattern, flipped)(slot), set()).add(slot.part)
    return {name: tuple(sorted(concepts)) for name, concepts in sorted(found.items())}


def _resolver(pattern: str, flipped: bool) -> Callable[[SlotName], str]:
    """How a slot's name comes from its pattern.

    Objects are drawn with their right side toward us; a mirrored one shows its left side. What has no side of its own, but
    must have one in the source (the flank of a car), is on the side that we see.
    """
    other = {"left": "right", "right": "left"}

    def resolve(slot: SlotName) -> str:
        drawn = slot.side or "right"
        side = other[drawn] if flipped else drawn
        position = slot.position or ""
        name = pattern.replace("{s}", side[:1]).replace("{S}", side)
        return name.replace("{p}", position[:1]).replace("{P}", position)

    return resolve


def parts(category: SourceCategory, slots: Sequence[SlotName], shown: Iterable[int], flipped: bool) -> list[SourcePart]:
    """The source's parts that the slots `shown` make up, in the order of their first slot.

    Slots of one name are one part, unless the source annotates each (`apart`): then a slot joins the part of the slot
    that it hangs on if they share the name (a paw its leg, both "Foot"). "{n}" counts from 1 in the order of the slots.
    """
    groups: dict[tuple[str, int], list[int]] = {}
    home: dict[int, int] = {}
    patterns: dict[tuple[str, int], str] = {}
    for index in sorted(shown, key=lambda index: (_depth(slots, index), index)):
        pattern = category.patterns[index]
        if pattern is None:
            continue
        name = _resolver(pattern, flipped)(slots[index])
        first = -1
        if pattern in category.apart:
            first = home.get(slots[index].parent, index) if _same(category, slots, index) else index
            home[index] = first
        groups.setdefault((name, first), []).append(index)
        patterns[name, first] = pattern
    found = []
    counters: dict[str, int] = {}
    for (name, first), members in sorted(groups.items(), key=lambda item: min(item[1])):
        counters[name] = counters.get(name, 0) + 1
        found.append(
            SourcePart(name.replace("{n}", str(counters[name])), patterns[name, first], tuple(sorted(members)))
        )
    return found


def _same(category: SourceCategory, slots: Sequence[SlotName], index: int) -> bool:
    parent = slots[index].parent
    return parent >= 0 and category.patterns[parent] == category.patterns[index]


def _depth(slots: Sequence[SlotName], index: int) -> int:
    depth = 0
    while slots[index].parent >= 0:
        index, depth = slots[index].parent, depth + 1
    return depth
