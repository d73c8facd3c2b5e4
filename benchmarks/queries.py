"""Queries over a store of a million parts: point look-ups and questions on the taxonomy, beside one plain Parquet file.

    python benchmarks/queries.py

The store is made and published as a build does it: rows sorted by id, one file for each source and shard. The plain
file holds the same rows in random order, with pyarrow's default settings; DuckDB and pyarrow's own reader query it.
All three answer the same queries in the same run, with parameters that change from call to call, and their answers
are compared. Target: every query on the store far below 100 ms.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pycocotools import mask as coco_mask

from partonomy_data.ids import image_prefix
from partonomy_data.store import Store, open, parquet, publish

PARTS, PHOTOGRAPHS, MASKS = 1_000_000, 80_000, 100_000
OBJECT_CATEGORIES, PART_CATEGORIES = 300, 400
#: Source → share of the photographs, and number of shards.
SOURCES = {"paco": (0.8, 16), "partimagenet": (0.1, 2), "pascal_part": (0.07, 1), "partonomy": (0.03, 1)}
CALLS = 31


@dataclass(frozen=True)
class Query:
    """A query of the benchmark; `{parts}` and the like stand for a table or a file."""

    title: str
    sql: str
    parameters: Sequence[str | None]


def masks(n: int, generator: np.random.Generator) -> pa.Array:
    """n outlines of parts in photographs of 640 x 480, as COCO's compressed counts (some 200 bytes each)."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.empty((n, 48))
    radius = generator.lognormal(3.4, 0.4, (n, 1)) * generator.normal(1, 0.08, (n, 24))
    ring[:, 0::2] = generator.uniform(80, 560, (n, 1)) + radius * np.cos(angle)
    ring[:, 1::2] = generator.uniform(80, 400, (n, 1)) + radius * np.sin(angle)
    drawn = coco_mask.frPyObjects(ring.clip(0, 479).tolist(), 480, 640)
    return pa.array([rle["counts"].decode() for rle in drawn])


