"""From a PACO-LVIS-sized JSON file to published Parquet, beside what it costs elsewhere to merely load that file.

    python benchmarks/ingest.py [--fraction 1.0] [--folder DIR] [--skip-prefect]

Everything runs in processes of its own, in one go, with garbage collection as by default:

    ours    partonomy_data.build: read, check and rasterise every mask, areas, boxes, links, evidence, taxonomy, Parquet,
            checksums, catalog, renamed into place
    (a)     pycocotools.COCO(file), nothing else
    (b)     the usual path: COCO(file), annToMask for each annotation, each part against its photograph's objects on
            dense masks; on a sample of photographs, extrapolated

Then ours at growing sizes, and, apart, what starting Prefect costs. Memory is the sum over a process and its children of
the proportional set size (shared pages counted once), sampled ten times a second in a run of its own: looking that often
takes a good part of a core.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent))
import paco_like

SAMPLE = 150


def ours(path: str, root: str) -> dict[str, float]:
    """The library call, from a source to a renamed version."""
    from partonomy_data import BuildConfig, SourceSetting, build

    start = time.perf_counter()
    done = build(Path(root), BuildConfig(sources={"paco": SourceSetting(path)}))
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "annotations": done.total("objects").out + done.total("parts").out, **done.seconds}


def coco_load(path: str) -> dict[str, float]:
    """(a)"""
    from pycocotools.coco import COCO

    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        COCO(path)
    return {"seconds": time.perf_counter() - start}


def usual(path: str) -> dict[str, float]:
    """(b): seconds for all photographs, from a sample of them."""
    import numpy as np
    from pycocotools.coco import COCO

    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(path)
    loaded = time.perf_counter() - start
    kinds = {c["id"]: c["supercategory"] for c in coco.dataset["categories"]}
    ids = sorted(coco.imgs)
    sample = ids[:: max(1, len(ids) // SAMPLE)]
    start = time.perf_counter()
    for image in sample:
        rows = coco.imgToAnns[image]
        dense = {row["id"]: coco.annToMask(row) for row in rows}
        for row in rows:
            dense[row["id"]].sum(), np.flatnonzero(dense[row["id"]].any(axis=0))
        objects = [row["id"] for row in rows if kinds[row["category_id"]] == "OBJECT"]
        for row in rows:
            if kinds[row["category_id"]] != "OBJECT":
                part = dense[row["id"]]
                [np.logical_and(part, dense[key]).sum() / max(part.sum(), 1) for key in objects]
    each = (time.perf_counter() - start) / len(sample)
    return {"seconds": loaded + each * len(ids), "loading": loaded, "ms_per_photograph": 1000 * each}


def prefect_start(_: str) -> dict[str, float]:
    """Importing Prefect, and a flow that does nothing in a temporary server."""
    start = time.perf_counter()
    from prefect import flow

    import flows  # noqa: F401 - sets Prefect's defaults

    imported = time.perf_counter() - start

    @flow
    def nothing() -> None:
        return None

    nothing()
    return {"seconds": time.perf_counter() - start, "import": imported}


def memory(process: psutil.Process) -> int:
    """Proportional set size of a process and its children, in bytes."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.Error, FileNotFoundError):
            total += one.memory_full_info().pss
    return total


def measure(job: str, *arguments: str) -> tuple[dict[str, float], float]:
    """Runs one of the functions above twice in fresh processes: its figures unwatched, and its peak memory in MB."""
    command = [sys.executable, __file__, "--job", job, *arguments]
    figures, _ = watch(command, watched=False)
    return figures, watch([argument + "-again" if argument.endswith("/store") else argument for argument in command])[1]


def watch(command: list[str], *, watched: bool = True) -> tuple[dict[str, float], float]:
    """Runs `command`; the figures that it prints, and its peak memory in MB if it was watched."""
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        watching, peak = psutil.Process(process.pid), 0
        while watched and process.poll() is None:
            with contextlib.suppress(psutil.Error):
                peak = max(peak, memory(watching))
            time.sleep(0.1)
        process.wait()
        out.seek(0)
        if process.returncode:
            raise SystemExit(f"it failed; run: {' '.join(command)}")
        return json.loads(out.read().splitlines()[-1]), peak / 1e6


def report(folder: Path, fraction: float, with_prefect: bool) -> None:
    """Makes the files, measures, prints."""
    path = folder / f"paco_like_{fraction}.json"
    if not path.exists():
        made = paco_like.write(path, fraction)
        print("made", ", ".join(f"{n:,} {what}" for what, n in made.items()), f"{path.stat().st_size / 1e6:.0f} MB")
    with tempfile.TemporaryDirectory(dir=folder) as root:
        mine, mine_mb = measure("ours", str(path), f"{root}/store")
    load, load_mb = measure("coco_load", str(path))
    dense, dense_mb = measure("usual", str(path))
    print(f"\n{'':<46}{'seconds':>10}{'peak MB':>10}{'against ours':>14}")
    rows = [("ours: JSON → published Parquet", mine, mine_mb), ("(a) COCO() alone", load, load_mb),
            (f"(b) the usual path, from {SAMPLE} photographs", dense, dense_mb)]  # fmt: skip
    for name, figures, mb in rows:
        ratio = figures["seconds"] / mine["seconds"]
        print(f"{name:<46}{figures['seconds']:>10.1f}{mb:>10.0f}{ratio:>13.2f}x")
    steps = ", ".join(f"{k} {v:.1f}" for k, v in mine.items() if k not in ("seconds", "annotations"))
    print(f"ours is {mine['seconds'] / load['seconds']:.2f} times (a); steps in s: {steps}")

    print(f"\n{'annotations':>12}{'seconds':>10}{'annotations/s':>15}{'peak MB':>10}")
    for share in (1 / 12, 1 / 4, 1 / 2):
        part = folder / f"paco_like_{fraction * share:.4f}.json"
        if not part.exists():
            paco_like.write(part, fraction * share)
        with tempfile.TemporaryDirectory(dir=folder) as root:
            figures, mb = measure("ours", str(part), f"{root}/store")
        pace = figures["annotations"] / figures["seconds"]
        print(f"{figures['annotations']:>12,.0f}{figures['seconds']:>10.1f}{pace:>15,.0f}{mb:>10.0f}")
    rate = mine["annotations"] / mine["seconds"]
    print(f"{mine['annotations']:>12,.0f}{mine['seconds']:>10.1f}{rate:>15,.0f}{mine_mb:>10.0f}")
    if with_prefect:
        started, _ = measure("prefect_start", "-")
        print(
            f"\nPrefect's own start, not in the above: import {started['import']:.1f} s, first flow {started['seconds']:.1f} s"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fraction", type=float, default=1.0, help="of PACO-LVIS train's size")
    parser.add_argument("--folder", type=Path, help="where the input is made and kept; a temporary one if not given")
    parser.add_argument("--skip-prefect", action="store_true")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        jobs = {job.__name__: job for job in (ours, coco_load, usual, prefect_start)}
        print(json.dumps(jobs[options.job](*options.arguments)))
        return
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        report(folder, options.fraction, not options.skip_prefect)


if __name__ == "__main__":
    main()
