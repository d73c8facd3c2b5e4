"""Seconds and memory of a training step, and of scoring choices, beside a plain loop of the structure of PLUM's released code.

    python benchmarks/train_step.py [--size tiny|medium] [--root STORE] [--threads N]

The questions are those of the small demo world, which is drawn and built first (or of the store that `--root` names); the
models have random weights (benchmarks/made_up_model.py). `tiny` takes some three minutes on two cores, `medium` some fifteen.
Both ways have the same weights, samples and optimiser, and no dropout. Making batches (photographs opened and prepared, texts
rendered) is in neither.

    plain       benchmarks/plain_loop.py
    ours        model.training.loop.one_step, model.plum.scoring.log_likelihoods
    the check   losses, gradients and choices' likelihoods of both, compared before anything is timed: it fails where they differ
    the table   each way in a process of its own, for its peak memory, by turns; seconds are medians. The processes are held to
                `--threads` threads (one, if not given), so that seconds of the processor can stand in for seconds by the clock
                where others use the machine
    the gains   in one process, one waste after the other taken from the plain loop
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import own_process

#: Questions about one view of a photograph that come in a step together.
TOGETHER: Final = 6
TARGETS: Final = {"step": 3.0, "choices": 4.0}
WAYS: Final = ("plain", "ours")
#: Greatest differences that float32 may make (`World.compared` says of what).
TOLERANCE: Final = {"loss": 1e-4, "gradient": 1e-3, "choices": 1e-2}


def make(folder: Path, root: Path | None) -> None:
    """Draws and builds the small demo world, unless there is a store; writes its samples and a tokenizer for them."""
    from benchmarks.made_up_model import tokenizer
    from model.data import rows
    from model.data.selection import DataConfig
    from partonomy_data import BuildConfig, SourceSetting, build, demo
    from partonomy_data.store.reader import open as open_store

    if root is None:
        root = folder / "store"
        world = demo.write(root / "demo", size="small")
        sources = {name: SourceSetting(str(path)) for name, path in sorted(world.sources.items())}
        build(root, BuildConfig(sources=sources, workers=1))
    with open_store(root) as store:
        found = rows.prepare(store, DataConfig(), folder / "samples")
        uris = dict(zip(found.column("source").to_pylist(), found.column("uri").to_pylist(), strict=True))
    texts = [*found.column("prompt").to_pylist(), *found.column("answer").to_pylist()]
    tokenizer(texts).save(str(folder / "tokenizer.json"))
    about = {"root": str(root.absolute()), "rows": [str(path) for path in found.paths], "uris": uris}
    (folder / "about.json").write_text(json.dumps(about))


def samples(folder: Path, size: Any, together: int, steps: int) -> list[list[list[Any]]]:
    """The samples of each pass of each step, by a run's own order."""
    from model.data import order
    from model.data.rows import Rows
    from model.data.samples import sample_of
    from partonomy_data.photographs.places import of_store

    about = json.loads((folder / "about.json").read_text())
    shown = of_store(Path(about["root"]), {}).check(about["uris"])
    rows = Rows([Path(path) for path in about["rows"]])
    drawn = order.epoch_order(rows.views(), 0, 0, together)
    effective = order.Effective(size.batch, size.at_once)
    dealt = [order.passes(drawn, rows.lengths(), rows.views(), step, effective) for step in range(steps)]
    return [[[sample_of(rows[int(number)], shown) for number in one] for one in step] for step in dealt]


def measured(folder: Path, name: str, what: str, way: str, together: int, threads: int) -> dict[str, Any]:
    """Seconds of a step, or of scoring choices, by one of the ways, in this process alone."""
    from benchmarks.made_up_model import SIZES
    from benchmarks.two_ways import World

    with World.opened(folder, name, threads) as world:
        size = SIZES[name]
        steps = samples(folder, size, together, size.steps + size.warm_up)
        work: Callable[[int], object] = world.step(way, steps) if what == "step" else world.choices(way, steps)
        before = own_process.peak_mb()
        walls, used = [], []
        for number in range(len(steps)):
            begun, spent = time.perf_counter(), time.process_time()
            work(number)
            walls.append(time.perf_counter() - begun)
            used.append(time.process_time() - spent)
    timed = [[one for passed in step for one in passed] for step in steps[size.warm_up :]]
    return {
        "samples": size.batch,
        "seconds": walls[size.warm_up :],
        "cpu": used[size.warm_up :],
        "before": before,
        "choices": statistics.mean(sum(len(one.choices) for one in step) for step in timed),
        "views": statistics.mean(len({one.view_id for one in step}) for step in timed),
    }


def checked(folder: Path, name: str, threads: int) -> dict[str, Any]:
    """The largest differences between the ways."""
    from benchmarks.made_up_model import SIZES
    from benchmarks.two_ways import World

    with World.opened(folder, name, threads) as world:
        (step,) = samples(folder, SIZES[name], TOGETHER, 1)
        return world.compared(step)


