"""The leakage report: what a table of splits lets through, found by other means than those that made it.

Shared photographs are found in SQL: by identity, by bytes, and by looks with a join on bands of the hashes' bits (two
hashes that differ in d bits agree in at least one of d + 1 bands). Held-out things are looked for in the photographs
of `train` and `val`.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from partonomy_data.splits.alike import ONES
from partonomy_data.splits.settings import SplitSettings
from partonomy_data.splits.unseen import HeldOut

if TYPE_CHECKING:
    import duckdb

#: Leaks of a kind that are written out; all are counted.
EXAMPLES: Final = 20
#: Hashes that share a band of bits with more hashes than this are not compared by it, but counted: it bounds the time.
MOST_IN_BAND: Final = 5000
#: What DuckDB may hold in memory; what is more goes to disk.
_MEMORY: Final = "256MB"
_KINDS: Final = {
    "object": "object_category",
    "part": "part_category",
    "pair": "object_category || ': ' || part_category",
}


def leakage(
    table: pa.Table,
    images: pa.Table,
    labels: pa.Table | None = None,
    held_out: HeldOut | None = None,
    settings: SplitSettings | None = None,
) -> dict[str, Any]:
    """What the splits in `table` (as in the table `splits`) let through; plain data, for JSON.

    `images` and `labels` are as for `assign`; without `labels` held-out things are not looked for. `held_out` are the
    things that training should never see; if it isn't given, those that `table` names in its column. `settings` say
    what looks the same, and are the defaults if not given.

    `clean` says that nothing was found. `shared` has for each kind of identity (`cluster`, `photograph`, `sha256`,
    `phash`) the number `n` of photographs in several splits and the first `examples`. `alike_by_chance` counts the
    photographs that look like too many others to be the same, `not_compared` hashes that were too close to too many.
    """
    import duckdb

    settings = (settings or SplitSettings()).checked()
    with tempfile.TemporaryDirectory() as spill, duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{_MEMORY}'; SET preserve_insertion_order = false")
        connection.execute(f"SET temp_directory = '{spill}'")
        connection.register("given_splits", table)
        connection.register("given_images", images)
        connection.execute(
            "CREATE TABLE placed AS SELECT image_id, s.source, s.split, s.cluster, s.reason, s.held_out, "
            "coalesce(i.photograph, image_id) AS photograph, i.sha256, i.phash "
            "FROM given_splits AS s LEFT JOIN given_images AS i USING (image_id)"
        )
        shared = {column: _shared(connection, column) for column in ("cluster", "photograph", "sha256")}
        shared["phash"], chance, not_compared = _alike(connection, settings)
        report: dict[str, Any] = {
            "shared": shared,
            "alike_by_chance": chance,
            "not_compared": not_compared,
            "without_split": _number(connection, "SELECT count(*) FROM given_images ANTI JOIN placed USING (image_id)"),
            "counts": _rows(
                connection,
                "SELECT split, source, reason, count(*) AS images, count(DISTINCT cluster) AS photographs "
                "FROM placed GROUP BY ALL ORDER BY ALL",
            ),
        }
        seen: dict[str, list[str]] = {}
        if labels is not None:
            connection.register("given_labels", labels)
            connection.execute(
                "CREATE TABLE shows AS SELECT DISTINCT split, object_category, part_category "
                "FROM given_labels JOIN placed USING (image_id)"
            )
            seen = _held_out_in_training(connection, held_out)
            report["held_out_in_training"] = seen
            report["never_in_training"] = _never_in_training(connection)
    leaks = sum(found["n"] for found in shared.values()) + sum(map(len, seen.values())) + report["without_split"]
    return {"clean": not leaks, **report}


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = connection.sql(query).to_arrow_table().to_pylist()
    return found


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    (row,) = connection.execute(query).fetchall()
    return int(row[0])


def _shared(connection: duckdb.DuckDBPyConnection, column: str) -> dict[str, Any]:
    """Photographs that are in several splits, by equal values of a column."""
    groups = (
        f"SELECT {column} AS value, list_sort(list(DISTINCT split)) AS splits, list_sort(list(image_id))[:{EXAMPLES}] "
        f"AS images FROM placed WHERE {column} IS NOT NULL GROUP BY {column} HAVING count(DISTINCT split) > 1"
    )
    n = _number(connection, f"SELECT count(*) FROM ({groups})")
    return {"n": n, "examples": _rows(connection, f"{groups} ORDER BY value LIMIT {EXAMPLES}")}


def _alike(connection: duckdb.DuckDBPyConnection, settings: SplitSettings) -> tuple[dict[str, Any], int, int]:
    """Photographs in several splits that look alike; how many are left out as a crowd; hashes not compared."""
    if settings.near_duplicate_bits is None:
        return {"n": 0, "examples": []}, 0, 0
    connection.execute(
        "CREATE TABLE looks AS SELECT DISTINCT phash AS h FROM placed "
        f"WHERE bit_count(phash) BETWEEN {ONES[0]} AND {ONES[1]}"
    )
    pairs, not_compared = _near(connection, settings.near_duplicate_bits)
    root: dict[int, int] = {}
    for a, b in pairs:
        one, other = _root(root, a), _root(root, b)
        root[max(one, other)] = min(one, other)
    by_hash: dict[int, list[tuple[str, str, str]]] = defaultdict(list)
    connection.register("joined", pa.table({"h": pa.array(sorted(root), pa.uint64())}))
    candidates = (
        "SELECT phash, image_id, photograph, split FROM placed JOIN looks ON h = phash "
        "WHERE h IN (SELECT h FROM joined) "
        "OR h IN (SELECT phash FROM placed GROUP BY phash HAVING count(DISTINCT split) > 1) ORDER BY image_id"
    )
    for phash, *rest in connection.execute(candidates).fetchall():
        by_hash[phash].append((rest[0], rest[1], rest[2]))
    by_root: dict[int, list[int]] = defaultdict(list)
    for phash in by_hash:
        by_root[_root(root, phash)].append(phash)
    return *_leaks(by_hash, by_root, settings.most_alike), not_compared


def _leaks(
    by_hash: dict[int, list[tuple[str, str, str]]], by_root: dict[int, list[int]], most_alike: int
) -> tuple[dict[str, Any], int]:
    """The groups of hashes in several splits, crowds taken apart; rows are (image, photograph, split)."""
    leaks, chance = [], 0
    for hashes in by_root.values():
        groups = [[row for phash in hashes for row in by_hash[phash]]]
        if _photographs(groups[0]) > most_alike:
            groups = [by_hash[phash] for phash in hashes]
        for group in groups:
            splits = sorted({split for _, _, split in group})
            if _photographs(group) > most_alike:
                chance += _photographs(group)
            elif len(splits) > 1:
                leaks.append({"splits": splits, "images": sorted(image for image, _, _ in group)[:EXAMPLES]})
    leaks.sort(key=lambda leak: leak["images"])
    return {"n": len(leaks), "examples": leaks[:EXAMPLES]}, chance


def _photographs(rows: list[tuple[str, str, str]]) -> int:
    return len({photograph for _, photograph, _ in rows})


def _root(root: dict[int, int], h: int) -> int:
    """The first of the hashes that `h` was joined to."""
    root.setdefault(h, h)
    while root[h] != h:
        root[h] = root[root[h]]
        h = root[h]
    return h


def _near(connection: duckdb.DuckDBPyConnection, bits: int) -> tuple[list[tuple[int, int]], int]:
    """Pairs of hashes that differ in at most `bits` bits, and how many hashes were left out of some comparison."""
    if not bits:
        return [], 0
    pairs: set[tuple[int, int]] = set()
    left_out = 0
    edges = [round(64 * i / (bits + 1)) for i in range(bits + 2)]
    for low, high in pairwise(edges):
        connection.execute(
            f"CREATE OR REPLACE TABLE banded AS SELECT h, (h >> {low}) & {(1 << (high - low)) - 1} AS band, "
            "count(*) OVER (PARTITION BY band) AS n FROM looks"
        )
        left_out += _number(connection, f"SELECT count(*) FROM banded WHERE n > {MOST_IN_BAND}")
        pairs.update(
            connection.execute(
                "SELECT a.h, b.h FROM banded AS a JOIN banded AS b ON a.band = b.band AND a.h < b.h "
                f"WHERE a.n <= {MOST_IN_BAND} AND bit_count(xor(a.h, b.h)) <= {bits}"
            ).fetchall()
        )
    return sorted(pairs), left_out


def _held_out_in_training(connection: duckdb.DuckDBPyConnection, held_out: HeldOut | None) -> dict[str, list[str]]:
    """The things that should not be seen in training, and are; by kind."""
    given: dict[str, set[str]] = {kind: set() for kind in _KINDS}
    if held_out is not None:
        given["object"] |= held_out.objects
        given["part"] |= held_out.parts
        given["pair"] |= {f"{thing}: {part}" for thing, part in held_out.pairs}
    else:
        for kind in _KINDS:
            query = f"SELECT DISTINCT held_out FROM placed WHERE reason = 'unseen_{kind}' AND held_out IS NOT NULL"
            given[kind] |= {row[0] for row in connection.execute(query).fetchall()}
    found = {}
    for kind, column in _KINDS.items():
        connection.register("wanted", pa.table({"name": pa.array(sorted(given[kind]), pa.string())}))
        query = f"SELECT DISTINCT {column} FROM shows WHERE split IN ('train', 'val') AND {column} IN (FROM wanted) ORDER BY 1"
        found[f"{kind}s"] = [row[0] for row in connection.execute(query).fetchall()]
    return found


def _never_in_training(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """How many things each test split shows that no photograph of `train` shows, held out or not."""
    counts = ", ".join(
        f"count(DISTINCT {column}) FILTER ({column} NOT IN (SELECT {column} FROM shows WHERE split = 'train' "
        f"AND {column} IS NOT NULL)) AS {kind}s"
        for kind, column in _KINDS.items()
    )
    return _rows(
        connection, f"SELECT split, {counts} FROM shows WHERE split LIKE 'test%' GROUP BY split ORDER BY split"
    )
