"""Publishing: a staged folder becomes a version, whole and at once, and then the current one.

The order is what makes a crash harmless: all files are on disk before the folder gets its name, the folder has its
name before CURRENT says it, and CURRENT says it before the catalog shows it. Until CURRENT moves, readers see the old
version; whatever was left undone is done by publishing the same content again. What needs room on the disk is written
before CURRENT moves: where it fails, all that was done is undone.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from partonomy_data.errors import StoreError
from partonomy_data.store import catalog, croissant, manifest, parquet
from partonomy_data.store.files import (
    files_under,
    fsync_folder,
    fsync_tree,
    is_leftover,
    json_text,
    make_read_only,
    remove_tree,
    sha256_of_all,
    write_bytes,
)
from partonomy_data.store.layout import CARD, CROISSANT, MANIFEST, PREVIEW, Layout
from partonomy_data.store.lock import pointer_lock
from partonomy_data.store.manifest import FileEntry
from partonomy_data.store.pointer import read_current, set_current
from partonomy_data.store.remote import state
from schemas.tables import TABLES


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing came to: the version's name, and whether it is a new one."""

    version: str
    new: bool


def publish(
    root: Path,
    staged: Path,
    given: Mapping[str, Any],
    *,
    readme: str,
    extras: Mapping[str, str | bytes] | None = None,
    instead_of: str | None = None,
    before: Callable[[Published], object] | None = None,
) -> Published:
    """Makes the staged folder a version and the current one; the same content again only moves CURRENT to it.

    `staged` lies on the store's file system (in `work/`) and holds `<table>/**/*.parquet`, written by
    `parquet.write`, and nothing else; tables that are missing get an empty file. It is gone afterwards. `given` is
    what the manifest says beside the version's name, parent, rows and files. `extras` are further files at the top
    of the version's folder by name; `croissant.json` is made of the manifest unless it is among them. With
    `instead_of` it follows on that version, and becomes the current one only if that one is it. `before` is called when
    all is there, and CURRENT has yet to move. Where `root` is the state of a store on S3, it is published there first.
    Raises StoreError if the staged folder isn't as it should be, or can't be published on S3, and OSError if the disk is
    full; the store is as it was then.
    """
    tops = {MANIFEST, CARD, CROISSANT, PREVIEW, *(extras or {})}
    entries = entries_of(staged, tops)
    version = manifest.version_name(entries)
    root.mkdir(parents=True, exist_ok=True)
    if staged.stat().st_dev != root.stat().st_dev:
        raise StoreError("lies on another file system than the store", where=str(staged), mend="Stage in work/")
    with pointer_lock(root):
        new = bool(manifest.damages(root, version))
        published = Published(version, new)
        moves = instead_of is None or read_current(root) in (instead_of, version)
        with ExitStack() as stack:
            if new:
                content = manifest.content(given, entries, instead_of or read_current(root))
                texts = {CROISSANT: croissant.text(content), **(extras or {}), CARD: readme}
                stack.enter_context(_put(root, staged, version, texts, content))
            if moves:
                stack.enter_context(catalog.following(root, version))
            if before is not None:
                before(published)
            state.publish(root, version, moves=moves)
            if moves:
                set_current(root, version)
    if not new:
        shutil.rmtree(staged)
    return published


@contextmanager
def _put(
    root: Path, staged: Path, version: str, tops: Mapping[str, str | bytes], content: Mapping[str, Any]
) -> Iterator[None]:
    """Gives the staged folder, all of it on disk, the name of the version; if the block raises, it is staged again."""
    target = Layout(root).version(version)
    for name, given in {**tops, MANIFEST: json_text(content)}.items():
        write_bytes(staged / name, given.encode() if isinstance(given, str) else given)
    make_read_only(files_under(staged))
    fsync_tree(staged)
    mends = target.exists()
    if mends:  # what lies there under this name is damaged
        remove_tree(target, aside=_aside(root, version))
    target.parent.mkdir(parents=True, exist_ok=True)
    os.rename(staged, target)
    try:
        fsync_folder(target.parent)
        fsync_folder(root)
        yield
    except BaseException:
        if not mends and read_current(root) != version:
            os.rename(target, staged)
        raise


def entries_of(staged: Path, tops: Collection[str] = ()) -> list[FileEntry]:
    """The staged files with their rows, bytes and digests, after filling in empty files for tables without any.

    What an interrupted attempt left is removed: half-written files, and `tops`, the files at the folder's top. Raises
    StoreError for a file that doesn't belong there, or whose columns aren't the table's.
    """
    if not staged.is_dir():
        raise StoreError("there is no staged folder here", where=str(staged))
    for path in files_under(staged):
        if is_leftover(path) or (path.parent == staged and path.name in tops):
            path.unlink()
    for name in TABLES:
        if not any((staged / name).rglob("*.parquet")):
            parquet.empty(name, staged / name / parquet.EMPTY_FILE)
    paths = files_under(staged)
    rows = [_checked_rows(path, path.relative_to(staged).as_posix()) for path in paths]
    digests = sha256_of_all(paths)
    return [
        FileEntry(path.relative_to(staged).as_posix(), n_rows, path.stat().st_size, digest)
        for path, n_rows, digest in zip(paths, rows, digests, strict=True)
    ]


def _checked_rows(path: Path, relative: str) -> int:
    if not manifest.is_table_file(relative) or path.is_symlink():
        raise StoreError("does not belong into a version", where=str(path))
    table = relative.split("/", 1)[0]
    try:
        with pq.ParquetFile(path) as file:
            schema, n_rows = file.schema_arrow, int(file.metadata.num_rows)
    except (pa.ArrowException, OSError) as error:
        raise StoreError("is not a Parquet file that can be read", where=str(path)) from error
    if not schema.equals(parquet.written_schema(table)):
        raise StoreError(f"has other columns than table {table}", where=str(path))
    return n_rows


def _aside(root: Path, version: str) -> Path:
    return Layout(root).work / f"damaged-{version}-{time.time_ns()}"