def ids(kind: str, prefixes: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Ids as the build makes them: a kind, the photograph's six digits, ten of its own."""
    own = np.char.mod("%010x", generator.integers(0, 1 << 40, len(prefixes)))
    return np.char.add(np.char.add(kind, prefixes), own)


def made_up(seed: int = 0) -> dict[str, pa.Table]:
    """Parts, objects, part_graph and category_graph of the size that all four sources have together; sorted by id."""
    generator = np.random.default_rng(seed)
    names, shares = list(SOURCES), [share for share, _ in SOURCES.values()]
    source = np.array(names)[generator.choice(len(names), PHOTOGRAPHS, p=shares)]
    image = np.char.add(np.char.add(source, "/"), np.char.mod("%012d", np.arange(PHOTOGRAPHS)))
    prefix = np.array([image_prefix(name) for name in image.tolist()])
    in_image = np.repeat(np.arange(PHOTOGRAPHS), generator.integers(2, 7, PHOTOGRAPHS))
    category = generator.zipf(1.3, len(in_image)) % OBJECT_CATEGORIES
    object_id = ids("obj_", prefix[in_image], generator)
    of_object = np.sort(generator.choice(len(in_image), PARTS))
    part = (category[of_object] * 7 + generator.integers(0, 12, PARTS) ** 2 // 12) % PART_CATEGORIES
    counts = masks(MASKS, generator).take(pa.array(generator.integers(0, MASKS, PARTS)))
    size = pa.FixedSizeListArray.from_arrays(pa.array(np.tile(np.array([480, 640], np.int32), PARTS)), 2)
    box = pa.array(generator.uniform(0, 400, 4 * PARTS).astype(np.float32))
    part_names = np.char.mod("part %d", np.arange(PART_CATEGORIES))
    object_names = np.char.mod("object %d", np.arange(OBJECT_CATEGORIES))
    parts = pa.table(
        {
            "part_id": ids("prt_", prefix[in_image[of_object]], generator),
            "object_id": object_id[of_object],
            "image_id": image[in_image[of_object]],
            "source": source[in_image[of_object]],
            "part_category": part_names[part],
            "source_category": np.char.upper(part_names)[part],
            "bbox": pa.FixedSizeListArray.from_arrays(box, 4),
            "area": generator.integers(1, 50_000, PARTS),
            "mask": pa.StructArray.from_arrays([size, counts], ["size", "counts"]),
            "match_method": np.full(PARTS, "linked"),
            "source_key": np.char.mod("%d", generator.permutation(PARTS)),
        }
    )
    objects = pa.table(
        {
            "object_id": object_id,
            "image_id": image[in_image],
            "source": source[in_image],
            "object_category": object_names[category],
            "source_category": object_names[category],
            "mask_origin": np.full(len(in_image), "none"),
            "merged": np.zeros(len(in_image), bool),
            "n_parts": np.bincount(of_object, minlength=len(in_image)),
            "source_key": np.char.mod("%d", np.arange(len(in_image))),
        }
    )
    return {"parts": parts.sort_by("part_id"), "objects": objects.sort_by("object_id"), **graphs()}


def graphs() -> dict[str, pa.Table]:
    """A part graph with twelve parts for each object, and a category graph in which every chain is nine links long."""
    pairs = sorted({(i, (i * 7 + j * j // 12) % PART_CATEGORIES) for i in range(OBJECT_CATEGORIES) for j in range(12)})
    part_graph = {
        "object_category": [f"object {i}" for i, _ in pairs],
        "part_category": [f"part {j}" for _, j in pairs],
        "n_objects": [1000] * len(pairs),
        "n_with_part": [(i * 37 + j * 11) % 1000 for i, j in pairs],
        "frequency": [(i * 37 + j * 11) % 1000 / 1000 for i, j in pairs],
        "sources": [["paco"]] * len(pairs),
        "evidence": ["annotated"] * len(pairs),
    }
    nodes = range(2, 1 << 9)
    category_graph = {
        "child": [f"object {n - 212}" if n >= 212 else f"kind {n}" for n in nodes],
        "parent": [f"object {n // 2 - 212}" if n // 2 >= 212 else f"kind {n // 2}" for n in nodes],
        "source": ["paco"] * len(nodes),
    }
    return {"part_graph": pa.table(part_graph), "category_graph": pa.table(category_graph)}


def publish_store(root: Path, tables: dict[str, pa.Table]) -> float:
    """Writes the tables as a build does and publishes them; returns the seconds that it took."""
    start = time.perf_counter()
    staged = root / "work" / "staged"
    for name, rows in tables.items():
        if "source" not in rows.column_names or rows.num_rows < 1000:
            parquet.write(rows, staged / name / "0.parquet", name)
            continue
        first = 4 if name in ("parts", "objects") else 0
        shard_digits = pc.utf8_slice_codeunits(rows[f"{name[:-1]}_id"], first, first + 1)
        for source, (_, shards) in SOURCES.items():
            of_source = pc.equal(rows["source"], source)
            for shard in range(shards):
                digits = pa.array([f"{d:x}" for d in range(16) if d * shards // 16 == shard])
                chosen = rows.filter(pc.and_(of_source, pc.is_in(shard_digits, digits)))
                parquet.write(chosen, staged / name / f"source={source}" / f"{shard:03d}.parquet", name)
    publish(root, staged, {}, readme="")
    return time.perf_counter() - start


def queries(tables: dict[str, pa.Table], seed: int = 1) -> list[Query]:
    """The queries, each with parameters drawn from the tables."""
    generator = np.random.default_rng(seed)
    rows = tables["parts"].take(pa.array(generator.integers(0, PARTS, CALLS)))
    categories = [f"object {i}" for i in generator.integers(0, OBJECT_CATEGORIES, CALLS)]
    return [
        Query(
            "a part and its mask, by id",
            "SELECT * FROM {parts} WHERE part_id = ?",
            rows["part_id"].to_pylist(),
        ),
        Query(
            "an object's parts and masks",
            "SELECT * FROM {parts} WHERE object_id = ? ORDER BY part_id",
            rows["object_id"].to_pylist(),
        ),
        Query(
            "a photograph's parts and masks",
            "SELECT * FROM {parts} WHERE image_id = ? ORDER BY part_id",
            rows["image_id"].to_pylist(),
        ),
        Query(
            "part frequency by source",
            "SELECT source, part_category, count(*) AS n FROM {parts} GROUP BY ALL ORDER BY ALL",
            [None] * CALLS,
        ),
        Query(
            "objects by number of parts",
            "SELECT n_parts, count(*) FROM {objects} GROUP BY n_parts ORDER BY n_parts",
            [None] * CALLS,
        ),
        Query(
            "the same, counted from the parts",
            "SELECT n, count(*) FROM (SELECT object_id, count(*) AS n FROM {parts} GROUP BY object_id) GROUP BY n ORDER BY n",
            [None] * 11,
        ),
        Query(
            "parts shared by two categories",
            "SELECT part_category FROM {part_graph} WHERE object_category = ? "
            "INTERSECT SELECT part_category FROM {part_graph} WHERE object_category = 'object 7' ORDER BY ALL",
            categories,
        ),
        Query(
            "ancestors, by recursive query",
            "WITH RECURSIVE up(category) AS (SELECT ?::VARCHAR UNION "
            "SELECT parent FROM {category_graph} AS g, up WHERE g.child = up.category) "
            "SELECT category FROM up ORDER BY ALL",
            categories,
        ),
    ]


@dataclass(frozen=True)
class Timing:
    """What calls took, in milliseconds, and what they answered."""

    elapsed: list[float]
    processor: list[float]
    answers: list[Any]

    def __str__(self) -> str:
        p95 = sorted(self.elapsed)[int(0.95 * (len(self.elapsed) - 1) + 0.5)]
        return f"{statistics.median(self.elapsed):7.1f} {p95:7.1f} {statistics.median(self.processor):7.1f}"


def timed(run: Callable[[str | None], Any], parameters: Sequence[str | None]) -> Timing:
    """Times each call; one call before, not counted, warms the caches of all ways alike."""
    run(parameters[0])
    timing = Timing([], [], [])
    for parameter in parameters:
        start, processor = time.perf_counter(), time.process_time()
        timing.answers.append(run(parameter))
        timing.elapsed.append(1000 * (time.perf_counter() - start))
        timing.processor.append(1000 * (time.process_time() - processor))
    return timing


def check_equal(query: Query, one: Sequence[Any], other: Sequence[Any]) -> None:
    """Stops the benchmark where two ways differ in their answers."""
    if list(one) != list(other):
        raise SystemExit(f"the ways differ: {query.title}")


def compare(store: Store, plain: Path, listed: list[Query]) -> None:
    """Prints what every query takes in each way, after comparing the answers."""
    files = {path.stem: f"'{path}'" for path in plain.glob("*.parquet")}
    views = {name: name for name in files}
    print(
        f"{'milliseconds: median, 95 %, processor':38} {'the store':>23}   {'one file, DuckDB':>23}   {'pyarrow':>23}"
    )
    with duckdb.connect() as connection:
        for query in listed:
            ours, theirs = query.sql.format(**views), query.sql.format(**files)

            def by_store(value: str | None, sql: str = ours) -> Any:
                return store.sql(sql, [value] if value is not None else None).fetchall()

            def by_duckdb(value: str | None, sql: str = theirs) -> Any:
                return connection.execute(sql, [value] if value is not None else None).fetchall()

            timing = timed(by_store, query.parameters)
            duckdb_timing = timed(by_duckdb, query.parameters[:7])
            check_equal(query, timing.answers[:7], duckdb_timing.answers)
            line = f"{query.title:38} {timing}   {duckdb_timing}"
            if "{parts} WHERE" in query.sql:
                column = query.sql.split("WHERE ")[1].split(" ")[0]

                def by_pyarrow(value: str | None, column: str = column) -> Any:
                    return pq.read_table(plain / "parts.parquet", filters=[(column, "=", value)]).num_rows

                arrow_timing = timed(by_pyarrow, query.parameters[:2])
                check_equal(query, [len(answer) for answer in timing.answers[:2]], arrow_timing.answers)
                line += f"   {arrow_timing}"
            print(line, flush=True)
    print(f"{'store.mask(part_id), decoded':38} {timed(lambda part: store.mask(str(part)), listed[0].parameters)}")


def main() -> None:
    """Makes both stores in a temporary folder, and prints the table."""
    with tempfile.TemporaryDirectory(prefix="partonomy-queries-") as folder:
        root, plain = Path(folder, "store"), Path(folder, "plain")
        start = time.perf_counter()
        tables = made_up()
        print(
            f"{PARTS:,} parts of {tables['objects'].num_rows:,} objects made up in {time.perf_counter() - start:.1f} s"
        )
        seconds = publish_store(root, tables)
        size = sum(path.stat().st_size for path in root.rglob("*.parquet"))
        print(f"written and published in {seconds:.1f} s, {size / 1e6:.0f} MB")
        plain.mkdir()
        for name, rows in tables.items():
            shuffled = rows.take(pa.array(np.random.default_rng(2).permutation(rows.num_rows)))
            pq.write_table(parquet.conformed(shuffled, name), plain / f"{name}.parquet")
        start = time.perf_counter()
        with open(root) as store:
            print(f"opened in {1000 * (time.perf_counter() - start):.0f} ms\n")
            compare(store, plain, queries(tables))


if __name__ == "__main__":
    main()
