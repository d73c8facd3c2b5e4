"""The instances of a shard as arrays, from which the part sets of any few of them are made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from partonomy_data.questions import keyed
from partonomy_data.questions.truth import Bools, Sets

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lists:
    """A list of part codes for each instance."""

    offsets: Ints
    codes: Ints

    @classmethod
    def of(cls, column: pa.ChunkedArray, names: pa.Array) -> Lists:
        """From a column of lists of strings, all of which are among `names`."""
        whole = column.combine_chunks()
        offsets = np.concatenate([[0], np.cumsum(np.asarray(pc.list_value_length(whole)), dtype=np.int64)])
        codes = np.asarray(pc.index_in(whole.flatten(), value_set=names)).astype(np.int64)
        return cls(offsets, codes)

    def of_rows(self, rows: Ints) -> tuple[Ints, Ints]:
        """For the instances `rows`: place in `rows` and code of each item."""
        starts, lengths = self.offsets[rows], self.offsets[rows + 1] - self.offsets[rows]
        owner = np.repeat(np.arange(len(rows)), lengths)
        first = np.repeat(starts - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
        return owner, self.codes[first + np.arange(len(owner))]


@dataclass(frozen=True, slots=True)
class Instances:
    """A shard's instances, sorted by object_id; arrays have a row for each."""

    table: pa.Table
    """With the schema `instances.INSTANCES`."""
    parts: tuple[str, ...]
    """All part names that occur, sorted; codes are places here."""
    related: Bools
    """Parts × parts: equal, or related with any confidence."""
    visible: Lists
    tiny: Lists
    absent: Lists
    present: Lists
    """The object categories that are annotated in the photograph; codes are places in `names`."""
    names: tuple[str, ...]
    masks: pa.ListArray
    """For each visible part of each instance, in their order, the ids of its masks."""
    ids: NDArray[np.object_]
    categories: NDArray[np.object_]
    photographs: Ints
    standing: NDArray[np.int8]
    size: NDArray[np.float32]
    truncated: Bools
    known: Bools
    hashes: tuple[int, ...]
    """A keyed number of each instance's photograph and one of its own, mixed: 64 random bits."""

    def __len__(self) -> int:
        return len(self.table)

    def sets(self, rows: Ints, *, across: bool = False) -> Sets:
        """The part sets of the instances `rows`, over the parts that one of them shows.

        What an instance may have beside what it shows are its tiny parts. `across` is for instances of several
        categories, whose lists may call one thing a "left rod" and a "shaft rod": names that end alike count as
        related.
        """
        owner, code = self.visible.of_rows(rows)
        columns = np.unique(code)
        names = tuple(self.parts[place] for place in columns)
        related = self.related[np.ix_(columns, columns)]
        if across:
            heads = np.array([name.rsplit(" ", 1)[-1] for name in names], object)
            related = related | (heads[:, None] == heads[None, :])
        tiny = _matrix(*self.tiny.of_rows(rows), len(rows), columns)
        return Sets(names, _matrix(owner, code, len(rows), columns), tiny, related)

    def all_doubts(self, rows: Ints, sets: Sets) -> Sets:
        """The same with all that the instances are not known to lack as what they may have."""
        columns = np.searchsorted(np.array(self.parts, object), np.array(sets.parts, object))
        absent = _matrix(*self.absent.of_rows(rows), len(rows), columns)
        return replace(sets, doubt=~sets.visible & ~absent)

    def visible_places(self, row: int) -> dict[str, int]:
        """The visible parts of an instance, each with its place in `masks`."""
        start, end = int(self.visible.offsets[row]), int(self.visible.offsets[row + 1])
        return {self.parts[code]: start + at for at, code in enumerate(self.visible.codes[start:end].tolist())}

    def shown(self, rows: Iterable[int]) -> set[str]:
        """The object categories that are annotated in the photographs of the instances `rows`."""
        _, codes = self.present.of_rows(np.fromiter(rows, np.int64))
        return {self.names[code] for code in codes.tolist()}


def _matrix(owner: Ints, code: Ints, n: int, columns: Ints) -> Bools:
    out = np.zeros((n, len(columns)), bool)
    at = np.searchsorted(columns, code)
    known = np.flatnonzero(at < len(columns))
    known = known[columns[at[known]] == code[known]]
    out[owner[known], at[known]] = True
    return out


def _masks(table: pa.Table) -> pa.ListArray:
    """The masks by (instance, part): in a row they are sorted by part, as the row's visible parts are."""
    ids, parts = table["mask_ids"].combine_chunks(), table["mask_parts"].combine_chunks()
    owner = np.repeat(np.arange(len(ids)), np.asarray(pc.list_value_length(ids)))
    code = np.asarray(parts.flatten().dictionary_encode().indices)
    new = np.flatnonzero((np.diff(owner, prepend=-1) != 0) | (np.diff(code, prepend=-1) != 0))
    return pa.ListArray.from_arrays(pa.array(np.append(new, len(code)), pa.int32()), ids.flatten())


def arrays(table: pa.Table, parts: tuple[str, ...], related: Bools, clusters: pa.Array, seed: int) -> Instances:
    """The arrays of a table with the schema `instances.INSTANCES`, sorted by object_id.

    `parts` holds all names of parts in it; `clusters` says for each row which photograph it is.
    """
    names = pa.array(parts, pa.string())
    cluster = clusters.combine_chunks() if isinstance(clusters, pa.ChunkedArray) else clusters
    categories = pc.unique(pc.list_flatten(table["present"]))
    # The first bit decides the bucket's way of asking. It is the object's own, as all others are.
    ids = table["object_id"].to_pylist()
    hashes = tuple(keyed.number(seed, "bucket", one) for one in ids)
    return Instances(
        table=table,
        parts=parts,
        related=related,
        visible=Lists.of(table["visible"], names),
        tiny=Lists.of(table["tiny"], names),
        absent=Lists.of(table["absent"], names),
        present=Lists.of(table["present"], categories),
        names=tuple(categories.to_pylist()),
        masks=_masks(table),
        ids=np.array(ids, object),
        categories=np.array(table["object_category"].to_pylist(), object),
        photographs=np.asarray(cluster.dictionary_encode().indices).astype(np.int64),
        standing=np.asarray(table["standing"].combine_chunks()),
        size=np.asarray(table["size"].combine_chunks()),
        truncated=np.asarray(table["truncated"].combine_chunks()).astype(bool),
        known=np.asarray(table["known"].combine_chunks()).astype(bool),
        hashes=hashes,
    )
