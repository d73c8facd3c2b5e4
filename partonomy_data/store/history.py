"""The published versions of a store: what there is, going back to one, and removing old ones."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from partonomy_data.errors import StoreError
from partonomy_data.store import catalog, manifest
from partonomy_data.store.files import remove_tree
from partonomy_data.store.layout import MANIFEST, VERSION_NAME, Layout
from partonomy_data.store.lock import Lock, pointer_lock
from partonomy_data.store.pointer import read_current, require_current, set_current
from partonomy_data.store.remote.address import address_of
from schemas.tables import SCHEMA_VERSION

#: What folders of versions that are being removed are called, in `work/`.
REMOVED: Final = "removed"
#: How long `prune` spares a version in a bucket that was current, as its readers can't be seen.
GRACE_HOURS: Final = 24.0


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """A version as `partonomy versions` lists it."""

    version: str
    current: bool
    parent: str | None
    rows: Mapping[str, int]
    """Table → number of rows; empty where the version is damaged."""
    bytes: int
    """Size of its Parquet files together."""
    created: datetime
    """When it was published (UTC), as the file system says."""
    damage: str = ""
    """What is wrong with it, as far as the sizes of its files tell; empty if nothing is."""
    schema_version: int = SCHEMA_VERSION
    """Version of the schemas that its tables have; `migrate` raises it."""


def versions(root: str | Path) -> list[VersionInfo]:
    """The published versions, oldest first. Raises StoreError where there is no store."""
    address = address_of(root)
    if address is not None:
        from partonomy_data.store.remote import history

        return history.versions(address)
    root = Path(root)
    folder = Layout(root).versions
    require_store(root)
    try:
        current = read_current(root)
    except StoreError:  # a damaged pointer must not hide what one could roll back to
        current = None
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    found = [_info(root, name, current) for name in names if VERSION_NAME.fullmatch(name)]
    infos = [info for info in found if info is not None]
    return by_age(infos)


def by_age(infos: Sequence[VersionInfo]) -> list[VersionInfo]:
    """Oldest first. What was made at the same time, as far as the clock tells, comes after what it was made from.

    S3 tells times by the second, so that two publishes within one can't be told apart by them.
    """
    known = {info.version: info for info in infos}

    def ancestors(info: VersionInfo) -> int:
        seen = {info.version}
        found = known.get(info.parent or "")
        while found is not None and found.created == info.created and found.version not in seen:
            seen.add(found.version)
            found = known.get(found.parent or "")
        return len(seen) - 1

    return sorted(infos, key=lambda info: (info.created, ancestors(info), info.version))


def _info(root: Path, name: str, current: str | None) -> VersionInfo | None:
    """What is known of a version; None if it was removed meanwhile."""
    folder = Layout(root).version(name)
    try:
        written = folder / MANIFEST if (folder / MANIFEST).exists() else folder
        created = datetime.fromtimestamp(written.stat().st_mtime, UTC)
    except FileNotFoundError:
        return None
    try:
        found = manifest.read(root, name)
    except StoreError as error:
        return VersionInfo(name, name == current, None, {}, 0, created, error.what)
    parent = found.content.get("parent")
    size = sum(entry.bytes for entry in found.files)
    return VersionInfo(name, name == current, parent, found.rows(), size, created, schema_version=found.schema_version)


def rollback(root: str | Path, version: str) -> None:
    """Makes `version` the current one. Nothing is removed. Raises StoreError if it isn't there, or isn't whole."""
    address = address_of(root)
    if address is not None:
        from partonomy_data.store.remote import history

        history.rollback(address, version)
        return
    root = Path(root)
    require_store(root)
    with pointer_lock(root), catalog.following(root, version):
        set_current(root, version)


def require_store(root: Path) -> None:
    """Raises StoreError where there is no store with versions."""
    if not Layout(root).versions.is_dir():
        require_current(root)


def prune(root: str | Path, keep: int, grace_hours: float = GRACE_HOURS) -> list[str]:
    """Removes all but the `keep` newest versions, and returns the names of those removed, oldest first.

    The current version is spared, and so are those that a reader on this machine has open. Models, evaluations and
    what language models answered stay. In a bucket, where readers can't be seen, those are spared that were current in the
    last `grace_hours`. Raises StoreError where there is no store, ValueError if `keep` is below 1.
    """
    address = address_of(root)
    if address is not None:
        from partonomy_data.store.remote import history

        return history.prune(address, keep, grace_hours)
    root = Path(root)
    if keep < 1:
        raise ValueError("keep must be at least 1")
    require_store(root)
    with pointer_lock(root):
        current = require_current(root)
        if catalog.shown(root) != current:  # else it would go on showing a version that is about to go
            with catalog.following(root, current):
                pass
        infos = versions(root)
        old = [info.version for info in infos[: max(0, len(infos) - keep)] if not info.current]
        for left in sorted(Layout(root).work.glob(f"{REMOVED}-*")):  # by a prune that was killed
            shutil.rmtree(left)
        return [version for version in old if _remove(root, version)]


def _remove(root: Path, version: str) -> bool:
    """Removes a version unless someone reads it; whether it did."""
    layout = Layout(root)
    lock = Lock(layout.reader_lock(version))
    if not lock.acquire():
        return False
    try:
        remove_tree(layout.version(version), aside=layout.work / f"{REMOVED}-{version}")
        lock.path.unlink(missing_ok=True)  # who waits for it finds the version gone
    finally:
        lock.release()
    return True


def verify(root: str | Path, version: str | None = None) -> list[str]:
    """Compares every file of a version (the current one by default) with its digest in the manifest.

    Returns what is wrong, one clause each; empty if nothing is. Raises StoreError if there is no such version.
    """
    address = address_of(root)
    if address is not None:
        from partonomy_data.store.remote import history

        return history.verify(address, version)
    root = Path(root)
    name = version or require_current(root)
    if not Layout(root).version(name).is_dir():
        manifest.read(root, name)
    return manifest.damages(root, name)
