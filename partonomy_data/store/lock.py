"""Locks between processes. The operating system holds them, so that a killed holder leaves none behind."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from partonomy_data.errors import StoreError
from partonomy_data.store.layout import Layout


class Lock:
    """A lock on a file (`flock`), shared or exclusive, from `acquire` until `release`.

    Who gets hold of a file that was removed meanwhile (by `prune`, or with all of `work/`) tries again, since others would
    lock another one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self, *, shared: bool = False, wait: bool = False) -> bool:
        """Whether the lock could be had. With `wait`, blocks until it can. Raises OSError where files can't be made."""
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        while True:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
                still = self._is_at_path(descriptor)
            except BlockingIOError:
                os.close(descriptor)
                return False
            except BaseException:
                os.close(descriptor)
                raise
            if still:
                self._descriptor = descriptor
                return True
            os.close(descriptor)

    def _is_at_path(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False

    def note(self, holder: dict[str, Any]) -> None:
        """Writes into the lock file who holds it. Only for the holder of an exclusive lock."""
        if self._descriptor is None:
            raise ValueError("the lock is not held")
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(holder).encode(), 0)

    def holder(self) -> dict[str, Any]:
        """What the holder noted; empty if it noted nothing (yet)."""
        try:
            noted = json.loads(self.path.read_bytes())
        except (OSError, ValueError):
            return {}
        return noted if isinstance(noted, dict) else {}

    def release(self) -> None:
        """Gives the lock back; does nothing if it isn't held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@contextmanager
def build_lock(root: Path, purpose: str = "build") -> Iterator[None]:
    """One build for each store at a time: raises StoreError at once if another process holds the lock.

    `purpose` is what the other is told: "another <purpose> is running".
    """
    lock = Lock(Layout(root).build_lock)
    if not lock.acquire():
        holder = lock.holder()
        who = ""
        if holder:
            who = f" (process {holder.get('pid')} on {holder.get('host')}, since {holder.get('since')})"
        raise StoreError(
            f"another {holder.get('purpose', 'build')} is running{who}",
            where=str(root),
            mend="Wait until it has ended",
        )
    try:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        lock.note({"pid": os.getpid(), "host": socket.gethostname(), "since": now, "purpose": purpose})
        yield
    finally:
        lock.release()


@contextmanager
def reading(root: Path, version: str) -> Iterator[None]:
    """Has `prune` spare a version meanwhile, where the store can be written to."""
    lock = Lock(Layout(root).reader_lock(version))
    with suppress(OSError):  # a read-only medium, which nobody prunes
        lock.acquire(shared=True, wait=True)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def pointer_lock(root: Path) -> Iterator[None]:
    """Held for the short time in which CURRENT and the catalog move together; waits for its turn."""
    lock = Lock(Layout(root).pointer_lock)
    lock.acquire(wait=True)
    try:
        yield
    finally:
        lock.release()
