"""What the demo world's drawing code knows, joined to the published ids by names and masks alone."""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from partonomy_data.store import Store

Row = dict[str, Any]

#: Parts of the world that are a kind of something that has a plain word of its own: a cat's paw is a foot.
KINDS: Mapping[str, str] = {
    "fuselage": "body",
    "hoof": "foot",
    "hull": "body",
    "lower leg": "leg",
    "paw": "foot",
    "rotor blade": "blade",
    "saddle": "seat",
    "side mirror": "mirror",
    "tail fin": "fin",
    "tail rotor": "rotor",
    "torso": "body",
    "upper leg": "leg",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A category as one source has it."""

    source: str
    name: str
    """As `world.json` writes it: for PartImageNet the class, not the wnid."""
    category: str
    """The world's category."""
    parts: Mapping[str, frozenset[str]]
    """The source's name of a part (numbers replaced by `{n}`) → the world's parts that it covers."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A published object with what can truly be seen of it."""

    entry: Entry
    pixels: Mapping[str, int]
    """Canonical part name → visible pixels of all its instances, annotated or not; at least one."""
    concepts: Mapping[str, frozenset[str]]
    """Canonical part name → the world's parts that show."""
    annotated: frozenset[str]
    """The parts of which an instance is annotated, with a mask."""
    photograph: Row
    """The line of the truth, for the other objects in it."""
    places: frozenset[int]
    """Where the object is in the photograph's `objects`; several where the source takes them for one."""

    def as_annotated(self) -> Shown:
        """The same, as if nothing showed but what the source has a mask of."""
        pixels = {part: n for part, n in self.pixels.items() if part in self.annotated}
        return replace(self, pixels=pixels, concepts={part: self.concepts[part] for part in pixels})


@dataclass(frozen=True, slots=True)
class WorldTruth:
    """All that the judge goes by."""

    world_parts: Mapping[str, frozenset[str]]
    """The world's category → its parts."""
    entries: Mapping[str, tuple[Entry, ...]]
    """Canonical object category → what it is in the sources that have it in this world."""
    names: Mapping[tuple[str, str, str], str]
    """(source, entry, the source's name of a part) → canonical part name."""
    shown: Mapping[str, Shown]
    """object_id → what is seen."""
    uses: Mapping[tuple[str, str], frozenset[frozenset[str]]]
    """(source, canonical part name) → what it covers, in each category of the source."""

    def concepts(self, entry: Entry, part: str) -> frozenset[str]:
        """The world's parts that a canonical name means for an object of `entry`; empty if nothing is known of it.

        A name that the source has for other categories alone means what fits this one best.
        """
        own = [parts for raw, parts in entry.parts.items() if self.names[entry.source, entry.name, raw] == part]
        if own:
            return frozenset().union(*own)
        here = self.world_parts[entry.category]
        uses = sorted(
            self.uses.get((entry.source, part), ()), key=lambda use: (-len(use & here) / len(use), sorted(use))
        )
        return uses[0] if uses else frozenset()

    def is_own(self, entry: Entry, part: str) -> bool:
        """Whether the source has this name for a part of this very category."""
        return any(self.names[entry.source, entry.name, raw] == part for raw in entry.parts)

    def world_categories(self, object_category: str) -> frozenset[str]:
        """The world's categories that a canonical name stands for; empty if this world has none."""
        return frozenset(entry.category for entry in self.entries.get(object_category, ()))

    def words(self, object_category: str) -> frozenset[str]:
        """The canonical part names that the sources use for things of this name."""
        return frozenset(
            self.names[entry.source, entry.name, raw]
            for entry in self.entries.get(object_category, ())
            for raw in entry.parts
        )

    def has(self, object_category: str, concepts: frozenset[str]) -> bool | None:
        """Whether things of this name have these parts of the world; None if only some, or if there are no such things."""
        worlds = self.world_categories(object_category)
        if not worlds or not concepts:
            return None
        found = frozenset().union(*(self.world_parts[one] for one in worlds))
        shared = sum(any(alike(one, other) for other in found) for one in concepts)
        return False if not shared else True if shared == len(concepts) else None


def same_word(one: str, other: str) -> bool:
    """Whether two names are the same word, with or without a qualifier, or one names a kind of the other."""
    return alike(one, other) or one.endswith(f" {other}") or other.endswith(f" {one}")


def alike(one: str, other: str) -> bool:
    """Whether two parts of the world are the same, or one is a kind of the other."""
    return one == other or KINDS.get(one) == other or KINDS.get(other) == one


def plain(source: str, source_category: str, group: str = "") -> str:
    """The part that a source's category names, without the object, as `world.json` writes it."""
    if source == "paco":
        return source_category.rpartition(":")[2]
    if source == "partonomy":
        return source_category.partition("--part:")[2]
    if source == "partimagenet":
        return source_category.removeprefix(group).strip()
    return re.sub(r"_\d+$", "_{n}", source_category)


def read(store: Store, truth: Path) -> WorldTruth:
    """Reads a demo world's truth for a store of it."""
    world = json.loads((truth / "world.json").read_text("utf-8"))
    photographs = _photographs(truth)
    wnids = {
        thing["object_key"]: thing["source_category"]
        for line in photographs["partimagenet"].values()
        for thing in line["objects"]
        if thing["object_key"]
    }
    made: dict[tuple[str, str], Entry] = {}
    groups: dict[tuple[str, str], str] = {}
    for source, rows in world["sources"].items():
        for row in rows:
            parts = {raw: frozenset(concepts) for raw, concepts in row["parts"].items()}
            made[source, row["source_category"]] = Entry(source, row["source_category"], row["category"], parts)
            groups[source, row["source_category"]] = row["group"]
    objects = store.table("objects").to_pylist()
    key_of = {
        row["object_id"]: (row["source"], wnids.get(row["source_category"], row["source_category"])) for row in objects
    }
    names = _names(store, made, groups, key_of)
    uses: defaultdict[tuple[str, str], set[frozenset[str]]] = defaultdict(set)
    for (source, entry, raw), part in names.items():
        uses[source, part].add(made[source, entry].parts[raw])
    shown = {}
    file_names = {
        row["image_id"]: row["file_name"] for row in store.table("images", ["image_id", "file_name"]).to_pylist()
    }
    for row in objects:
        line = photographs[row["source"]][file_names[row["image_id"]]]
        places = _places(row, line["objects"])
        shown[row["object_id"]] = _shown(made[key_of[row["object_id"]]], line, places, names)
    return WorldTruth(
        {row["category"]: frozenset(row["parts"]) for row in world["categories"]},
        _entries(store, made, wnids),
        names,
        shown,
        {key: frozenset(value) for key, value in uses.items()},
    )


def _photographs(truth: Path) -> dict[str, dict[str, Row]]:
    found: dict[str, dict[str, Row]] = {}
    for path in sorted(truth.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            found[path.name.removesuffix(".jsonl.gz")] = {row["file_name"]: row for row in map(json.loads, file)}
    return found


def _names(
    store: Store,
    made: Mapping[tuple[str, str], Entry],
    groups: Mapping[tuple[str, str], str],
    key_of: Mapping[str, tuple[str, str]],
) -> dict[tuple[str, str, str], str]:
    """Canonical names as the annotated parts have them; for one that no category shows, as another category has it."""
    seen: dict[tuple[str, str, str], str] = {}
    anywhere: dict[tuple[str, str], str] = {}
    for row in store.table("parts", ["object_id", "part_category", "source_category"]).to_pylist():
        key = key_of[row["object_id"]]
        raw = plain(key[0], row["source_category"], groups[key])
        assert seen.setdefault((*key, raw), row["part_category"]) == row["part_category"]
        anywhere.setdefault((key[0], raw), row["part_category"])
    known = frozenset(anywhere.values())
    for key, entry in made.items():
        for raw in entry.parts:
            seen.setdefault((*key, raw), anywhere.get((key[0], raw)) or _spelled(raw, known))
    return seen


def _spelled(raw: str, known: frozenset[str]) -> str:
    """A name that no annotated part has, as the store would have it: plain, and in the singular if that is known."""
    name = re.sub("[_/]", " ", raw).lower()
    singular = name.removesuffix("s")
    return singular if singular in known else name


def _entries(
    store: Store, made: Mapping[tuple[str, str], Entry], wnids: Mapping[str, str]
) -> dict[str, tuple[Entry, ...]]:
    found: dict[str, tuple[Entry, ...]] = {}
    for row in store.table("object_categories", ["object_category", "source_categories"]).to_pylist():
        keys = [tuple(one.split(":", 1)) for one in row["source_categories"]]
        entries = [made.get((source, wnids.get(name, name))) for source, name in keys]
        found[row["object_category"]] = tuple(entry for entry in entries if entry)
    return found


def _places(row: Row, things: list[Row]) -> frozenset[int]:
    """Which of the drawn objects a published one is. PARTONOMY's labels don't tell two apart, so their masks do."""
    key = row["source_key"].removeprefix("object_")
    if row["source"] == "partonomy":
        found = [
            place
            for place, thing in enumerate(things)
            if thing["object_key"] == row["source_category"] and thing["rle"]["counts"] == row["mask"]["counts"]
        ]
    else:
        found = [place for place, thing in enumerate(things) if thing["object_key"] == key]
    assert found, row["object_id"]
    assert len(found) == 1 or row["source"] == "partimagenet", row["object_id"]
    return frozenset(found)


def _shown(entry: Entry, line: Row, places: frozenset[int], names: Mapping[tuple[str, str, str], str]) -> Shown:
    pixels: defaultdict[str, int] = defaultdict(int)
    concepts: defaultdict[str, set[str]] = defaultdict(set)
    annotated = set()
    for place in sorted(places):
        for part in line["objects"][place]["parts"]:
            raw = plain("", part["source_part"]) if entry.source == "pascal_part" else part["source_part"]
            name = names[entry.source, entry.name, raw]
            pixels[name] += part["pixels"]
            concepts[name] |= set(part["parts"])
            if part["annotated"]:
                annotated.add(name)
    covered = {key: frozenset(value) for key, value in concepts.items()}
    return Shown(entry, dict(pixels), covered, frozenset(annotated), line, places)
