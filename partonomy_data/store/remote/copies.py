"""A version on this disk exactly as it is in the bucket, for who must read all of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from partonomy_data.store.layout import Layout
from partonomy_data.store.pointer import require_current
from partonomy_data.store.remote import fetch, manifests, pointer, state
from partonomy_data.store.remote.connecting import connect


@contextmanager
def as_published(root: Path, version: str | None) -> Iterator[tuple[Path, str]]:
    """The folder of a store that has the version, the current one if none is named, and its name.

    That is `root` itself, unless it is the state of a store in a bucket: then every file there is looked at, and what
    isn't on this disk is fetched. A version that is damaged in the bucket is so in a folder of its own, that is gone
    afterwards. Raises StoreError if there is no such version.
    """
    address = state.address_in(root)
    if address is None:
        yield root, version or require_current(root)
        return
    bucket = connect(address)
    name = version or pointer.require(bucket).version
    published = manifests.require(bucket, name)
    if not manifests.damages(bucket, name, published.manifest.files):
        fetch.fetched(bucket, name, root)
        yield root, name
        return
    work = Layout(root).work
    work.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=work, prefix="damaged-remote-", ignore_cleanup_errors=True) as folder:
        target = Layout(Path(folder)).version(name)
        fetch.copy(bucket, published, target, fetch.known(root, published.manifest.files))
        yield Path(folder), name


def version_here(root: Path, version: str | None) -> None:
    """Fetches a version, the current one if none is named, into `root` if that is the state of a store in a bucket."""
    address = state.address_in(root)
    if address is None:
        return
    if version is None:
        state.follow(root)
    else:
        fetch.fetched(connect(address), version, root)
