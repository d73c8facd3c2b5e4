"""What is kept of each source after a build: enough to do without it once, should it fail at a refresh."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from partonomy_data.ingest.labels import Labels
from partonomy_data.ingest.seen import Seen
from partonomy_data.ingest.shard import RESULT, ShardResult
from partonomy_data.sources import files
from partonomy_data.sources.base import Plan, Shard, SourceFile
from partonomy_data.sources.records import Rejected, Vocabulary


class Kept(msgspec.Struct, frozen=True):
    """A source as it was read."""

    source: str
    vocabulary: Vocabulary
    files: list[SourceFile]
    shards: list[Shard]
    """Without what it takes to read them."""
    images_root: str | None
    rejected: list[Rejected]
    repairs: dict[str, int]
    labels: str
    """Digest of the names that its categories got."""
    results: list[ShardResult]
    on: str = ""
    """Digest of what was asked for, and of the code that looked at it; empty if more than its files was looked at."""
    looked_at: list[Seen] = []
    """The files that it follows from, by their whole paths."""

    def plan(self) -> Plan:
        """The plan again, whose shards can't be read any more."""
        root = Path(self.images_root) if self.images_root else None
        return Plan(
            self.source, self.vocabulary, self.files, self.shards, root, self.rejected, self.repairs, remembered=True
        )


def kept(
    plan: Plan, labels: Labels, results: Sequence[ShardResult], on: str = "", looked_at: Sequence[Seen] = ()
) -> Kept:
    """What is to be kept of a source. See `Kept` for `on` and `looked_at`."""
    return Kept(
        source=plan.source,
        vocabulary=plan.vocabulary,
        files=plan.files,
        shards=[msgspec.structs.replace(shard, payload={}) for shard in plan.shards],
        images_root=str(plan.images_root) if plan.images_root else None,
        rejected=[msgspec.structs.replace(row, row=_plain(row.row)) for row in plan.rejected],
        repairs=plan.repairs,
        labels=digest(labels),
        results=list(results),
        on=on,
        looked_at=list(looked_at),
    )


def digest(labels: Labels) -> str:
    """Of the names that a source's categories get."""
    return files.digest(msgspec.json.encode(labels, order="deterministic"))


def save(folder: Path, sources: Mapping[str, Kept]) -> None:
    """Writes a file for each source, in place of what was there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, one in sources.items():
        aside = folder / f"{name}.{os.getpid()}.tmp"
        aside.write_bytes(msgspec.json.encode(one))
        aside.rename(folder / f"{name}.json")


def load(folder: Path, names: Sequence[str], shards: Path) -> dict[str, Kept]:
    """What is kept of some sources; those of which not all is there any more are left out."""
    found = {}
    for name in names:
        try:
            one = msgspec.json.decode((folder / f"{name}.json").read_bytes(), type=Kept)
        except (OSError, msgspec.MsgspecError):
            continue  # nothing is kept of it: it must be read
        if all((shards / result.key / RESULT).is_file() for result in one.results):
            found[name] = one
    return found


def _plain(row: Any) -> Any:
    """A rejected row as it will be written: as JSON text."""
    from partonomy_data.ingest.columns import row_json

    return row if isinstance(row, str) else row_json(row)
