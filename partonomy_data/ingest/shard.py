"""One shard from photographs to Parquet, in a folder named by the content that went in.

A shard that was finished before is not done again, whichever run did it: the folder's name is a digest of the shard's
annotations and photographs, the names that its categories get, and the code. The folder appears whole, by renaming.
Where annotations, names and code are those of a finished shard, and its photographs are as they were (`seen`) or hold other
bytes that change nothing else (`renewing`), it is not even read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from partonomy_data.errors import SourceError
from partonomy_data.ingest import columns, renewing, seen
from partonomy_data.ingest.evidence import evidence
from partonomy_data.ingest.gather import gather
from partonomy_data.ingest.labels import Labels
from partonomy_data.ingest.placing import place
from partonomy_data.sources import files
from partonomy_data.sources.base import Shard, reader
from partonomy_data.sources.records import Photograph, Rejected
from partonomy_data.store import parquet
from partonomy_data.store.files import folder_aside, link_or_copy
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
    apart: bool = False
    """Whether reading looks at no photograph (`base.OfFiles`)."""

    @property
    def root(self) -> Path | None:
        """The folder of photographs."""
        return Path(self.images_root) if self.images_root else None

    @property
    def annotations(self) -> str:
        """Digest of all that the shard follows from beside its photographs."""
        return files.digest(
            self.shard.fingerprint,
            self.shard.number,
            self.shard.of,
            msgspec.json.encode(self.labels, order="deterministic"),
            self.exclude,
            self.code,
        )

    def key(self, photographs: Sequence[seen.Seen]) -> str:
        """The name of the folder of the shard with these photographs."""
        return files.digest(self.annotations, [(one.path, one.sha256) for one in photographs])


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
    done = recalled(job)
    if done is not None:
        return done
    root, folder, annotations = job.root, Path(job.folder), job.annotations
    known = seen.recall(folder, annotations)
    records = list(reader(job.shard.source).read(job.shard))
    for _ in range(_TRIES):
        photographs, missing = _photographs(records, root, known, job.verify)
        key = job.key(photographs)
        target = folder / key
        if (target / RESULT).is_file() or _finish(
            lambda made, key=key: _write(records, job, key, root, made),  # type: ignore[misc]
            root,
            target,
            photographs,
        ):
            folder.mkdir(parents=True, exist_ok=True)
            seen.note(folder, annotations, seen.Known(key, photographs, missing, job.names))
            return _result(target)
    raise SourceError(
        "its photographs change while they are read", where=str(root), mend="Build again when nothing writes to them"
    )


def recalled(job: ShardJob) -> ShardResult | None:
    """The shard where it can be had without being read; None where it can't.

    That is so if it was done before, or one that differs from it in what some photographs hold (`renewing`).
    """
    root, folder, annotations = job.root, Path(job.folder), job.annotations
    known = seen.recall(folder, annotations)
    if known is None or not (folder / known.key / RESULT).is_file():
        return None
    still = seen.now(known, root, job.names, verify=job.verify)
    if still is None:
        return None
    key = job.key(still.photographs)
    if key != known.key and not (folder / key / RESULT).is_file() and not _renew(job, known, still, key):
        return None
    if key != known.key or still != known:
        seen.note(folder, annotations, msgspec.structs.replace(still, key=key))
    return _result(folder / key)


def _renew(job: ShardJob, known: seen.Known, still: seen.Known, key: str) -> bool:
    """Makes a shard of a finished one whose photographs held something else; whether it could."""
    root, before = job.root, Path(job.folder) / known.key
    if root is None or not job.apart:
        return False
    images = renewing.images(before / "images.parquet", root, known.photographs, still.photographs)
    if images is None:
        return False

    def write(folder: Path) -> ShardResult:
        for path in before.iterdir():
            if path.name not in ("images.parquet", RESULT):
                link_or_copy(path, folder / path.name)
        parquet.write(images, folder / "images.parquet", "images")
        return msgspec.structs.replace(_result(before), key=key)

    return _finish(write, root, Path(job.folder) / key, still.photographs)


def _result(folder: Path) -> ShardResult:
    return msgspec.json.decode((folder / RESULT).read_bytes(), type=ShardResult)


def _finish(
    write: Callable[[Path], ShardResult], root: Path | None, target: Path, photographs: Sequence[seen.Seen]
) -> bool:
    """Makes the shard's folder, whole or not at all; whether it did.

    It doesn't if a photograph has changed since it was hashed: the folder's name would say what it doesn't hold.
    """
    with suppress(_Changed), folder_aside(target, RESULT) as folder:
        result = write(folder)
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
