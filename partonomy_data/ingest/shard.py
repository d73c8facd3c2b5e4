"""One shard from photographs to Parquet, in a folder named by the content that went in.

A shard that was finished before is not done again, whichever run did it: the folder's name is a digest of the shard's
annotations and photographs, the names that its categories get, and the code. The folder appears whole, by renaming.
Where annotations, names and code are those of a finished shard, and its photographs are as they were (`seen`), it is not
even read.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from partonomy_data.errors import SourceError
from partonomy_data.ingest import columns, seen
from partonomy_data.ingest.evidence import evidence
from partonomy_data.ingest.gather import gather
from partonomy_data.ingest.labels import Labels
from partonomy_data.ingest.placing import place
from partonomy_data.sources import files
from partonomy_data.sources.base import Shard, reader
from partonomy_data.sources.records import Photograph, Rejected
from partonomy_data.store import parquet
from partonomy_data.store.files import folder_aside
from partonomy_data.taxonomy import graph


class ShardJob(msgspec.Struct, frozen=True):
    """What a worker needs to do a shard."""

    shard: Shard
    labels: Labels
    images_root: str | None
    folder: str
    """Where finished shards are kept, each in a folder of its own."""
    code: str
    """Digest of the code (`fingerprint.code`)."""
    exclude: tuple[str, ...] = ()
    names: str = ""
    """Digest of the names of all files in the folder of photographs (`listing.names_digest`)."""
    verify: bool = False
    """Whether photographs are hashed again, even those that look as they did."""


class Counts(msgspec.Struct, frozen=True):
    """Rows of one table: read + derived = out + quarantined."""

    read: int = 0
    derived: int = 0
    """Rows that no row of the source stands for: objects made of parts."""
    out: int = 0
    quarantined: int = 0

    def plus(self, other: Counts) -> Counts:
        """The sum of both."""
        return Counts(
            self.read + other.read,
            self.derived + other.derived,
            self.out + other.out,
            self.quarantined + other.quarantined,
        )

    def balanced(self) -> bool:
        """Whether nothing was lost."""
        return self.read + self.derived == self.out + self.quarantined


class ShardResult(msgspec.Struct, frozen=True):
    """A finished shard."""

    source: str
    number: int
    of: int
    key: str
    counts: dict[str, Counts]
    """By table: `images`, `objects`, `parts`, `attributes`."""
    rules: dict[str, int]
    """How often each rule was applied, quarantine included."""


#: The shard's part of the taxonomy's counts, beside its tables.
SUMMARY = "summary.parquet"
#: What says that a shard is finished, and what came of it.
RESULT = "result.json"
#: How often a shard is done anew because a photograph has changed meanwhile.
_TRIES = 3
COUNTED = ("images", "objects", "parts", "attributes")


def ingest(job: ShardJob) -> ShardResult:
    """Does the shard, unless that was done before, and returns what `result.json` in its folder holds."""
    root = Path(job.images_root) if job.images_root else None
    folder = Path(job.folder)
    annotations = files.digest(
        job.shard.fingerprint,
        job.shard.number,
        job.shard.of,
        msgspec.json.encode(job.labels, order="deterministic"),
        job.exclude,
        job.code,
    )
    known = seen.recall(folder, annotations)
    if known is not None and (folder / known.key / RESULT).is_file():
        still = seen.again(known, root, job.names, verify=job.verify)
        if still is not None:
            if still != known:
                seen.note(folder, annotations, still)
            return _result(folder / known.key)
    records = list(reader(job.shard.source).read(job.shard))
    for _ in range(_TRIES):
        photographs, missing = _photographs(records, root, known, job.verify)
        key = files.digest(annotations, [(one.path, one.sha256) for one in photographs])
        target = folder / key
        if (target / RESULT).is_file() or _finish(records, job, key, root, target, photographs):
            folder.mkdir(parents=True, exist_ok=True)
            seen.note(folder, annotations, seen.Known(key, photographs, missing, job.names))
            return _result(target)
    raise SourceError(
        "its photographs change while they are read", where=str(root), mend="Build again when nothing writes to them"
    )


def _result(folder: Path) -> ShardResult:
    return msgspec.json.decode((folder / RESULT).read_bytes(), type=ShardResult)


def _finish(
    records: Sequence[Photograph | Rejected],
    job: ShardJob,
    key: str,
    root: Path | None,
    target: Path,
    photographs: Sequence[seen.Seen],
) -> bool:
    """Makes the shard's folder, whole or not at all; whether it did.

    It doesn't if a photograph has changed since it was hashed: the folder's name would say what it doesn't hold.
    """
    with suppress(_Changed), folder_aside(target, RESULT) as folder:
        result = _write(records, job, key, root, folder)
        (folder / RESULT).write_bytes(msgspec.json.encode(result))
        if root is not None and seen.changed(root, photographs) is not None:
            raise _Changed
        return True
    return False


class _Changed(Exception):
    """A photograph isn't what it was."""


def _photographs(
    records: Sequence[Photograph | Rejected], root: Path | None, known: seen.Known | None, verify: bool
) -> tuple[list[seen.Seen], int]:
    """Each photograph on disk with its SHA-256, as the tables hold what follows from its content; and how many aren't."""
    photos = [record for record in records if isinstance(record, Photograph)]
    paths = sorted(photo.path for photo in photos if photo.path is not None)
    if root is None:
        return [], len(photos)
    before = {} if known is None or verify else {one.path: one for one in known.photographs}
    return [seen.look(root, path, before.get(path)) for path in paths], len(photos) - len(paths)


def _write(
    records: Sequence[Photograph | Rejected], job: ShardJob, key: str, root: Path | None, folder: Path
) -> ShardResult:
    source = job.shard.source
    gathered = gather(records, root, job.labels, job.exclude)
    placed = place(gathered, job.labels)
    tables = {
        "images": columns.images(gathered, source),
        "objects": columns.objects(placed, job.labels, source),
        "parts": columns.parts(placed, job.labels, source),
        "part_evidence": evidence(placed, job.labels, source),
        "attributes": columns.attributes(placed, source),
        "quarantine": columns.quarantine(gathered.rejected, source),
    }
    for name, table in tables.items():
        if len(table):
            parquet.write(table, folder / f"{name}.parquet", name)
    pq.write_table(graph.summarise(tables["objects"], tables["parts"]).counts, folder / SUMMARY)
    tally = gathered.tally
    quarantined = {name: sum(row.table == name for row in gathered.rejected) for name in COUNTED}
    for row in gathered.rejected:
        tally.rules[row.rule] += 1
    counts = {
        name: Counts(tally.read[name], tally.derived[name], len(tables[name]), quarantined[name]) for name in COUNTED
    }
    return ShardResult(source, job.shard.number, job.shard.of, key, counts, dict(sorted(tally.rules.items())))
