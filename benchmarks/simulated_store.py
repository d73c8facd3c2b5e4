"""Writes the tables that questions are made from, for simulated photographs of real or made-up categories.

    python benchmarks/simulated_store.py paco FOLDER --samples DIR [--photographs 57643]
    python benchmarks/simulated_store.py made-up FOLDER --categories 75 --parts 200 --instances 100000

Under FOLDER: `tables/<table>/…` as a build stages them (images, objects, parts and part_evidence by shard, with the
columns that questions need and without masks; the taxonomy's tables, made by the taxonomy's own code), and
`truth.parquet`, which says of every object and each part of its category how many pixels are to be seen, annotated or
not. Rows depend on the seed and the photograph alone; memory on the size of a shard, not of the store.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import simulated_chance as chance
from benchmarks import simulated_visibility as visibility
from benchmarks import simulated_vocabulary as designs
from benchmarks.made_up_vocabulary import made_up
from benchmarks.simulated_design import Design
from benchmarks.simulated_tables import MOST_OBJECTS, TRUTH, Ints, Simulation, tables
from partonomy_data.sources.buckets import PREFIX_DIGITS, image_prefix, shard_count
from partonomy_data.store import parquet
from partonomy_data.taxonomy import graph, names
from partonomy_data.taxonomy.counts import summarise


@dataclass(frozen=True, slots=True)
class Made:
    """How many rows were written."""

    images: int = 0
    objects: int = 0
    parts: int = 0
    part_evidence: int = 0
    shards: int = 0
    seconds: float = 0.0


def write(
    design: Design,
    folder: Path,
    *,
    photographs: int | None = None,
    objects: int | None = None,
    seed: int = 0,
) -> Made:
    """Writes the store to `folder`: so many photographs (the design's own number if None).

    With `objects`, as many photographs as have that many objects together; the last one may lose some. Raises ValueError
    if the folder has a finished store already; one that was left half written is begun afresh.
    """
    if (folder / "tables").exists():
        raise ValueError(f"{folder} holds a store already")
    begun = time.perf_counter()
    made_names = names.build({design.source: design.vocabulary})
    pairs = visibility.pairs(design, made_names.sources[design.source], seed)
    of = {one.key: weight for one, weight in zip(design.vocabulary.objects, design.weights, strict=True)}
    weights = np.array([of[key] for key in pairs.keys], np.float64)
    store = Simulation(
        design, pairs, seed, np.cumsum(weights / weights.sum()), _numbers(design, photographs, objects, seed)
    )
    making = folder / "tables.unfinished"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    summaries, total = [], Made()
    with pq.ParquetWriter(folder / "truth.parquet", TRUTH, compression="zstd") as truth:
        for shard, chosen in _shards(store):
            made = tables(store, chosen)
            truth.write_table(made.pop("truth"))
            for name, rows in made.items():
                if len(rows):
                    target = making / name / f"source={design.source}" / shard
                    target.parent.mkdir(parents=True, exist_ok=True)
                    pq.write_table(rows, target, compression="zstd", compression_level=1)
            source = pa.repeat(pa.scalar(design.source), len(made["parts"]))
            summaries.append(summarise(made["objects"], made["parts"].append_column("source", source)))
            sizes = {name: getattr(total, name) + len(rows) for name, rows in made.items()}
            total = Made(**sizes, shards=total.shards + 1)
    for name, rows in graph.tables(summaries, {design.source: design.vocabulary}, made_names).items():
        if len(rows):
            parquet.write(rows, making / name / f"{name}.parquet", name)
    making.rename(folder / "tables")
    return Made(**{**asdict(total), "seconds": time.perf_counter() - begun})


def _numbers(design: Design, photographs: int | None, objects: int | None, seed: int) -> Ints:
    """How many objects each photograph has: one, and a geometric number of further ones."""

    def drawn(n: int) -> Ints:
        if not design.further_objects:
            return np.ones(n, np.int64)
        stay = design.further_objects / (1 + design.further_objects)
        further = np.floor(np.log1p(-chance.uniform(seed, "objects", np.arange(n))) / np.log(stay))
        return np.asarray(np.minimum(1 + further.astype(np.int64), MOST_OBJECTS))

    if objects is None:
        return drawn(design.photographs if photographs is None else photographs)
    counts = drawn(objects)
    sums = np.cumsum(counts)
    last = int(np.searchsorted(sums, objects))
    counts = counts[: last + 1]
    counts[last] -= sums[last] - objects
    return counts


def _shards(store: Simulation) -> Iterator[tuple[str, Ints]]:
    """Names of the shards, with the photographs of each, as a build parts them."""
    n, step = len(store.counts), 1 << 16
    prefixes = np.empty(n, np.int64)
    for start in range(0, n, step):
        chosen = np.arange(start, min(start + step, n))
        prefixes[chosen] = [int(image_prefix(image_id), 16) for image_id in store.image_ids(chosen)]
    count = shard_count(n)
    shard = prefixes * count >> (4 * PREFIX_DIGITS)
    order = np.argsort(shard, kind="stable")
    bounds = np.searchsorted(shard[order], np.arange(count + 1))
    for number in range(count):
        if len(chosen := order[bounds[number] : bounds[number + 1]]):
            yield f"{number:03d}-of-{count:03d}.parquet", chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("design", choices=[*designs.REAL, "made-up"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--samples", type=Path, help="folder of the data sets' published lists, for real categories")
    parser.add_argument("--photographs", type=int, help="how many; the data set's own number if not given")
    parser.add_argument("--categories", type=int, default=75)
    parser.add_argument("--parts", type=int, default=200)
    parser.add_argument("--instances", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.design == "made-up":
        design = made_up(options.categories, options.parts, options.instances, seed=options.seed)
        made = write(design, options.folder, objects=options.instances, seed=options.seed)
    else:
        if options.samples is None or designs.missing(options.samples):
            parser.error("real categories need --samples DIR, with the lists named in simulated_vocabulary.py")
        design = designs.REAL[options.design](options.samples)
        made = write(design, options.folder, photographs=options.photographs, seed=options.seed)
    print(json.dumps(asdict(made)))


if __name__ == "__main__":
    main()
