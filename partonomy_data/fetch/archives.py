"""Unpacks zip and tar files that nobody vouches for: members stay in their folder, are plain files, and have a limit.

Refused are names that are absolute or climb out, links and devices, a name that comes twice, encrypted members, and
archives that grow beyond what such a file can. What macOS adds (`__MACOSX/`, `._*`, `.DS_Store`) is left out.
"""

from __future__ import annotations

import gzip
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from partonomy_data.fetch import space
from partonomy_data.fetch.meter import Meter
from partonomy_data.fetch.space import FetchError, megabytes
from partonomy_data.sources.files import unsafe_name

_CHUNK = 1 << 20
#: An archive of annotations shrinks to a tenth, one of photographs not at all; a bomb to a thousandth and less.
_MOST_GROWTH = 50
_ALWAYS = 64 << 20
_MOST_FILES = 2_000_000
_LONGEST_READ = 16 << 20
#: What the standard library raises for an archive that is cut, altered, or of a kind that it doesn't know.
_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    EOFError,
    NotImplementedError,
    ValueError,
)


class BadArchive(FetchError):
    """An archive that can't or won't be unpacked, wherever."""


@dataclass(slots=True)
class Allowance:
    """How much may still be unpacked from an archive, with those in it."""

    name: str
    bytes: int
    files: int = _MOST_FILES

    def take(self, size: int) -> None:
        """One more file of so many bytes. Raises BadArchive if that is too much."""
        self.bytes -= size
        self.files -= 1
        if self.bytes < 0 or self.files < 0:
            raise BadArchive(f"{self.name}: it unpacks to more than such a file can hold. It is not used.")


def unpack(archive: Path, name: str, folder: Path, meter: Meter, *, nested: bool = False) -> None:
    """Unpacks `archive`, which is called `name`, into `folder`, a new one; with `nested` the zip files in it, too.

    Raises BadArchive, or FetchError for the disk; what is in `folder` then is not to be used.
    """
    allowance = Allowance(name, max(_ALWAYS, _MOST_GROWTH * archive.stat().st_size))
    folder.mkdir(parents=True)
    try:
        _unpack(archive, name, folder, allowance, meter)
        if nested:
            for inner in sorted(folder.rglob("*.zip")):
                _unpack(inner, f"{name}, {inner.name}", inner.parent, allowance, meter)
                inner.unlink()
    except _DAMAGED as error:
        why = str(error).partition("\n")[0].rstrip(":")
        raise BadArchive(f"{name}: it is damaged ({why or 'it ends too soon'}). It is not used.") from error
    except FileExistsError as error:
        where = Path(error.filename).relative_to(folder)
        raise BadArchive(f"{name}: it holds {str(where)!r} twice. It is not used.") from error
    except OSError as error:
        raise space.failed(error, folder, "The download is kept.") from error


def _unpack(archive: Path, name: str, folder: Path, allowance: Allowance, meter: Meter) -> None:
    if name.lower().endswith(space.TAR):
        _tar(archive, name, folder, allowance, meter)
    else:
        _zip(archive, name, folder, allowance, meter)


def _zip(archive: Path, name: str, folder: Path, allowance: Allowance, meter: Meter) -> None:
    with zipfile.ZipFile(archive) as opened:
        members = [one for one in opened.infolist() if not _of_macos(one.filename)]
        for one in members:
            _check(name, one.orig_filename.rstrip("/"))
            kind = stat.S_IFMT(one.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise BadArchive(f"{name}: {one.filename!r} is a link or no file. It is not used.")
            if one.flag_bits & 1:
                raise BadArchive(f"{name}: {one.filename!r} is encrypted. It is not used.")
            # All declared sizes are added up before a byte is written.
            allowance.take(one.file_size)
        total = sum(one.file_size for one in members)
        space.require(folder, total, f"what is unpacked from {name}")
        meter.begin(f"unpacking {name}", total)
        for one in members:
            if one.is_dir():
                (folder / one.filename).mkdir(parents=True, exist_ok=True)
                continue
            with opened.open(one) as content:
                _write(content, folder / one.filename, one.file_size, name, meter)


def _tar(archive: Path, name: str, folder: Path, allowance: Allowance, meter: Meter) -> None:
    meter.begin(f"unpacking {name}", archive.stat().st_size)
    told = 0
    with (
        archive.open("rb") as raw,
        closing(_Plain(raw)) as content,
        tarfile.open(fileobj=cast("IO[bytes]", content), mode="r:") as opened,
    ):
        for one in opened:
            if _of_macos(one.name):
                continue
            path = one.name.removeprefix("./").rstrip("/")
            if one.isdir() and path in ("", "."):
                continue
            _check(name, path)
            if not (one.isdir() or one.isreg()) or one.issparse():
                raise BadArchive(f"{name}: {one.name!r} is a link or no file. It is not used.")
            allowance.take(one.size)
            if one.isdir():
                (folder / path).mkdir(parents=True, exist_ok=True)
                continue
            member = opened.extractfile(one)
            assert member is not None  # it is a regular file
            with member:
                _write(member, folder / path, one.size, name, None)
            meter.add(raw.tell() - told)
            told = raw.tell()
        # A tar ends before its gzip does, whose checksum comes last and is checked by whoever reads up to it.
        while rest := content.read(_CHUNK):
            allowance.bytes -= len(rest)
            allowance.take(0)


class _Plain:
    """A tar as bytes, unpacked if gzip packed it. Refuses to read more at once than an entry's header can have."""

    def __init__(self, raw: IO[bytes]) -> None:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        self._bytes = gzip.GzipFile(fileobj=raw) if packed else raw
        self.seek, self.tell, self.close = self._bytes.seek, self._bytes.tell, self._bytes.close

    def read(self, size: int) -> bytes:
        # Long names and extended headers are read whole, whatever length they state.
        if not 0 <= size <= _LONGEST_READ:
            raise tarfile.ReadError(f"a header of {megabytes(size)}")
        return self._bytes.read(size)


def _check(archive: str, path: str) -> None:
    why = unsafe_name(path)
    if why is not None:
        raise BadArchive(f"{archive}: {path!r} may not be unpacked: {why}. It is not used.")


def _of_macos(path: str) -> bool:
    pieces = path.split("/")
    return "__MACOSX" in pieces or pieces[-1].startswith("._") or pieces[-1] == ".DS_Store"


def _write(content: IO[bytes], path: Path, size: int, name: str, meter: Meter | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with path.open("xb") as file:
        while chunk := content.read(_CHUNK):
            written += len(chunk)
            if written > size:
                break
            file.write(chunk)
            if meter is not None:
                meter.add(len(chunk))
    if written != size:
        what = f"{megabytes(written)} or more of {path.name!r}, where it states {size:,} bytes"
        raise BadArchive(f"{name}: it is damaged ({what}). It is not used.")


def single_top(folder: Path) -> Path:
    """The only thing in `folder` if that is a folder, else `folder` itself."""
    with os.scandir(folder) as entries:
        found = list(entries)
    return folder / found[0].name if len(found) == 1 and found[0].is_dir(follow_symlinks=False) else folder


def remove(folder: Path) -> None:
    """Removes what an earlier run left of unpacking."""
    shutil.rmtree(folder, ignore_errors=True)