def gained(folder: Path, name: str, threads: int) -> dict[str, Any]:
    """Seconds of the processor with one waste after the other taken away: of a step's passes, and of scoring choices."""
    from benchmarks.made_up_model import SIZES
    from benchmarks.two_ways import World

    with World.opened(folder, name, threads) as world:
        (step,) = samples(folder, SIZES[name], TOGETHER, 1)
        return world.gains(step)


JOBS: Final[dict[str, Callable[[list[str]], Any]]] = {
    "make": lambda a: make(Path(a[0]), Path(a[1]) if a[1:] else None),
    "check": lambda a: checked(Path(a[0]), a[1], int(a[2])),
    "measure": lambda a: measured(Path(a[0]), a[1], a[2], a[3], int(a[4]), int(a[5])),
    "gains": lambda a: gained(Path(a[0]), a[1], int(a[2])),
}


#: Runs one of this script's jobs in a process of its own; its figures.
fresh = partial(own_process.fresh, __file__)


def agree(found: dict[str, Any]) -> None:
    """Prints what both ways gave; ends the run where they differ."""
    pairs = "  ".join(f"{name} {one:.5f} {other:.5f}" for name, (one, other) in found["losses"].items())
    print(f"plain and ours, the same step: {pairs}")
    print("largest difference: " + ", ".join(f"{name} {found[name]:.1e}" for name in TOLERANCE), flush=True)
    wrong = differing(found)
    if wrong:
        raise SystemExit(f"the two ways differ in: {', '.join(wrong)}")


def differing(found: dict[str, Any]) -> list[str]:
    """In what the ways differ by more than float32 explains; not a number is a difference."""
    return [name for name, most in TOLERANCE.items() if not found[name] <= most]


def table(folder: Path, name: str, threads: int, rounds: int) -> None:
    """Measures both ways by turns, and prints."""
    print(f"\n{'':<44}{'way':<7}{'seconds':>9}{'CPU s':>8}{'samples/s':>11}{'peak MB':>9}{'of the work':>13}{'times faster':>14}"
          f"{'by the clock':>14}")  # fmt: skip
    for what, together in (("step", 1), ("step", TOGETHER), ("choices", TOGETHER)):
        runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way in WAYS:
                runs[way].append(fresh("measure", folder, name, what, way, together, threads))
        middle = {way: [_median(runs[way], "seconds"), _median(runs[way], "cpu")] for way in WAYS}
        first = runs["ours"][0]
        asked = f", {first['choices']:.0f} choices" if what == "choices" else ""
        label = f"{what}: {first['samples']} samples, {first['views']:.1f} views{asked}"
        for way in WAYS:
            wall, cpu = middle[way]
            peak = max(one["mb"] for one in runs[way])
            own = max(one["mb"] - one["before"] for one in runs[way])
            line = f"{label if way == WAYS[0] else '':<44}{way:<7}{wall:>9.2f}{cpu:>8.2f}"
            line += f"{first['samples'] / wall:>11.2f}{peak:>9.0f}{own:>13.0f}"
            if way == "ours":
                line += f"{middle['plain'][1] / cpu:>14.2f}{middle['plain'][0] / wall:>14.2f}"
            print(line, flush=True)
        times = middle["plain"][1] / middle["ours"][1]
        met = "met" if times >= TARGETS[what] else "not met"
        print(f"{'':<44}target: {TARGETS[what]:.0f} times, {met}")


def _median(runs: Sequence[dict[str, Any]], what: str) -> float:
    return float(statistics.median(value for one in runs for value in one[what]))


def rungs(found: dict[str, list[list[Any]]]) -> None:
    """Prints what each waste costs."""
    for what, lines in found.items():
        if what == "mb":
            continue
        print(f"\n{what:<58}{'CPU s':>8}{'times faster':>14}{'than before':>13}")
        first = previous = lines[0][1]
        for label, seconds in lines:
            print(f"{label:<58}{seconds:>8.2f}{first / seconds:>14.2f}{previous / seconds:>13.2f}")
            previous = seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("tiny", "medium"), default="tiny")
    parser.add_argument("--root", type=Path, help="a store with questions; the demo world's if not given")
    parser.add_argument("--threads", type=int, default=1, help="threads of each process (default: 1)")
    parser.add_argument("--rounds", type=int, default=1, help="processes of each way for each line (default: 1)")
    parser.add_argument("--job", choices=sorted(JOBS), help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        print(json.dumps({**(JOBS[options.job](options.arguments) or {}), "mb": own_process.peak_mb()}))
        return
    with _folder() as folder:
        fresh("make", folder, *([options.root] if options.root else []))
        agree(fresh("check", folder, options.size, options.threads))
        table(folder, options.size, options.threads, options.rounds)
        rungs(fresh("gains", folder, options.size, options.threads))


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


if __name__ == "__main__":
    main()
