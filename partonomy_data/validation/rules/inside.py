"""Parts inside their objects: the share of each part in its object's mask, and objects made of their parts.

A file of parts is compared with the file of objects beside it, of the same shard, a row group at a time; the sort order
of both makes that quick. Objects, or parts of an object, that lie in other files are looked up there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from partonomy_data.masks import Rle, area, containment, union
from partonomy_data.validation.rules.measured import Findings, Masks, checked, flat

#: What is read of an object; a mask is laid flat.
OBJECT_COLUMNS: Final = ("object_id", "mask", "mask_origin", "n_parts")
#: Objects whose parts are looked up in all files at a time.
_LOOKED_UP: Final = 512
#: Farther than this a share is not the one that was written down, as float32.
_ROUNDING: Final = 1e-6
_HALF: Final = 0.5

#: Gives the rows with these object_ids; masks laid flat.
LookUp = Callable[[Sequence[str]], pa.Table]


@dataclass(frozen=True, slots=True)
class Whole:
    """An object with a sound mask."""

    mask: Rle
    origin: str
    n_parts: int


@dataclass(slots=True)
class Wholes:
    """Objects by id: those of a file, whose row groups are read when they are needed, else those of all files."""

    file: pq.ParquetFile | None
    elsewhere: LookUp
    _held: dict[int, pa.Table] = field(default_factory=dict)

    def of(self, ids: Sequence[str]) -> dict[str, Whole]:
        """The objects of `ids` (distinct, sorted) that are there and have a sound mask."""
        rows = [table for group in self._groups(ids) if (table := self._among(group, ids)).num_rows]
        seen = {key for table in rows for key in table["object_id"].to_pylist()}
        missing = [key for key in ids if key not in seen]
        if missing:
            rows.append(self.elsewhere(missing))
        return {key: whole for table in rows for key, whole in _wholes(table)}

    def _groups(self, ids: Sequence[str]) -> Iterable[int]:
        """The row groups that may have one of the objects."""
        if self.file is None:
            return
        column = self.file.schema.names.index("object_id")
        for group in range(self.file.metadata.num_row_groups):
            seen = self.file.metadata.row_group(group).column(column).statistics
            if seen is None or not seen.has_min_max or bisect_left(ids, seen.min) < bisect_right(ids, seen.max):
                yield group

    def _among(self, group: int, ids: Sequence[str]) -> pa.Table:
        if group not in self._held:
            # What comes in order needs the group that was read last, and at a seam the next one.
            for old in list(self._held)[:-1]:
                del self._held[old]
            assert self.file is not None
            self._held[group] = flat(self.file.read_row_group(group, columns=list(OBJECT_COLUMNS)))
        table = self._held[group]
        return table.filter(pc.is_in(table["object_id"], pa.array(ids, pa.string())))


def _wholes(rows: pa.Table) -> Iterable[tuple[str, Whole]]:
    masks = checked(rows)
    plain = (rows[name].to_pylist() for name in ("object_id", "mask_origin", "n_parts"))
    for i, (key, origin, n_parts) in enumerate(zip(*plain, strict=True)):
        rle = masks.rle(i)
        if rle is not None:
            yield key, Whole(rle, origin, n_parts)


@dataclass(slots=True)
class Unions:
    """The parts seen so far of objects that are said to be the union of their parts."""

    wholes: dict[str, Whole] = field(default_factory=dict)
    masks: dict[str, Rle] = field(default_factory=dict)
    n_parts: Counter[str] = field(default_factory=Counter)
    unsure: set[str] = field(default_factory=set)
    """Objects with a part whose mask can't be used, which is told by itself."""

    def add(self, key: str, whole: Whole, parts: Sequence[Rle | None]) -> None:
        """Further parts of an object; None for one whose mask can't be used."""
        self.wholes[key] = whole
        self.n_parts[key] += len(parts)
        self._unite(key, parts)

    def judge(self, parts_of: LookUp, findings: Findings) -> None:
        """Finds objects with pixels that none of their parts has. `parts_of` gives all parts of objects."""
        lacking = [key for key in self.wholes if not self._covered(key)]
        elsewhere = [key for key in lacking if self.n_parts[key] != self.wholes[key].n_parts]
        for start in range(0, len(elsewhere), _LOOKED_UP):
            rows = parts_of(elsewhere[start : start + _LOOKED_UP])
            masks = checked(rows)
            for i, key in enumerate(rows["object_id"].to_pylist()):
                self._unite(key, [_fitting(masks.rle(i), self.wholes[key].mask)])
        for key in lacking:
            if not self._covered(key):
                findings.add("objects", "covered_by_parts", key, "its mask has pixels that none of its parts has")

    def _unite(self, key: str, parts: Sequence[Rle | None]) -> None:
        usable = [rle for rle in parts if rle is not None]
        if len(usable) < len(parts):
            self.unsure.add(key)
        if usable:
            self.masks[key] = union([self.masks[key], *usable] if key in self.masks else usable)

    def _covered(self, key: str) -> bool:
        whole = self.wholes[key].mask
        if key in self.unsure or not area(whole):
            return True
        return key in self.masks and float(containment([whole], [self.masks[key]])[0, 0]) == 1


