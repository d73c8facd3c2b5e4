"""The state folder: a store's folder on this disk, whose versions are published into a bucket.

A build there is one like any other, but for two moments. When it begins, the folder follows the bucket: the version that
is current there becomes the current one here, fetched if need be. When its version is whole, and before CURRENT moves
here, it is uploaded, and CURRENT moved in the bucket. So the bucket's CURRENT is the one that counts; a build that is killed
before leaves both as they were, one that is killed after is caught up with by the next that begins.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from partonomy_data.errors import StoreError, UsageError
from partonomy_data.store import catalog, files, history, manifest
from partonomy_data.store.layout import Layout
from partonomy_data.store.lock import pointer_lock
from partonomy_data.store.pointer import read_current, set_current
from partonomy_data.store.remote import fetch, manifests, pointer
from partonomy_data.store.remote.address import Address, address_of
from partonomy_data.store.remote.connecting import connect
from partonomy_data.store.remote.saying import Damaged
from partonomy_data.store.remote.upload import upload

#: The file in a state folder that says of which store it is.
BINDING: Final = "REMOTE"


def default_state() -> Path:
    """$PARTONOMY_STATE, else `./partonomy-state`."""
    return Path(os.environ.get("PARTONOMY_STATE") or "partonomy-state")


def local(root: str | Path, state: Path | None = None) -> Path:
    """Where a command that builds or writes works: `root` itself, or for a store in a bucket its state folder.

    That is `state`, else `default_state()`; it is made if there is none. Raises StoreError if it belongs to another store.
    """
    address = address_of(root)
    if address is None:
        if state is not None:
            raise UsageError("--state is for a store on S3", mend="Leave it out, or give --root s3://bucket/prefix")
        return Path(root)
    folder = (state or default_state()).expanduser().absolute()
    found = address_in(folder)
    if found is None and Layout(folder).current.exists():
        raise StoreError(
            f"is a store of its own, not the state of {address}", where=str(folder), mend="Name another --state"
        )
    if found is not None and found != address:
        raise StoreError(f"is the state of {found}, not of {address}", where=str(folder), mend="Name another --state")
    if found is None:
        files.write_text(folder / BINDING, f"{address}\n")
    return folder


def address_in(folder: Path) -> Address | None:
    """The store that a folder is the state of; None if it is no state folder. Raises StoreError if it is damaged."""
    path = folder / BINDING
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError("can't be read", where=str(path), mend="Name another --state") from error
    found = address_of(text.strip())
    if found is None:
        raise StoreError("names no store on S3", where=str(path), mend="Name another --state")
    return found


def require_folder(root: str | Path, what: str, mend: str) -> None:
    """Raises StoreError, which says `what` of it and how to `mend` that, if a store is in a bucket."""
    address = address_of(root)
    if address is not None:
        raise StoreError(f"a store on S3 {what}", where=str(address), mend=mend)


def prune_here(root: str | Path, state: Path | None, keep: int) -> None:
    """Removes old versions from the state folder of a store in a bucket, if it has one on this machine."""
    address, folder = address_of(root), (state or default_state()).expanduser().absolute()
    if address is not None and address_in(folder) == address and read_current(folder) is not None:
        history.prune(folder, keep)


def shown(root: Path) -> str:
    """What to call a store: the address of the one that `root` is the state of, else `root`."""
    return str(address_in(root) or root)


def follow(root: Path) -> None:
    """Makes the version that is current in the bucket the current one here. Does nothing for a folder that is no state.

    Where nothing is published there, or what is is damaged, all stays here as it is: building again mends it.
    """
    address = address_in(root)
    if address is not None:
        _follow(root, pointer.read(connect(address)))


def _follow(root: Path, current: pointer.Current | None) -> None:
    if current is None or (read_current(root) == current.version and _is_here(root, current.version)):
        return
    try:
        fetch.fetched(connect(current.address), current.version, root)
    except Damaged:
        return
    with pointer_lock(root), catalog.following(root, current.version):
        set_current(root, current.version)


def _is_here(root: Path, version: str) -> bool:
    """Whether a version is in the folder, as far as the sizes of its files tell."""
    try:
        manifest.read(root, version)
    except StoreError:
        return False
    return True


def begin(root: Path) -> None:
    """What a build does first, with the build lock held: looks whether it can publish, follows, and notes what it saw.

    Raises StoreError if the bucket can't be reached or written to, or heeds no conditions.
    """
    address = address_in(root)
    if address is None:
        return
    bucket = connect(address)
    pointer.probe(bucket)
    fetch.sweep(root)
    current = pointer.read(bucket)
    _follow(root, current)
    seen = {"version": current.text, "etag": current.etag} if current else {"version": None, "etag": None}
    files.write_json(_note(root), seen)


def publish(root: Path, version: str, *, moves: bool = True) -> None:
    """Uploads a version that is whole in a state folder and, if it `moves`, makes it the current one in the bucket.

    It becomes that only if nobody has moved CURRENT since the build began. Does nothing for a folder that is no state.
    Raises StoreError otherwise, and if it can't be uploaded; what was uploaded stays, and is taken up the next time.
    """
    address = address_in(root)
    if address is None:
        return
    seen = json.loads(_note(root).read_bytes())
    bucket = connect(address)
    upload(bucket, Layout(root).version(version), manifest.listed(root, version), _near(root, seen["version"]))
    if moves:
        pointer.move(bucket, version, seen["etag"])


def _near(root: Path, version: str | None) -> dict[str, str]:
    """Where the files of a version lie in the bucket, by SHA-256."""
    if version is None or read_current(root) != version:
        return {}
    entries = manifest.listed(root, version).files
    return {entry.sha256: f"{manifests.folder(version)}/{entry.path}" for entry in entries}


def _note(root: Path) -> Path:
    return Layout(root).work / "remote.json"
