"""Files of a source: safe names, fingerprints, the ids of photographs, and where photographs lie."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from partonomy_data.errors import SourceError
from partonomy_data.rules import Rule
from partonomy_data.sources.base import SourceFile
from partonomy_data.sources.records import Rejected

#: Of the readers that list folders.
UNDECODABLE = Rule(
    "file_name_undecodable",
    "quarantined",
    "The name of a file or folder isn't UTF-8.",
    "It can't be written into a table; the file, or all that is in the folder, isn't opened.",
)

_STRANGE = re.compile(r"[\x00-\x1f\x7f\\]")
_DRIVE = re.compile(r"[A-Za-z]:")


def unsafe_name(name: str) -> str | None:
    """Why a file name that a source wrote must not be opened, or None if it may be.

    Refused are names that are absolute, climb with `..`, hold a NUL or a backslash, or are empty: they could leave
    the source's folder. A link that leads out is caught where the file is opened (`inside`).
    """
    if not name or name.strip() != name:
        return "it is empty or has blanks at its ends"
    if _STRANGE.search(name):
        return "it holds a backslash or a control character"
    if name.startswith("/") or _DRIVE.match(name):
        return "it is absolute"
    if ".." in name and ".." in name.split("/"):
        return "it climbs out of its folder with '..'"
    return None


def shown(name: str) -> str:
    """A name that a folder was listed with, as a table can hold it: bytes that aren't UTF-8 as `\\xe9`, the rest as it is."""
    return name if name.isascii() else os.fsencode(name).decode(errors="backslashreplace")


def decodable(names: Iterable[str], folder: str, table: str, rejected: list[Rejected]) -> list[str]:
    """The file names that are UTF-8, in the order given; the others of this `folder` are added to `rejected`.

    `folder` is relative to the source's folder, `/` between folders; `table` is the one that the files would have entered.
    """
    kept = []
    for name in names:
        text = shown(name)
        if text == name:
            kept.append(name)
            continue
        path = posixpath.normpath(posixpath.join(folder, text))
        row = {"file": path}
        rejected.append(
            Rejected(table=table, row_id=path, rule=UNDECODABLE.name, reason="its name is not UTF-8", row=row)
        )
    return kept


def inside(root: Path, name: str) -> Path | None:
    """`root/name` if that is a file whose real place is within `root`; else None."""
    path = root / name
    if not os.path.isfile(path):  # unlike Path.is_file, False for a name that is too long to be one
        return None
    return path if path.resolve().is_relative_to(root.resolve()) else None


def image_ids(source: str, file_names: Iterable[str]) -> dict[str, str]:
    """File name → `image_id`, for all the file names of a source.

    The id is `<source>/<stem>`; with the folder (`<source>/<folder>/<stem>`) where two files share a stem; with the
    extension too where that doesn't suffice. No two are alike: an id that several would have is left to the file whose whole
    name it is (`b.jpg` and `b.png` beside `b.jpg.jpg`).
    """
    # Plain string functions, as this runs over every file name of a source.
    bases = {name: posixpath.splitext(name)[0] for name in sorted(set(file_names))}
    stems = Counter(posixpath.basename(base) for base in bases.values())
    full = Counter(bases.values())
    ids = {}
    for name, base in bases.items():
        stem = posixpath.basename(base)
        if stems[stem] == 1:
            ids[name] = f"{source}/{stem}"
        else:
            ids[name] = f"{source}/{base if full[base] == 1 else name}"
    while len(set(ids.values())) < len(ids):
        times = Counter(ids.values())
        ids = {name: f"{source}/{name}" if times[image_id] > 1 else image_id for name, image_id in ids.items()}
    return ids


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprints(root: Path, paths: Sequence[Path]) -> list[SourceFile]:
    """The SHA-256 and size of each file, in the order given; paths relative to `root`. Hashed in a few threads."""

    def one(path: Path) -> SourceFile:
        try:
            return SourceFile(path.relative_to(root).as_posix(), sha256(path), path.stat().st_size)
        except OSError as error:
            raise SourceError(f"can't be read ({error.strerror})", where=str(path)) from error

    with ThreadPoolExecutor(max_workers=4) as pool:
        return list(pool.map(one, paths))


def digest(*items: object) -> str:
    """A short hex digest of the `repr`s of strings, numbers and tuples of these; for fingerprints."""
    state = hashlib.blake2b(digest_size=16)
    for item in items:
        text = repr(item).encode()
        state.update(len(text).to_bytes(8, "little"))
        state.update(text)
    return state.hexdigest()
