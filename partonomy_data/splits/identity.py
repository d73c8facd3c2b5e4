"""Which images are the same photograph: by the identity that sources give, by their bytes, or by their looks.

Looks join least of all. A hash that says nothing of its picture joins none; where more than `most_alike` photographs
are joined by looks, only those with equal hashes stay joined; and where that is still too many, none.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from partonomy_data.splits import alike, keyed
from partonomy_data.splits.settings import SplitSettings


@dataclass(frozen=True, slots=True)
class Photographs:
    """The clusters of images of one photograph. They are numbered in the order of their identities."""

    of: NDArray[np.int64]
    """The cluster of each image, in the order of the table; shape (images,)."""
    names: pa.StringArray
    """The name of each cluster: `pho_` and 16 hex digits, by the smallest identity of its images."""
    draw: NDArray[np.uint64]
    """A keyed number for each cluster."""

    def __len__(self) -> int:
        return len(self.draw)


def codes(column: pa.ChunkedArray, names: pa.Array) -> NDArray[np.int64]:
    """The position in `names` of each value of a column of strings; -1 where it is null or none of them."""
    found = pc.index_in(column, value_set=names).fill_null(-1)
    return np.asarray(found.to_numpy(), dtype=np.int64)


def text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column as plain strings, if it is encoded as a dictionary."""
    return column if column.type == pa.string() else column.cast(pa.string())


def names_of(column: pa.ChunkedArray) -> pa.Array:
    """The distinct values of a column of strings but null, in ascending order."""
    found = pc.drop_null(pc.unique(column))
    return found.take(pc.sort_indices(found))


def distinct(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The distinct values, ascending: `np.unique` by sorting, which is several times as fast where most are distinct."""
    found = np.sort(values)
    return found[np.concatenate([[True], found[1:] != found[:-1]])] if len(found) else found


def photographs(images: pa.Table, settings: SplitSettings) -> Photographs:
    """The clusters of the table `images` (image_id, photograph, sha256, phash; all but the first may be null)."""
    identity = pc.coalesce(text(images["photograph"]), text(images["image_id"]))
    names = names_of(identity)
    own = codes(identity, names)
    content = _numbered(text(images["sha256"]))
    label = _components(len(own), [_links(own), _links(content), *_looks(images["phash"], own, settings)])
    smallest = np.full(len(names), len(names), dtype=np.int64)
    np.minimum.at(smallest, label, own)
    of_name = distinct(smallest[label])
    of = np.searchsorted(of_name, smallest[label])
    chosen = names.take(pa.array(of_name))
    return Photographs(of, _named(chosen), keyed.numbers(chosen, settings.seed, "split"))


def _numbered(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """A number for each distinct value of a column of strings, -1 for null."""
    # Chunk by chunk, each chunk would come with a dictionary of all values before it.
    encoded = pc.dictionary_encode(column.combine_chunks())
    return np.asarray(encoded.indices.fill_null(-1), np.int64)


def _named(identities: pa.StringArray) -> pa.StringArray:
    def name(identity: str) -> str:
        return f"pho_{blake2b(identity.encode(), digest_size=8, person=b'cluster').hexdigest()}"

    made = [pa.array(map(name, some), pa.string()) for some in keyed.batches(identities)]
    return pa.concat_arrays(made) if made else pa.array([], pa.string())


def _links(values: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of rows, each with the first row of the same value (values under 0 have none), that join equal values."""
    rows = np.flatnonzero(values >= 0)
    first = np.full(int(values.max(initial=-1)) + 1, -1, dtype=np.int64)
    first[values[rows[::-1]]] = rows[::-1]
    return rows, first[values[rows]]


def _looks(
    phash: pa.ChunkedArray, own: NDArray[np.int64], settings: SplitSettings
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs of rows that look alike; `own` are the identities that crowds are counted in."""
    if settings.near_duplicate_bits is None:
        return []
    known = np.asarray(phash.is_valid().to_numpy(), dtype=bool)
    values = np.asarray(phash.fill_null(0).to_numpy(), dtype=np.uint64)
    rows = np.flatnonzero(known & alike.informative(values))
    hashes, first, which = np.unique(values[rows], return_index=True, return_inverse=True)
    pairs = alike.near_pairs(hashes, settings.near_duplicate_bits)
    group = _components(len(hashes), [(pairs[:, 0], pairs[:, 1])])
    crowded = _distinct(group[which], own[rows], len(hashes)) > settings.most_alike
    too_common = _distinct(which, own[rows], len(hashes)) > settings.most_alike
    pairs = pairs[~crowded[group[pairs[:, 0]]]]
    joined = ~too_common[which]
    equal = (rows[joined], rows[first][which[joined]])
    return [equal, (rows[first][pairs[:, 0]], rows[first][pairs[:, 1]])]


def _distinct(group: NDArray[np.int64], item: NDArray[np.int64], n_groups: int) -> NDArray[np.int64]:
    """How many different items each group has; shape (n_groups,)."""
    if not len(item):
        return np.zeros(n_groups, dtype=np.int64)
    n_items = int(item.max()) + 1
    return np.bincount(distinct(group * n_items + item) // n_items, minlength=n_groups)


def _components(n: int, links: list[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> NDArray[np.int64]:
    """A label for each of `n` nodes, equal where links join them; labels are from 0 and less than `n`."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not n:
        return np.empty(0, dtype=np.int64)
    ends = [np.concatenate(side) for side in zip(*links, strict=True)]
    graph = coo_array((np.ones(len(ends[0]), dtype=np.int8), (ends[0], ends[1])), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)
