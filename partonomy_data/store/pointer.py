"""CURRENT, the name of the published version: the one thing in a store that changes."""

from __future__ import annotations

from pathlib import Path

from partonomy_data.errors import StoreError
from partonomy_data.store.files import write_text
from partonomy_data.store.layout import Layout, check_version_name


def read_current(root: Path) -> str | None:
    """The published version, or None where nothing is published yet. Raises StoreError if CURRENT is no name."""
    path = Layout(root).current
    try:
        text = path.read_bytes()[:64].decode(errors="replace").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"can't be read ({error.strerror})", where=str(path)) from error
    try:
        return check_version_name(text)
    except StoreError as error:
        raise StoreError(
            f"holds {text!r}, not the name of a version", where=str(path), mend="`partonomy rollback VERSION`"
        ) from error


def require_current(root: Path) -> str:
    """The published version. Raises StoreError where there is no store, or nothing in it yet."""
    current = read_current(root)
    if current is None:
        what = "nothing is published here yet" if root.is_dir() else "there is no store here"
        raise StoreError(what, where=str(root), mend="Run `partonomy build`, or name another folder with --root")
    return current


def set_current(root: Path, version: str) -> None:
    """Moves CURRENT to `version`; after a crash it is the old name or the new one.

    The caller holds the pointer's lock.
    """
    path = Layout(root).current
    for left in root.glob(f".{path.name}.*.tmp"):  # by a process that was killed: none but the lock's holder writes
        left.unlink(missing_ok=True)
    if read_text(root) != version + "\n":
        write_text(path, check_version_name(version) + "\n")


def read_text(root: Path) -> str | None:
    """CURRENT as it is written, or None where it isn't readable."""
    try:
        return Layout(root).current.read_text(errors="replace")
    except OSError:
        return None
