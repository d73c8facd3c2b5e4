"""What each photograph shows: object categories, part names, and which part of which object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from partonomy_data.splits.identity import Photographs, codes, distinct, names_of, text
from partonomy_data.taxonomy.algebra import PartRelations

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Incidence:
    """Which photographs show which things: distinct (photograph, thing), ascending."""

    photograph: Codes
    thing: Codes
    n_photographs: int
    n_things: int
    _start: Ints
    """Where each photograph's rows begin; shape (n_photographs + 1,)."""
    _by_thing: Codes
    """The rows in order of the things."""
    _first: Ints
    """Where each thing begins in `_by_thing`; shape (n_things + 1,)."""

    @classmethod
    def of(cls, photograph: Ints, thing: Ints, n_photographs: int, n_things: int) -> Incidence:
        """From pairs in any order, repeated or not."""
        keys = distinct(photograph * max(n_things, 1) + thing)
        one, other = (keys // max(n_things, 1)).astype(np.int32), (keys % max(n_things, 1)).astype(np.int32)
        del keys
        start = np.searchsorted(one, np.arange(n_photographs + 1))
        by_thing = np.argsort(other, kind="stable").astype(np.int32)
        first = np.concatenate([[0], np.cumsum(np.bincount(other, minlength=n_things))])
        return cls(one, other, n_photographs, n_things, start, by_thing, first)

    def count(self, photographs: Mask) -> Ints:
        """In how many of these photographs each thing is seen; shape (n_things,)."""
        return np.bincount(self.thing[photographs[self.photograph]], minlength=self.n_things)

    def showing(self, things: Mask) -> Mask:
        """The photographs that show any of these things; shape (n_photographs,)."""
        shows = np.zeros(self.n_photographs, dtype=bool)
        shows[self.photograph[things[self.thing]]] = True
        return shows

    def first(self, things: Mask) -> Ints:
        """The first of these things that each photograph shows, -1 where it shows none; shape (n_photographs,)."""
        found = np.full(self.n_photographs, -1, dtype=np.int64)
        rows = np.flatnonzero(things[self.thing])[::-1]
        found[self.photograph[rows]] = self.thing[rows]
        return found

    def photographs(self, thing: int) -> Codes:
        """The photographs that show one thing, ascending."""
        return self.photograph[self._by_thing[self._first[thing] : self._first[thing + 1]]]

    def tally(self, photographs: Codes) -> Ints:
        """In how many of these photographs, a few of all, each thing is seen; shape (n_things,)."""
        start, length = self._start[photographs], self._start[photographs + 1] - self._start[photographs]
        rows = np.repeat(start - (np.cumsum(length) - length), length) + np.arange(length.sum())
        return np.asarray(np.bincount(self.thing[rows], minlength=self.n_things), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the photographs show. A *family* is a part name with all names that are related to it, however distantly."""

    objects: list[str]
    parts: list[str]
    families: list[list[str]]
    """The names of each family, sorted; those without an instance too."""
    family_of: Ints
    """The family of each part name in `parts`."""
    pairs: list[tuple[int, int]]
    """(object, family) of each pair that is seen."""
    named_pairs: frozenset[tuple[str, str]]
    """The pairs of names that are seen."""
    of_object: Incidence
    of_part: Incidence
    of_pair: Incidence
    of_family: Incidence


def shown(images: pa.Table, labels: pa.Table, photographs: Photographs, relations: PartRelations) -> Shown:
    """What `labels` (image_id, object_category, part_category or null) says of the photographs.

    Raises ValueError if it names an image that `images` doesn't have.
    """
    image = codes(text(labels["image_id"]), text(images["image_id"]).combine_chunks())
    if (image < 0).any():
        missing = labels["image_id"][int(np.argmin(image))].as_py()
        raise ValueError(f"labels of an image that is not there: {missing}")
    objects, parts = names_of(text(labels["object_category"])), names_of(text(labels["part_category"]))
    thing, part = codes(text(labels["object_category"]), objects), codes(text(labels["part_category"]), parts)
    at, n = photographs.of[image], len(photographs)
    del image
    families, family_of = _families(parts.to_pylist(), relations)
    of_object = Incidence.of(at, thing, n, len(objects))
    at, thing, part = at[part >= 0], thing[part >= 0], part[part >= 0]
    named = distinct(thing * max(len(parts), 1) + part)
    family = family_of[part]
    pair = thing * max(len(families), 1) + family
    seen = distinct(pair)
    pair = np.searchsorted(seen, pair)
    del thing
    object_names, part_names = objects.to_pylist(), parts.to_pylist()
    return Shown(
        objects=object_names,
        parts=part_names,
        families=families,
        family_of=family_of,
        pairs=[(int(one // len(families)), int(one % len(families))) for one in seen],
        named_pairs=frozenset((object_names[one // len(parts)], part_names[one % len(parts)]) for one in named),
        of_object=of_object,
        of_part=Incidence.of(at, part, n, len(parts)),
        of_pair=Incidence.of(at, pair, n, len(seen)),
        of_family=Incidence.of(at, family, n, len(families)),
    )


def _families(parts: list[str], relations: PartRelations) -> tuple[list[list[str]], Ints]:
    """The families of the part names, in the order of their first names, and which one each name is of."""
    found: dict[str, list[str]] = {}
    for part in parts:
        if part not in found:
            family, known = [part], {part}
            for name in family:
                for other in relations.related(name):
                    if other not in known:
                        known.add(other)
                        family.append(other)
            family.sort()
            found.update(dict.fromkeys(family, family))
    families = sorted({family[0]: family for family in (found[part] for part in parts)}.values())
    index = {family[0]: i for i, family in enumerate(families)}
    return families, np.array([index[found[part][0]] for part in parts], dtype=np.int64)


def isolated(used: frozenset[str], parents: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """The names that have neither a broader nor a narrower one among `used`, of all that `parents` mentions or `used` has.

    Each comes with its descendants, whether used or not. A way up that comes back to itself ends there.
    """
    names = used | parents.keys() | frozenset(parent for above in parents.values() for parent in above)
    joined: set[str] = set()
    below: dict[str, set[str]] = {name: set() for name in used}
    for name in sorted(names):
        for high in _ancestors(name, parents):
            if high in below:
                below[high].add(name)
                if name in used:
                    joined |= {name, high}
    return {name: frozenset(below[name]) for name in sorted(used - joined)}


def _ancestors(name: str, parents: Mapping[str, frozenset[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        above = parents.get(waiting.pop(), frozenset()) - found
        found |= above
        waiting += above
    return found - {name}
