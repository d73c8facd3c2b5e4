"""The manifest of a version: what files it has, their digests, and by them its name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from partonomy_data.errors import StoreError
from partonomy_data.store.files import sha256_of_all
from partonomy_data.store.layout import MANIFEST, PREVIEW, Layout
from partonomy_data.store.remote.address import Address
from schemas.tables import SCHEMA_VERSION, TABLES

#: Tables with facts of a run (times, latencies): part of a version, but not of what tells two versions apart.
RUN_TABLES: Final = frozenset({"llm_calls"})


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A Parquet file of a version: `path` relative to the version's folder, `/` between folders."""

    path: str
    rows: int
    bytes: int
    sha256: str

    @property
    def table(self) -> str:
        """The table that the file belongs to: the first folder of its path."""
        return self.path.split("/", 1)[0]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A version's manifest, checked: `content` is all of manifest.json, `files` its files sorted by path."""

    version: str
    content: Mapping[str, Any]
    files: tuple[FileEntry, ...]

    def paths(self, folder: Path, table: str) -> list[Path]:
        """The files of `table`, in order, under the version's `folder`."""
        return [folder / entry.path for entry in self.files if entry.table == table]

    @property
    def schema_version(self) -> int:
        """Version of the schemas that its tables have; at most `SCHEMA_VERSION`."""
        return int(self.content["schema_version"])

    def rows(self) -> dict[str, int]:
        """Table → number of rows, in the order of the tables."""
        counts = dict.fromkeys(TABLES, 0)
        for entry in self.files:
            counts[entry.table] += entry.rows
        return counts


def version_name(files: Iterable[FileEntry], schema_version: int = SCHEMA_VERSION) -> str:
    """The name of the version that has these files: 16 hex digits of a digest over their paths and contents."""
    content = [[entry.path, entry.sha256] for entry in files if entry.table not in RUN_TABLES]
    text = json.dumps([schema_version, sorted(content)], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def content(given: Mapping[str, Any], files: Iterable[FileEntry], parent: str | None) -> dict[str, Any]:
    """What manifest.json holds: all that was `given`, and the version's name, parent, tables and files."""
    listed = sorted(files, key=lambda entry: entry.path)
    version = version_name(listed)
    rows = Manifest(version, {}, tuple(listed)).rows()
    return {
        **given,
        "version": version,
        "schema_version": SCHEMA_VERSION,
        "parent": parent if parent != version else None,
        "tables": rows,
        "files": [asdict(entry) for entry in listed],
    }


def read(root: Path, version: str) -> Manifest:
    """The manifest of a version, after checking that it is its own and that every file is there in its size.

    Raises StoreError if the version isn't there, was written by a newer tool, or isn't whole.
    """
    manifest = listed(root, version)
    folder = Layout(root).version(version)
    for entry in manifest.files:
        try:
            size = (folder / entry.path).stat().st_size
        except OSError as error:
            raise damaged(version, root, f"{entry.path} is missing") from error
        if size != entry.bytes:
            raise damaged(version, root, f"{entry.path} has {size} bytes, not {entry.bytes}")
    return manifest


def listed(root: Path, version: str) -> Manifest:
    """The manifest of a version, after checking that it is its own; whether its files are there is not looked at.

    Raises StoreError if the version isn't there, was written by a newer tool, or its manifest is damaged.
    """
    layout = Layout(root)
    folder, path = layout.version(version), layout.manifest(version)
    if not folder.is_dir():
        raise StoreError(
            f"there is no version {version}",
            where=str(root),
            mend="`partonomy versions` lists what there is",
        )
    try:
        text = path.read_bytes()
    except OSError as error:
        raise damaged(version, root, f"{MANIFEST} can't be read ({error.strerror})") from error
    return parse(text, version, root)


def parse(text: bytes, version: str, root: Path | Address) -> Manifest:
    """The content of manifest.json, checked. Raises StoreError, which names `root`, as `listed` does."""
    try:
        parsed = json.loads(text)
    except ValueError as error:
        raise damaged(version, root, f"{MANIFEST} is not JSON") from error
    if not isinstance(parsed, dict) or not isinstance(parsed.get("schema_version"), int):
        raise damaged(version, root, f"{MANIFEST} has no schema version")
    schema_version = parsed["schema_version"]
    if schema_version < 1:
        raise damaged(version, root, f"{MANIFEST} says schema version {schema_version}")
    if schema_version > SCHEMA_VERSION:
        raise StoreError(
            f"version {version} was made by a newer partonomy-data (schema version {schema_version}; this one knows up to "
            f"{SCHEMA_VERSION})",
            where=str(root),
            mend="Install a newer partonomy-data",
        )
    try:
        files = tuple(
            FileEntry(str(f["path"]), int(f["rows"]), int(f["bytes"]), str(f["sha256"])) for f in parsed["files"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(version, root, f"{MANIFEST} doesn't list its files as it should") from error
    for entry in files:
        if not is_table_file(entry.path):
            raise damaged(version, root, f"{MANIFEST} lists {entry.path!r}, which is no table's file")
    missing = sorted(set(TABLES) - {entry.table for entry in files})
    if missing and schema_version == SCHEMA_VERSION:
        raise damaged(version, root, f"{MANIFEST} lists no file of {', '.join(missing)}")
    if version_name(files, schema_version) != version:
        raise damaged(version, root, f"{MANIFEST} is that of another version")
    return Manifest(version, parsed, tuple(sorted(files, key=lambda entry: entry.path)))


def is_table_file(path: str) -> bool:
    """Whether a relative path is that of a table's Parquet file and stays within the version's folder."""
    parts = PurePosixPath(path).parts
    plain = path == "/".join(parts) and not {"..", "."} & set(parts) and "\0" not in path and "\\" not in path
    return plain and len(parts) > 1 and parts[0] in TABLES and parts[-1].endswith(".parquet")


def damages(root: Path, version: str) -> list[str]:
    """What is wrong with a version, one clause each; empty if every byte is as published. Reads all of its files."""
    try:
        manifest = read(root, version)
    except StoreError as error:
        return [error.what]
    folder = Layout(root).version(version)
    try:
        found = sha256_of_all([folder / entry.path for entry in manifest.files])
    except OSError as error:
        return [f"{error.filename} can't be read ({error.strerror})"]
    wrong = [
        f"{entry.path} has another content than published"
        for entry, digest in zip(manifest.files, found, strict=True)
        if digest != entry.sha256
    ]
    return wrong + damages_of_preview(folder, manifest.content)


def damages_of_preview(folder: Path, content: Mapping[str, Any]) -> list[str]:
    """What is wrong with the preview of the version in `folder`, in one clause; empty if nothing is, or it should have none."""
    told, path = content.get("preview"), folder / PREVIEW
    if not told:
        return []
    try:
        (digest,) = sha256_of_all([path])
    except OSError as error:
        return [f"{PREVIEW} can't be read ({error.strerror})"]
    return [] if digest == told["sha256"] else [f"{PREVIEW} has another content than published"]


def damaged(version: str, root: Path | Address, how: str) -> StoreError:
    """The error for a version that isn't as it was published."""
    return StoreError(
        f"version {version} is damaged: {how}",
        where=str(root),
        mend="Roll back to another version, or build again",
    )
