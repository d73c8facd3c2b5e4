"""Questions a second on one core, peak memory, and bytes on disk, beside the way of the published research scripts.

    python benchmarks/questions.py [--full] [--folder DIR]

On simulated stores (benchmarks/simulated_store.py) of 75 categories with 200 parts and of 534 with 862, at 10,000 and
100,000 object instances (with --full at 1,000,000 too), all question types. Each run is a process of its own, held to one
core. Its seconds are those of `partonomy_data.questions.generate` from tables on disk to questions on disk, by the clock;
the seconds that it had of the core stand beside them, as the two differ where others use the machine. Its memory is the
largest resident set that the system saw, imports included.

    bytes       Parquet of the questions and their masks' table, against the scripts' JSON record of the same questions
                without masks (on a sample of them)
    the scripts their way of making questions, rebuilt (benchmarks/reference_way.py), on a few photographs of the same
                store, in the same run; fitting their regressions is not counted
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import own_process

SHAPES = ((75, 200), (534, 862))
SIZES, LARGEST = (10_000, 100_000), 1_000_000
#: Questions whose JSON records are made for their length; photographs that the scripts' way is timed on; instances that
#: its regressions are fitted to.
RECORDS, PHOTOGRAPHS, FITTED = 20_000, 12, 2_000


def make(folder: Path, categories: int, parts: int, instances: int) -> dict[str, Any]:
    """Writes a simulated store."""
    from benchmarks.made_up_vocabulary import made_up
    from benchmarks.simulated_store import write

    made = write(made_up(categories, parts, instances), folder, objects=instances)
    return {"images": made.images, "objects": made.objects, "parts": made.parts}


def ours(store: Path, target: Path) -> dict[str, Any]:
    """Makes all questions of a store, on one core."""
    with contextlib.suppress(AttributeError):  # a system that can't hold a process to a core
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    from partonomy_data.pipeline.workers import InProcess
    from partonomy_data.questions import QuestionSettings, generate

    settings = QuestionSettings(curated_sources=("made_up",))
    begun, used = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        made = generate(store / "tables", target, settings, work=Path(work), executor=InProcess())
        seconds, cpu = time.perf_counter() - begun, time.process_time() - used
    size = sum(path.stat().st_size for name in ("questions", "question_masks") for path in files(target / name))
    return {
        "seconds": seconds,
        "cpu": cpu,
        "questions": made.n_questions,
        "bytes": size,
        "coverage": coverage(made.coverage),
    }


def coverage(rows: Iterable[Any]) -> dict[str, float]:
    """Share of the bound that was reached, by question type, over all sources and splits that are balanced at all."""
    sums: dict[str, list[int]] = {}
    for row in rows:
        total = sums.setdefault(row.question_type, [0, 0])
        total[0] += row.balanced
        total[1] += row.bound
    return {name: balanced / bound for name, (balanced, bound) in sorted(sums.items()) if bound}


def files(folder: Path) -> list[Path]:
    """The Parquet files below a folder, sorted."""
    return sorted(folder.glob("**/*.parquet"))


def sampled(store: Path, target: Path, wanted: int) -> Iterator[dict[str, Any]]:
    """Questions from all over the store, with their object's category: every n-th row."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    category: dict[str, str] = {}
    for path in files(store / "tables" / "objects"):
        rows = pq.read_table(path, columns=["object_id", "object_category"], partitioning=None)
        category.update(zip(rows["object_id"].to_pylist(), rows["object_category"].to_pylist(), strict=True))
    paths = files(target / "questions")
    total = sum(pq.ParquetFile(path).metadata.num_rows for path in paths)
    step, seen = max(1, total // wanted), 0
    for path in paths:
        for batch in pq.ParquetFile(path).iter_batches(4096):
            chosen = np.arange(-seen % step, batch.num_rows, step)
            seen += batch.num_rows
            for row in batch.take(pa.array(chosen)).to_pylist():
                yield {**row, "object_category": category[row["object_id"]]}


def reference_bytes(store: Path, target: Path, wanted: int = RECORDS) -> float:
    """Mean length in bytes of the scripts' JSON record of our questions, without masks, with what parts it from the next."""
    from benchmarks.reference_way import record

    lengths = [len(json.dumps(record(question)).encode()) + 2 for question in sampled(store, target, wanted)]
    return sum(lengths) / len(lengths)


def scripts(store: Path, photographs: int = PHOTOGRAPHS, fitted: int = FITTED) -> dict[str, Any]:
    """Questions a second of the scripts' way, on some photographs of a store."""
    import numpy as np
    import pyarrow.parquet as pq

    from benchmarks.reference_way import Instance, Regressions, part_graph, questions_of

    shown: dict[str, set[str]] = {}
    category: dict[str, str] = {}
    for path in files(store / "tables" / "objects"):
        rows = pq.read_table(path, columns=["object_id", "object_category"], partitioning=None)
        category.update(zip(rows["object_id"].to_pylist(), rows["object_category"].to_pylist(), strict=True))
        masks = pq.read_table(
            store / "tables" / "parts" / path.parent.name / path.name,
            columns=["object_id", "part_category"],
            partitioning=None,
        )
        for object_id, part in zip(masks["object_id"].to_pylist(), masks["part_category"].to_pylist(), strict=True):
            shown.setdefault(object_id, set()).add(part)
    instances = [Instance(category[object_id], frozenset(shown[object_id])) for object_id in sorted(shown)]
    step = max(1, len(instances) // fitted)
    begun = time.perf_counter()
    regressions, graph = Regressions(instances[::step]), part_graph(instances)
    fitting = time.perf_counter() - begun
    generator = np.random.default_rng(42)
    begun = time.perf_counter()
    made = sum(
        questions_of(one, graph, regressions, generator) for one in instances[:: max(1, len(instances) // photographs)]
    )
    return {
        "seconds": time.perf_counter() - begun,
        "questions": made,
        "fitting": fitting,
        "parts": len(regressions.parts),
    }


JOBS: Final[dict[str, Callable[[list[str]], dict[str, Any]]]] = {
    "make": lambda a: make(Path(a[0]), *map(int, a[1:])),
    "ours": lambda a: ours(Path(a[0]), Path(a[1])),
    "bytes": lambda a: {"bytes": reference_bytes(Path(a[0]), Path(a[1]), *map(int, a[2:]))},
    "scripts": lambda a: scripts(Path(a[0]), *map(int, a[1:])),
}


#: Runs one of this script's jobs in a process of its own; its figures.
fresh = partial(own_process.fresh, __file__)


def report(folder: Path, shapes: tuple[tuple[int, int], ...], sizes: tuple[int, ...], quick: bool) -> None:
    """Makes the stores, measures, prints."""
    print(f"{'categories/parts':<18}{'instances':>11}{'questions':>12}{'seconds':>9}{'CPU s':>8}{'questions/s':>13}{'peak MB':>9}"
          f"{'bytes each':>12}{'least coverage':>16}")  # fmt: skip
    compared = []
    for categories, parts in shapes:
        for size in sizes:
            store, target = (
                folder / f"{categories}-{parts}-{size}",
                folder / "questions" / f"{categories}-{parts}-{size}",
            )
            if not (store / "tables").exists():
                fresh("make", store, categories, parts, size)
            shutil.rmtree(target, ignore_errors=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            mine = fresh("ours", store, target)
            pace, each = mine["questions"] / mine["seconds"], mine["bytes"] / max(mine["questions"], 1)
            least = min(mine["coverage"].values(), default=float("nan"))
            print(f"{f'{categories}/{parts}':<18}{size:>11,}{mine['questions']:>12,}{mine['seconds']:>9.1f}{mine['cpu']:>8.1f}{pace:>13,.0f}"
                  f"{mine['mb']:>9.0f}{each:>12.1f}{least:>15.0%}", flush=True)  # fmt: skip
        record = fresh("bytes", store, target)["bytes"]
        first = folder / f"{categories}-{parts}-{sizes[0]}"
        compared.append(
            (f"{categories}/{parts}", pace, each, record, fresh("scripts", first, *((3, 150) if quick else ())))
        )
    print(f"\n{'the scripts':<18}{'questions/s':>13}{'ours':>10}{'times':>9}{'JSON bytes':>13}{'ours':>8}{'times':>8}"
          f"{'their fitting, s':>19}")  # fmt: skip
    for name, pace, each, record, theirs in compared:
        rate = theirs["questions"] / theirs["seconds"]
        print(f"{name:<18}{rate:>13.1f}{pace:>10,.0f}{pace / rate:>8,.0f}x{record:>13.0f}{each:>8.0f}{record / each:>7.1f}x"
              f"{theirs['fitting']:>19.1f}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="also at 1,000,000 instances")
    parser.add_argument("--shape", choices=[f"{a}/{b}" for a, b in SHAPES], help="only this one")
    parser.add_argument("--instances", type=int, action="append", help="these sizes in place of 10,000 and 100,000")
    parser.add_argument("--quick", action="store_true", help="time the scripts' way on three photographs only")
    parser.add_argument("--folder", type=Path, help="where the stores are made and kept; a temporary one if not given")
    parser.add_argument("--job", choices=sorted(JOBS), help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        print(json.dumps({**JOBS[options.job](options.arguments), "mb": own_process.peak_mb()}))
        return
    shapes = tuple(shape for shape in SHAPES if options.shape in (None, f"{shape[0]}/{shape[1]}"))
    sizes = tuple(sorted(options.instances or SIZES)) + ((LARGEST,) if options.full else ())
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        report(folder, shapes, sizes, options.quick)


if __name__ == "__main__":
    main()
