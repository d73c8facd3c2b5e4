"""A source's plan without looking at the source: where the files that it follows from are those of the last build.

To look at a large source takes longer than all that a changed photograph calls for. So what the last build found is kept
(`keeping`), for readers that say which files they look at (`base.OfFiles`). Such a plan tells shards from others; where one
must be read after all, the source is planned again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from partonomy_data.errors import SourceError
from partonomy_data.ingest import seen
from partonomy_data.ingest.seen import Seen
from partonomy_data.pipeline import keeping
from partonomy_data.pipeline.code import code_digest
from partonomy_data.sources import files
from partonomy_data.sources.base import OfFiles, Plan, SourceRequest, reader
from partonomy_data.sources.listing import SETTLED_NS


def planned(request: SourceRequest, last: Path, shards: Path, *, verify: bool) -> Plan | None:
    """The plan that the last build had of a source; None if it must be planned. With `verify` its files are hashed again.

    `last` is the folder of what is kept, `shards` that of finished shards.
    """
    made = reader(request.name)
    if not isinstance(made, OfFiles):
        return None
    kept = keeping.load(last, [request.name], shards).get(request.name)
    if kept is None or not kept.looked_at or kept.on != asked(request):
        return None
    try:
        paths = [str(path) for path in made.annotation_files(request)]
        now = [seen.look(Path("/"), one.path, None if verify else one) for one in kept.looked_at]
    except (SourceError, OSError):
        return None  # who plans it comes upon that again, and tells it
    same = paths == [one.path for one in now] and [one.sha256 for one in now] == [one.sha256 for one in kept.looked_at]
    there = kept.images_root is None or Path(kept.images_root).is_dir()
    return kept.plan() if same and there else None


def asked(request: SourceRequest) -> str:
    """Digest of what is asked for, and of the code that looks at it."""
    code = code_digest(type(reader(request.name)).__module__.partition(".")[0])
    return files.digest(code, str(request.path), str(request.images), request.limit)


def looked_at(request: SourceRequest, plan: Plan, listings: Mapping[str, pa.Table], start_ns: int) -> list[Seen]:
    """The files that a plan follows from, as they were when they were listed; nothing if that can't be told of each.

    `listings` are those of the source's folders, from before it was planned, which was at `start_ns` or later.
    """
    made = reader(request.name)
    if not isinstance(made, OfFiles):
        return []
    found = []
    for path in made.annotation_files(request):
        digests = [one.sha256 for one in plan.files if f"/{path}".endswith(f"/{one.path}")]
        rows = [row for folder, listed in listings.items() if (row := _row(listed, Path(folder), path)) is not None]
        if len(digests) != 1 or not rows:
            return []
        # A file that had only just changed could change again with no new time: its content decides.
        settled = rows[0]["mtime_ns"] < start_ns - SETTLED_NS
        mtime_ns = rows[0]["mtime_ns"] if settled else 0
        found.append(Seen(str(path), rows[0]["size"], mtime_ns, rows[0]["inode"], digests[0]))
    return found


def _row(listed: pa.Table, folder: Path, path: Path) -> dict[str, int] | None:
    """The row of a file in the listing of a folder, or of itself."""
    inside = path.name if folder.is_file() else os.path.relpath(path, folder.resolve())
    rows: list[dict[str, int]] = listed.filter(pc.equal(listed["path"], inside)).to_pylist()
    return rows[0] if rows else None
