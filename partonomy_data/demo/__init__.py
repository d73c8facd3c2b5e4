"""The demo world: drawn by code, written to disk as the four datasets are, so that the real readers can ingest it.

    from partonomy_data import demo
    made = demo.write(Path("demo"), size="small")
    made.sources["paco"]          # a folder such as PACO's download gives

`world_seed` decides the world: which categories there are, their parts, shapes, proportions and names in each source.
`photo_seed` decides the photographs. What is truly visible in each of them is kept in `made.truth`, for tests alone
(`partonomy_data.demo.truth` says how). The same seeds and size give the same bytes, whatever the number of processes; and
the photographs of a smaller size are among those of a larger one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: Photographs in all, by size.
SIZES: Mapping[str, int] = {"small": 300, "medium": 2_000, "large": 10_000}


@dataclass(frozen=True, slots=True)
class DemoWorld:
    """Where the demo world is, and how much of it there is."""

    sources: Mapping[str, Path]
    """The folder of each source: paco, partimagenet, pascal_part, partonomy."""
    truth: Path
    """The folder that says what is truly visible; no source refers to it."""
    counts: Mapping[str, Mapping[str, int]]
    """By source: `images`, `objects` (that the source annotates) and `parts` (rows or masks of parts written)."""


def write(
    folder: Path,
    *,
    size: str = "small",
    world_seed: int = 0,
    photo_seed: int = 0,
    processes: int | None = None,
) -> DemoWorld:
    """Writes the demo world below `folder`; does nothing if this very world is there already.

    `size` is `small`, `medium` or `large` (see `SIZES`).

    `processes`: how many draw at the same time; by default one for the small world, else one for each processor, 8 at most.
    A script that asks for several must call this under `if __name__ == "__main__":`, as processes are spawned.
    Raises UsageError for an unknown size, and if `folder` holds anything but a demo world.
    """
    from partonomy_data.demo import build

    return build.write(Path(folder), size, world_seed, photo_seed, processes)
