"""Draws and writes all photographs of a demo world, in one process or several, and joins what they share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from hashlib import blake2b
from importlib.resources import files
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

import msgspec

from partonomy_data.demo import (
    SIZES,
    DemoWorld,
    naming,
    truth,
    world,
    write_paco,
    write_partimagenet,
    write_partonomy,
    write_pascal_part,
)
from partonomy_data.demo.encoded import Encoded
from partonomy_data.demo.photographs import Job, draw, jobs
from partonomy_data.errors import UsageError

#: Says what a folder holds, and whether it is whole; written first and last.
_LABEL = "demo.json"
_TRUTH = "truth"
#: Photographs that a worker draws at a time.
_CHUNK = 16
_MOST_PROCESSES = 8
#: So few photographs are drawn faster than processes start.
_ONE_PROCESS = 500

_ENCODERS = {
    "paco": write_paco.encode,
    "partimagenet": write_partimagenet.encode,
    "pascal_part": write_pascal_part.encode,
    "partonomy": write_partonomy.encode,
}


class _Joined(Protocol):
    """What a source's photographs share: annotation files, lists, tables."""

    def add(self, encoded: Encoded) -> None: ...
    def close(self) -> None: ...


def _encode(folder: Path, chunk: Sequence[Job]) -> list[Encoded]:
    """Draws and writes some photographs; runs in a worker process."""
    return [_ENCODERS[job.source](draw(job), folder / job.source) for job in chunk]


def _chunks(all_jobs: Iterator[Job]) -> Iterator[list[Job]]:
    while chunk := list(islice(all_jobs, _CHUNK)):
        yield chunk


def _encoded(folder: Path, all_jobs: Iterator[Job], processes: int) -> Iterator[Encoded]:
    """All photographs, in order, drawn by `processes` processes; only a few chunks are under way at a time."""
    one = partial(_encode, folder)
    if processes == 1:
        for chunk in _chunks(all_jobs):
            yield from one(chunk)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        chunks = _chunks(all_jobs)
        waiting = [pool.submit(one, chunk) for chunk in islice(chunks, 2 * processes)]
        while waiting:
            yield from waiting.pop(0).result()
            waiting += [pool.submit(one, chunk) for chunk in islice(chunks, 1)]


def code_digest() -> str:
    """Digest of the code and data that draw the world, so that a folder drawn by another version is redrawn.

    `job.py` draws nothing, and is left out.
    """
    state = blake2b(digest_size=8)
    package = files("partonomy_data.demo")
    found = [item for item in package.iterdir() if item.name.endswith(".py") and item.name != "job.py"]
    found += [item for item in (package / "pools").iterdir() if item.name.endswith(".yaml")]
    for item in sorted(found, key=lambda item: item.name):
        state.update(item.name.encode() + b"\0" + item.read_bytes() + b"\0")
    return state.hexdigest()


def _made(folder: Path, counts: dict[str, dict[str, int]]) -> DemoWorld:
    return DemoWorld({source: folder / source for source in naming.SOURCES}, folder / _TRUTH, counts)


def _read_label(path: Path) -> dict[str, Any]:
    """What a folder's label says; empty where writing it was cut short."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except msgspec.DecodeError:
        return {}


def _prepare(folder: Path, wanted: dict[str, Any]) -> dict[str, dict[str, int]] | None:
    """Makes room for a world in `folder`. If the wanted one is there and whole, gives its counts instead."""
    label = folder / _LABEL
    if not folder.exists() or not any(folder.iterdir()):
        folder.mkdir(parents=True, exist_ok=True)
    elif not label.is_file():
        raise UsageError("holds something else than a demo world", where=str(folder), mend="Name a new folder")
    else:
        found = _read_label(label)
        counts: dict[str, dict[str, int]] | None = found.pop("counts", None)
        if counts is not None and found == wanted:
            return counts
        for name in (*naming.SOURCES, _TRUTH):
            if (folder / name).exists():
                shutil.rmtree(folder / name)
    label.write_bytes(msgspec.json.encode(wanted))
    return None


def write(folder: Path, size: str, world_seed: int, photo_seed: int, processes: int | None) -> DemoWorld:
    """See `partonomy_data.demo.write`."""
    if size not in SIZES:
        raise UsageError(f"there is no demo world of size {size!r}", mend=f"Sizes are {', '.join(SIZES)}")
    if processes is None:
        processes = 1 if SIZES[size] <= _ONE_PROCESS else min(os.cpu_count() or 1, _MOST_PROCESSES)
    wanted = {"size": size, "world_seed": world_seed, "photo_seed": photo_seed, "drawn_by": code_digest()}
    known = _prepare(folder, wanted)
    if known is not None:
        return _made(folder, known)
    joined: dict[str, _Joined] = {
        "paco": write_paco.PacoFiles(folder / "paco", world_seed),
        "partimagenet": write_partimagenet.PartImageNetFiles(folder / "partimagenet", world_seed),
        "pascal_part": write_pascal_part.PascalPartFiles(folder / "pascal_part"),
        "partonomy": write_partonomy.PartonomyFiles(folder / "partonomy", world_seed),
    }
    counts = {source: {"images": 0, "objects": 0, "parts": 0} for source in naming.SOURCES}
    with truth.TruthFiles(folder / _TRUTH, world.build(world_seed)) as lines:
        for encoded in _encoded(folder, jobs(world_seed, photo_seed, SIZES[size]), processes):
            lines.add(encoded.source, encoded.truth)
            joined[encoded.source].add(encoded)
            count = counts[encoded.source]
            count["images"] += 1
            count["objects"] += encoded.n_objects
            count["parts"] += encoded.n_parts
    for files_of_source in joined.values():
        files_of_source.close()
    (folder / _LABEL).write_bytes(msgspec.json.encode({**wanted, "counts": counts}))
    return _made(folder, counts)