def place(rows: pa.Table, masks: Masks, wholes: Wholes, unions: Unions, findings: Findings) -> None:
    """Finds parts (`part_id`, `object_id`, `match_overlap`) that don't lie in their objects as they should."""
    codes = rows["object_id"].combine_chunks().dictionary_encode()
    keys: list[str] = codes.dictionary.to_pylist()
    found = wholes.of(sorted(keys))
    index = np.asarray(codes.indices)
    order = np.argsort(index, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(index[order])) + 1) if len(order) else []
    shares = np.full(len(index), np.nan)
    for some in members:
        key = keys[int(index[some[0]])]
        if key in found:
            _share(key, found[key], some, masks, unions, shares)
    _judge(rows, [found.get(key) for key in keys], index, shares, findings)


def _share(
    key: str, whole: Whole, some: NDArray[np.int64], masks: Masks, unions: Unions, shares: NDArray[np.float64]
) -> None:
    """Writes the shares of an object's parts, by their places `some`, into `shares`. An empty part has none."""
    parts = [_fitting(masks.rle(i), whole.mask) for i in some.tolist()]
    usable = [(i, rle) for i, rle in zip(some.tolist(), parts, strict=True) if rle is not None and masks.areas[i]]
    if usable:
        shares[[i for i, _ in usable]] = containment([rle for _, rle in usable], [whole.mask])[:, 0]
    if whole.origin == "union_of_parts":
        unions.add(key, whole, parts)


def _fitting(part: Rle | None, whole: Rle) -> Rle | None:
    """The part if its mask can be compared with that of `whole`."""
    return part if part is not None and (part.height, part.width) == (whole.height, whole.width) else None


def _judge(
    rows: pa.Table,
    wholes: Sequence[Whole | None],
    index: NDArray[np.int64],
    shares: NDArray[np.float64],
    findings: Findings,
) -> None:
    keys, told = rows["part_id"], np.asarray(pc.fill_null(rows["match_overlap"], np.nan).to_numpy(), np.float64)
    made = np.array([whole is not None and whole.origin == "union_of_parts" for whole in wholes], bool)[index]
    wrong: Mapping[str, NDArray[np.bool_]] = {
        "inside_its_union": made & (shares < 1),
        "overlap_of_masks": np.abs(shares - told) > _ROUNDING,
        "mostly_inside_object": ~made & (shares < _HALF) & (shares > 0),
        "touches_object": ~made & (shares == 0),
    }
    for rule, which in wrong.items():
        for i in np.flatnonzero(which).tolist():
            reason = f"{shares[i]:.2%} of it lies in its object"
            if rule == "overlap_of_masks":
                reason += f", match_overlap is {told[i]:g}"
            findings.add("parts", rule, keys[i].as_py(), reason)
