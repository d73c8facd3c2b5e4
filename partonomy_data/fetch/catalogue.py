"""What can be fetched: files with their addresses, sizes and checksums, their licences, and what is done by hand."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from partonomy_data.errors import UsageError
from partonomy_data.sources.files import unsafe_name

_HEX = {"sha256": re.compile(r"[0-9a-f]{64}"), "md5": re.compile(r"[0-9a-f]{32}")}


class Licence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Terms that the user must accept."""

    name: str
    url: str
    covers: str
    """What of the dataset it is about."""
    terms: str
    """The gist in one line; the address has the whole."""


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A file that can be downloaded."""

    url: str
    what: str
    into: str = "."
    """Folder, within the one that is fetched to, where it is unpacked (or put, if it is no archive)."""
    size: int | None = None
    """Bytes; None if nobody states them exactly."""
    about: int | None = None
    """Bytes, roughly, where `size` isn't known."""
    sha256: str | None = None
    md5: str | None = None
    checksum_from: str | None = None
    """Who states the checksums; None if nobody does, and the first download is what later ones are held against."""
    optional: bool = False
    """Whether it is left out unless named."""
    top_left_out: bool = False
    """Whether a single folder that holds all of the archive is left out."""
    nested: bool = False
    """Whether zip files in the archive are unpacked too, where they lie."""

    @property
    def name(self) -> str:
        """The last piece of the address."""
        return unquote(posixpath.basename(urlsplit(self.url).path))

    @property
    def expected(self) -> int:
        """Bytes that it will take, as far as is known; 0 if nothing is."""
        return self.size or self.about or 0


class ByHand(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What no program may or can get."""

    what: str
    why: str
    steps: list[str]
    """`{folder}` stands for the folder that is fetched to."""
    with_file: str | None = None
    """The file that it belongs to; None if to all of them."""
    present: str | None = None
    """A pattern of files that show that it was done."""
    required: bool = False
    """Whether nothing can be built without it."""


class Dataset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One source."""

    title: str
    licences: list[Licence]
    files: list[File] = []
    by_hand: list[ByHand] = []

    def chosen(self, only: Sequence[str]) -> list[File]:
        """The files called `only`, or those that aren't optional. Raises UsageError for a name that isn't there."""
        names = [file.name for file in self.files]
        for name in only:
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1)
                hint = f"Did you mean {near[0]}" if near else f"There are {', '.join(names) or 'none'}"
                raise UsageError(f"no file is called {name!r}", mend=hint)
        return [file for file in self.files if (file.name in only if only else not file.optional)]


def load(path: Path | None = None) -> dict[str, Dataset]:
    """The catalogue that comes with the package, or one of the user's own. Raises UsageError if it is not well-formed.

    The one of the package has https addresses only; one's own may have http.
    """
    import yaml

    where = str(path or "catalogue.yaml")
    try:
        text = (files("partonomy_data.fetch") / "catalogue.yaml" if path is None else path).read_text(encoding="utf-8")
        found = msgspec.convert(yaml.safe_load(text), dict[str, Dataset])
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("the catalogue can't be read", where=where, mend="Check --catalogue") from error
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        line = " ".join(str(error).split())
        raise UsageError(f"the catalogue is not well-formed: {line}", where=where) from error
    schemes = ("https",) if path is None else ("https", "http")
    for name, dataset in found.items():
        for trouble in problems(dataset, schemes):
            raise UsageError(f"{name}: {trouble}", where=where, mend="Mend the catalogue")
    return found


def dataset(found: dict[str, Dataset], name: str) -> Dataset:
    """The source called `name`. Raises UsageError, with the names that there are."""
    if name not in found:
        raise UsageError(f"nothing is known of a source {name!r}", mend=f"Known are {', '.join(sorted(found))}")
    return found[name]


def problems(one: Dataset, schemes: Sequence[str] = ("https",)) -> Iterator[str]:
    """What is wrong with a source's entry, a clause each."""
    if not one.licences:
        yield "no licence is named"
    if not one.files and not one.by_hand:
        yield "there is neither a file nor a word on how to get it"
    names = [file.name for file in one.files]
    for file in one.files:
        yield from _problems(file, schemes)
        if names.count(file.name) > 1:
            yield f"two files are called {file.name}"
    for step in one.by_hand:
        if step.with_file is not None and step.with_file not in names:
            yield f"{step.what} belongs to {step.with_file}, which is no file of it"
        if not step.steps:
            yield f"{step.what} has no steps"


def _problems(file: File, schemes: Sequence[str]) -> Iterator[str]:
    address = urlsplit(file.url)
    if address.scheme not in schemes or not address.hostname:
        yield f"{file.url!r} is no {' or '.join(schemes)} address"
    # Its name becomes that of files beside the dataset.
    if "/" in file.name or file.name.startswith(".") or unsafe_name(file.name) is not None:
        yield f"{file.url!r} has no file name that may be used"
    if file.into != "." and unsafe_name(file.into) is not None:
        yield f"{file.name} goes into {file.into!r}, which may leave the folder"
    for kind, shape in _HEX.items():
        digest = getattr(file, kind)
        if digest is not None and not shape.fullmatch(digest):
            yield f"{file.name} has a {kind} that is none: {digest!r}"
    if (file.checksum_from is None) != (file.sha256 is None and file.md5 is None):
        yield f"{file.name} has a checksum without its origin, or the reverse"
    if any(size is not None and size <= 0 for size in (file.size, file.about)):
        yield f"{file.name} has an impossible size"
