"""One shard from photographs to Parquet, in a folder named by the content that went in.

A shard that was finished before is not done again, whichever run did it: the folder's name is a digest of the shard's
annotations and photographs, the names that its categories get, and the code. The folder appears whole, by renaming.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from partonomy_data.ingest import columns
from partonomy_data.ingest.evidence import evidence
from partonomy_data.ingest.gather import gather
from partonomy_data.ingest.labels import Labels
from partonomy_data.ingest.placing import place
from partonomy_data.sources import files
from partonomy_data.sources.base import Shard, reader
from partonomy_data.sources.records import Photograph, Rejected
from partonomy_data.store import parquet
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
COUNTED = ("images", "objects", "parts", "attributes")


def ingest(job: ShardJob) -> ShardResult:
    """Does the shard, unless that was done before, and returns what `result.json` in its folder holds."""
    records = list(reader(job.shard.source).read(job.shard))
    root = Path(job.images_root) if job.images_root else None
    key = files.digest(
        job.shard.fingerprint,
        job.shard.number,
        job.shard.of,
        msgspec.json.encode(job.labels, order="deterministic"),
        job.exclude,
        job.code,
        _photograph_digests(records, root),
    )
    target = Path(job.folder) / key
    if (target / "result.json").is_file():
        return msgspec.json.decode((target / "result.json").read_bytes(), type=ShardResult)
    temporary = target.with_name(f"{key}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    result = _write(records, job, key, root, temporary)
    (temporary / "result.json").write_bytes(msgspec.json.encode(result))
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)
    return result


def _photograph_digests(records: Sequence[Photograph | Rejected], root: Path | None) -> list[tuple[str, str]]:
    """Path and SHA-256 of each photograph on disk: the tables hold what follows from its content."""
    if root is None:
        return []
    paths = sorted(record.path for record in records if isinstance(record, Photograph) and record.path is not None)
    return [(path, files.sha256(root / path)) for path in paths]


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
