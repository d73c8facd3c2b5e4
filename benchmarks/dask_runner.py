"""Questions a second with one and with two workers: of the local pool, and of a Dask cluster on this machine.

    python benchmarks/dask_runner.py [--shape 75/200] [--instances 300000] [--workers 1 2] [--folder DIR]

On a simulated store (benchmarks/simulated_store.py), all question types. Each run is a process of its own, that opens its
workers first (`start`), and is timed from tables on disk to questions on disk. All runs must make the same bytes.

    serial      seconds before the first shard and after the last, in which one process works whoever does the shards
    CPU s       what that process and the shards had of the cores; where others use the machine, the clock says less
    faster      by the clock, than the same way with the fewest workers
    at most     how much faster it could be, had each worker a core of its own, and were they never without a shard:
                from the seconds of a core that the serial part and each shard of the first run took
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from concurrent.futures import Executor, Future
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import own_process
from benchmarks.questions import SHAPES, make
from partonomy_data.pipeline.progress import Silent
from partonomy_data.pipeline.workers import Executors, InProcess, pool
from partonomy_data.store.files import files_under, sha256_of_all

WAYS: Final = ("local", "dask")


class Times(Silent):
    """When the shards began, and when the last was done."""

    def __init__(self) -> None:
        self.began = self.ended = 0.0

    def stage(self, name: str, steps: int) -> None:
        """See Progress."""
        self.began = self.ended = time.perf_counter()

    def advance(self, steps: int = 1) -> None:
        """See Progress."""
        self.ended = time.perf_counter()


def clocked(fn: Any, *args: Any) -> tuple[Any, float]:
    """What a call returns, and the seconds of a core that it took."""
    begun = time.process_time()
    return fn(*args), time.process_time() - begun


class Clocked(Executor):
    """Another executor, and the seconds of a core that each call took wherever it was made."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.seconds: list[float] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See Executor.submit."""
        ours: Future[Any] = Future()
        self._executor.submit(clocked, fn, *args, **kwargs).add_done_callback(partial(self._done, ours))
        return ours

    def _done(self, ours: Future[Any], theirs: Future[Any]) -> None:
        if theirs.cancelled() or theirs.exception() is not None:
            ours.set_exception(theirs.exception() if not theirs.cancelled() else RuntimeError("cancelled"))
            return
        made, seconds = theirs.result()
        self.seconds.append(seconds)
        ours.set_result(made)


def opener(way: str, folder: Path) -> Executors:
    """What opens the workers of a way; `folder` stands for a store."""
    if way == "local":
        return pool
    from flows.dask import cluster
    from partonomy_data import BuildConfig

    return partial(cluster, folder, BuildConfig(), None)


def run(way: str, workers: int, store: Path) -> dict[str, Any]:
    """Makes all questions of a store."""
    from partonomy_data.questions import QuestionSettings, generate

    settings, times = QuestionSettings(curated_sources=("made_up",)), Times()
    with tempfile.TemporaryDirectory(dir=store) as work:
        target, asked = Path(work) / "made", time.perf_counter()
        with opener(way, Path(work))(workers) as executor:
            clock = Clocked(executor)
            begun, used = time.perf_counter(), time.process_time()
            made = generate(store / "tables", target, settings, work=Path(work), executor=clock, progress=times)
            seconds, used = time.perf_counter() - begun, time.process_time() - used
        paths = files_under(target)
        names = [str(path.relative_to(target)) for path in paths]
        digest = sha256(repr(sorted(zip(names, sha256_of_all(paths), strict=True))).encode()).hexdigest()
    return {
        "start": begun - asked,
        "seconds": seconds,
        "serial": seconds - (times.ended - times.began),
        "cpu": used if isinstance(executor, InProcess) else used + sum(clock.seconds),
        "shards": clock.seconds,
        "questions": made.n_questions,
        "digest": digest,
    }


def at_most(measured: dict[str, Any], workers: int) -> float:
    """How much faster so many workers can be than one."""
    shards = measured["shards"]
    return float(measured["cpu"] / (measured["cpu"] - sum(shards) + max(sum(shards) / workers, *shards)))


#: Runs one of this script's jobs in a process of its own; its figures.
fresh = partial(own_process.fresh, __file__)


def report(store: Path, workers: list[int]) -> None:
    """Measures, prints."""
    columns = ("questions", "seconds", "serial", "CPU s", "questions/s", "faster", "at most", "start")
    print(f"{'workers':<10}", *(f"{name:>12}" for name in columns), sep="")
    basis: dict[str, Any] | None = None
    digests = set()
    for way in WAYS:
        slowest = 0.0
        for count in workers:
            found = fresh("run", way, count, store)
            basis, slowest = basis or found, slowest or found["seconds"]
            digests.add(found["digest"])
            seconds, pace = found["seconds"], found["questions"] / found["seconds"]
            faster, best = slowest / seconds, at_most(basis, count) / at_most(basis, workers[0])
            print(f"{f'{way}, {count}':<10}{found['questions']:>12,}{seconds:>12.1f}{found['serial']:>12.1f}{found['cpu']:>12.1f}"
                  f"{pace:>12,.0f}{faster:>12.2f}{best:>12.2f}{found['start']:>12.1f}", flush=True)  # fmt: skip
    if len(digests) > 1:
        raise SystemExit("they made different bytes")
    assert basis is not None
    shards, cpu = basis["shards"], basis["cpu"]
    serial = cpu - sum(shards)
    print(f"\nall made the same bytes, from {len(shards)} shards; of the first run's {cpu:.1f} CPU s, {serial:.1f}"
          f" ({serial / cpu:.0%}) are serial, and {max(shards):.1f} are the longest shard's")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=[f"{a}/{b}" for a, b in SHAPES], default="75/200", help="categories/parts")
    parser.add_argument("--instances", type=int, default=300_000, help="object instances")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="how many, one run for each")
    parser.add_argument("--folder", type=Path, help="where the store is made and kept; a temporary one if not given")
    parser.add_argument("--job", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        name, *given = options.job
        found = (
            make(Path(given[0]), *map(int, given[1:]))
            if name == "make"
            else run(given[0], int(given[1]), Path(given[2]))
        )
        print(json.dumps(found))
        return
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = folder / f"{options.shape.replace('/', '-')}-{options.instances}"
        if not (store / "tables").exists():
            fresh("make", store, *options.shape.split("/"), options.instances)
        report(store, sorted(options.workers))


if __name__ == "__main__":
    main()
