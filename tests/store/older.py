"""Versions as older schemas had them, published by hand: columns stripped, digests and names as they were then."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from partonomy_data.store import parquet, relink
from partonomy_data.store.files import sha256
from partonomy_data.store.layout import Layout
from partonomy_data.store.manifest import FileEntry, version_name

#: Schema version → table → the columns that it didn't have yet.
LACKED = {
    2: dict.fromkeys(("images", "objects", "parts", "quarantine"), ("repairs",)),
    1: {
        **dict.fromkeys(("images", "objects", "parts", "quarantine"), ("repairs",)),
        "question_masks": ("phrase", "contrast_part"),
        "object_categories": ("source_categories",),
    },
}
#: Schema version → the tables that there weren't yet.
MISSING = {2: (), 1: ("splits",)}


def publish_older(root: Path, schema_version: int, *, beside: bool = False) -> str:
    """Puts the current version as `schema_version` had it in its place, or `beside` it; returns the version."""
    layout = Layout(root)
    source = layout.version(layout.current.read_text().strip())
    folder = layout.work / "older"
    if beside:
        shutil.copytree(source, folder)
    else:
        source.rename(folder)
    content = json.loads((folder / "manifest.json").read_bytes())
    entries = []
    for listed in content["files"]:
        path = folder / listed["path"]
        table = listed["path"].split("/")[0]
        if table in MISSING[schema_version]:
            path.unlink()
            continue
        lacked = LACKED[schema_version].get(table, ())
        if lacked:
            strip(path, lacked)
        entries.append(FileEntry(listed["path"], listed["rows"], path.stat().st_size, sha256(path)))
    for table in MISSING[schema_version]:
        shutil.rmtree(folder / table)
    version = version_name(entries, schema_version)
    tables = {name: rows for name, rows in content["tables"].items() if name not in MISSING[schema_version]}
    content |= {"schema_version": schema_version, "version": version, "tables": tables}
    content["files"] = [asdict(entry) for entry in entries]
    manifest = folder / "manifest.json"
    manifest.chmod(0o644)
    manifest.write_text(json.dumps(content, indent=2, sort_keys=True))
    folder.rename(layout.version(version))
    layout.current.write_text(version + "\n")
    relink(root)
    return version


def strip(path: Path, columns: tuple[str, ...]) -> None:
    """Writes a file anew without these columns, as the writer of that time did."""
    rows: pa.Table = pq.ParquetFile(path).read().drop_columns(list(columns))
    path.unlink()
    pq.write_table(rows, path, compression="zstd", row_group_size=parquet.ROWS_PER_GROUP, version="2.6")
    path.chmod(0o444)
