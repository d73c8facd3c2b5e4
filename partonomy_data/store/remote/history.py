"""The versions in a bucket: listing them, going back to one, removing old ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from partonomy_data.errors import StoreError
from partonomy_data.store.history import GRACE_HOURS, VersionInfo, by_age
from partonomy_data.store.layout import MANIFEST, VERSION_NAME
from partonomy_data.store.remote import manifests, pointer
from partonomy_data.store.remote.address import Address
from partonomy_data.store.remote.bucket import Bucket, Listed, together, unless_there
from partonomy_data.store.remote.connecting import connect
from partonomy_data.store.remote.pointer import Current
from partonomy_data.store.remote.saying import Missing, NotMet

Folders = Mapping[str, Mapping[str, Listed]]


def versions(address: Address) -> list[VersionInfo]:
    """The published versions, oldest first. Raises StoreError if the bucket can't be read, or has none."""
    bucket = connect(address)
    current, folders = pointer.read(bucket), _folders(bucket)
    infos = _infos(bucket, folders, current.text if current else None)
    if not infos:
        pointer.require(bucket)
    return infos


def _infos(bucket: Bucket, folders: Folders, current: str | None) -> list[VersionInfo]:
    names = [name for name, there in folders.items() if MANIFEST in there]
    infos = together(lambda name: _info(bucket, name, folders[name], name == current), names)
    return by_age([info for info in infos if info is not None])


def _info(bucket: Bucket, name: str, there: Mapping[str, Listed], current: bool) -> VersionInfo | None:
    created = there[MANIFEST].modified
    try:
        found = manifests.find(bucket, name)
    except StoreError as error:
        return VersionInfo(name, current, None, {}, 0, created, error.what)
    if found is None:
        return None  # it was removed meanwhile
    listed = found.manifest
    wrong = [f"{path} {how}" for path, how in manifests.sizes(listed.files, there).items()]
    if wrong:
        damage = f"version {name} is damaged: {wrong[0]}"
        return VersionInfo(name, current, None, {}, 0, created, damage)
    size = sum(entry.bytes for entry in listed.files)
    parent = listed.content.get("parent")
    return VersionInfo(name, current, parent, listed.rows(), size, created, schema_version=listed.schema_version)


def _folders(bucket: Bucket) -> dict[str, dict[str, Listed]]:
    """Version → what lies in its folder, whether or not it has a manifest."""
    found: dict[str, dict[str, Listed]] = {}
    for path, one in bucket.listing("versions").items():
        name, _, rest = path.partition("/")
        if VERSION_NAME.fullmatch(name):
            found.setdefault(name, {})[rest] = one
    return found


def rollback(address: Address, version: str) -> None:
    """Makes `version` the current one. Raises StoreError if it isn't there, isn't whole, or CURRENT is moved meanwhile."""
    bucket = connect(address)
    pointer.probe(bucket)
    manifests.whole(bucket, version)
    current = pointer.read(bucket)
    pointer.move(bucket, version, current.etag if current else None)


def verify(address: Address, version: str | None = None) -> list[str]:
    """What is wrong with a version, one clause each; nothing if every byte is as published: see `store.verify`."""
    bucket = connect(address)
    name = version or pointer.require(bucket).version
    found = manifests.require(bucket, name)
    return [f"{path} {how}" for path, how in sorted(manifests.damages(bucket, name, found.manifest.files).items())]


def prune(address: Address, keep: int, grace_hours: float = GRACE_HOURS) -> list[str]:
    """Removes all but the `keep` newest versions, and returns the names of those removed, oldest first.

    Readers can't be seen in a bucket. So the current version is spared, and those that were current, or were uploaded,
    in the last `grace_hours`. What a killed upload or prune has left is removed after that time too. Raises StoreError if
    nothing is published, and ValueError if `keep` is below 1 or the time below 0.
    """
    if keep < 1 or not grace_hours >= 0:
        raise ValueError("keep must be at least 1, and the time of grace at least 0")
    bucket = connect(address)
    current, folders = pointer.require(bucket), _folders(bucket)
    horizon = current.now - timedelta(hours=grace_hours)
    infos = _infos(bucket, folders, current.version)
    spared = {current.version, *_lately_current(current, horizon, folders)}
    old = [info for info in infos[: max(0, len(infos) - keep)] if info.version not in spared]
    gone = [info.version for info in old if info.created <= horizon and _remove(bucket, info.version, folders)]
    for name, there in folders.items():
        if MANIFEST not in there and name != current.version and _newest(there.values()) <= horizon:
            bucket.remove([f"{manifests.folder(name)}/{path}" for path in there])
    return gone


def _lately_current(current: Current, horizon: datetime, names: Iterable[str]) -> Iterable[str]:
    """The versions that were current after `horizon`; all, where it isn't remembered that far back."""
    forgotten = len(current.left) >= pointer.REMEMBERED and current.left[-1].until > horizon
    if forgotten or (not current.left and current.since > horizon):
        return names
    return [one.version for one in current.left if one.until > horizon]


def _remove(bucket: Bucket, version: str, folders: Folders) -> bool:
    """Removes a version unless it becomes current in this moment; whether it did.

    Its manifest goes first: from then on it is no version. Who makes it current looks for that once more (`pointer.move`).
    """
    path = f"{manifests.folder(version)}/{MANIFEST}"
    try:
        text = bucket.get(path).body
    except Missing:
        return False  # another prune is at it
    bucket.remove([path])
    now = pointer.read(bucket)
    if now is not None and now.text == version:
        try:
            bucket.put(path, text, condition=unless_there())
        except NotMet:
            return False  # who published it again has put it back
        return False
    bucket.remove([f"{manifests.folder(version)}/{one}" for one in folders[version] if one != MANIFEST])
    return True


def _newest(there: Iterable[Listed]) -> datetime:
    return max(one.modified for one in there)
