"""The call: a version, as a folder of pages."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from partonomy_data.errors import UsageError

#: Memory and processors of DuckDB; what it needs beyond that memory goes to disk.
_MEMORY: Final = "512MB"
_THREADS: Final = 2
#: Photographs and questions that are shown, if not said, and at most.
SAMPLES: Final = 24
MOST_SAMPLES: Final = 1000


@dataclass(frozen=True, slots=True)
class Written:
    """What a report came to."""

    version: str
    out: Path
    pages: int
    photographs: int
    """Small photographs that are in it."""
    notes: list[str]
    """What a reader should know, a line each."""


def write(
    root: str | Path,
    out: Path,
    *,
    version: str | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
    images: Mapping[str, str] | None = None,
    plain: Collection[str] = (),
    state: Path | None = None,
    progress: Any = None,
) -> Written:
    """Writes the report of a version of the store at `root`, the current one by default, to the folder `out`.

    `samples`: how many photographs are shown, and how many questions; `seed`: which. `images`: folders of photographs by source,
    where they don't lie where the version's build read them; `plain`: sources whose photographs are left out. `state`: the state
    folder of a store on S3. The same version, samples and seed, runs and evaluations give the same bytes. A report at `out`
    is replaced. Raises UsageError, one line: something else is at `out`, or jinja2 (the extra `explore`) isn't installed.
    """
    if not 0 <= samples <= MOST_SAMPLES:
        raise UsageError(f"{samples} samples can't be shown", where="--samples", mend=f"Say 0 to {MOST_SAMPLES}")
    try:
        from partonomy_data.report.pages import Settings, fill
    except ImportError as error:
        mend = "pip install 'partonomy-data[explore]', or `make setup`"
        raise UsageError(f"the report needs {error.name}", mend=mend) from error
    from partonomy_data import store
    from partonomy_data.photographs import places
    from partonomy_data.report.folder import made_whole, require_replaceable
    from partonomy_data.store.remote.address import address_of
    from partonomy_data.store.remote.state import default_state

    require_replaceable(out.expanduser().absolute())
    local = (state or default_state()) if address_of(root) else Path(root)
    found = places.of_store(local, images or {})
    with tempfile.TemporaryDirectory(prefix="partonomy-report-") as spill:
        limits = store.Limits(memory=_MEMORY, threads=min(_THREADS, os.cpu_count() or 1), spill_to=Path(spill))
        with store.open(root, version, limits) as opened:
            unknown = sorted(set(plain) - set(opened.manifest.get("counts", {})))
            if unknown:
                what = f"there is no source {unknown[0]!r} in version {opened.version}"
                raise UsageError(what, where="--plain", mend="Name one that the version has")
            with made_whole(out) as folder:
                settings = Settings(samples, seed, frozenset(plain))
                pages, photographs, notes = fill(folder, opened, local, found, settings, progress)
                return Written(opened.version, out, pages, photographs, notes)
