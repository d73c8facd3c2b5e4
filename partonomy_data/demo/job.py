"""The demo as a job: draws the world beside the store, and says what can be done with it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from shutil import which

from partonomy_data.config import BuildConfig, SourceSetting, default_root
from partonomy_data.demo import SIZES, write
from partonomy_data.errors import UsageError
from partonomy_data.pipeline.progress import Progress

_MOST_PROCESSES = 8


def prepare(
    root: Path, *, size: str, world_seed: int, photo_seed: int, workers: int | None, progress: Progress
) -> BuildConfig:
    """Draws the demo world into `root/demo`, in the four datasets' own formats, and returns how to build it."""
    if size not in SIZES:
        raise UsageError(f"there is no demo world of size {size!r}", mend=f"Choose one of {', '.join(SIZES)}")
    folder = root / "demo"
    progress.stage("drawing the demo world", 1)
    # Commands and flows may spawn processes, as scripts may not: several draw even the small world, which takes one ten seconds.
    processes = workers or min(os.cpu_count() or 1, _MOST_PROCESSES)
    world = write(folder, size=size, world_seed=world_seed, photo_seed=photo_seed, processes=processes)
    progress.advance()
    sources = {name: SourceSetting(str(path)) for name, path in sorted(world.sources.items())}
    return BuildConfig(sources=sources, workers=workers)


def next_steps(root: Path) -> str:
    """What to try on a store that has just been built, as commands that can be copied."""
    command = "partonomy" if which("partonomy") else os.path.relpath(sys.argv[0])
    where = "" if root == default_root() else f" --root {root}"
    return f"""
What next:
  {command} query{where} "SELECT object_category, count(*) AS n FROM objects GROUP BY 1 ORDER BY n DESC LIMIT 10"
  {command} query{where} "SELECT part_category, round(frequency, 2) AS frequency FROM part_graph \\
      WHERE object_category = 'cat' ORDER BY frequency"
  {command} versions{where}
  {command} explore{where}      # all of it in a browser
The tables are also views in {root}/catalog.duckdb, for any DuckDB client. The photographs that were drawn are in {root}/demo.
More questions that the tables answer: docs/queries.md"""
