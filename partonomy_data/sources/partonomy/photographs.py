"""PARTONOMY's photographs: what lies in the folder of images, what a path on the authors' disks means there, headers.

`image_path` is absolute on the authors' disks (`/shared/…/images/airplanes--private/3.jpg`). It is never opened: it is
looked up among the files that were found below the folder of images. Only headers are read here, never pixels.
"""

from __future__ import annotations

import os
import posixpath
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from partonomy_data.errors import SourceError
from partonomy_data.sources.files import UNDECODABLE, inside, shown, unsafe_name
from partonomy_data.sources.partonomy.labels import parse

EXTENSIONS = (".jpg", ".jpeg", ".webp", ".png")
MODIFIED = "modified_images"
#: The most pixels that a photograph may have: above, it is taken for a decompression bomb (as Pillow does).
MOST_PIXELS = 178_956_970
_EXTENSION_OF = {"JPEG": (".jpg", ".jpeg"), "MPO": (".jpg", ".jpeg"), "WEBP": (".webp",), "PNG": (".png",)}
_LEADS_OUT = ("link_leads_out", "it is a link to a folder, or out of the source's folder, or to nothing")
_UNDECODABLE = (UNDECODABLE.name, "its name is not UTF-8")


class Header(NamedTuple):
    """What a photograph's first bytes say of it."""

    width: int
    height: int
    """Pixels of the photograph as it is seen: after the EXIF orientation is applied."""
    transposed: bool
    """True where the EXIF orientation turns or mirrors the stored pixels."""
    extension_lies: bool
    """True where the content isn't of the kind that the extension says (WEBP in a .jpg)."""


class Unusable(Exception):
    """A photograph or a row that can't be used. `rule` names the rule that it broke; the message says how."""

    def __init__(self, rule: str, reason: str) -> None:
        self.rule = rule
        super().__init__(reason)


def header(path: Path) -> Header:
    """Reads a photograph's header. Raises Unusable (`image_unreadable`, `image_too_large`)."""
    # Pillow takes longer to import than the command line has for its help text.
    from PIL import Image, UnidentifiedImageError

    from partonomy_data.photographs import decoding

    with warnings.catch_warnings():
        # What Pillow has to say of damaged EXIF doesn't matter here; the size is judged below.
        warnings.simplefilter("ignore")
        try:
            with Image.open(path, formats=decoding.FORMATS) as image:
                width, height = image.size
                # A PNG without EXIF before its pixels would be decoded in the search for it.
                searched = image.format != "PNG" or "exif" in image.info
                orientation = decoding.orientation(image) if searched else 1
                extensions = _EXTENSION_OF.get(image.format or "", ())
        except Image.DecompressionBombError as error:
            raise Unusable("image_too_large", "the header promises more pixels than any photograph has") from error
        except UnidentifiedImageError as error:
            raise Unusable("image_unreadable", f"{path.name} is no photograph of a known format") from error
        except decoding.DAMAGE as error:
            raise Unusable("image_unreadable", f"the header can't be read: {error}") from error
    if not (0 < width * height <= MOST_PIXELS):
        raise Unusable("image_too_large", f"the header promises {width} x {height} pixels")
    if orientation >= 5:
        width, height = height, width
    return Header(width, height, orientation > 1, path.suffix.lower() not in extensions)


class Entry(NamedTuple):
    """A file below a folder."""

    name: str
    """Relative to the folder, `/` between folders."""
    trouble: tuple[str, str] | None
    """The rule for which it must not be opened, and why; None if it may be."""


def walk(root: Path) -> Iterator[Entry]:
    """All files below `root`, sorted by name within each folder; hidden ones left out with all that is in them.

    Links to folders aren't followed (they could lead in circles), but named as if they led out; so are folders whose
    names can't be decoded. Raises SourceError if a folder can't be listed.
    """
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(root / folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise SourceError(f"can't be read ({error.strerror})", where=str(root / folder)) from error
        folders = []
        for entry in found:
            name = f"{folder}{entry.name}"
            if entry.name.startswith("."):
                continue
            text = shown(name)
            if text != name:
                yield Entry(text, _UNDECODABLE)
            elif entry.is_symlink():
                yield Entry(name, _LEADS_OUT if inside(root, name) is None else None)
            elif entry.is_dir():
                folders.append(f"{name}/")
            elif entry.is_file():
                yield Entry(name, None)
        waiting += reversed(folders)


def is_photograph(name: str) -> bool:
    """Whether a file's extension is one that PARTONOMY's photographs have."""
    return name.lower().endswith(EXTENSIONS)


def pieces_of(image_path: str) -> list[str] | str:
    """The folders and the file name of a path on someone's disk, or why it is not to be used."""
    plain = posixpath.normpath(image_path).lstrip("/") if image_path else ""
    return unsafe_name(plain) or plain.split("/")


class Found(NamedTuple):
    """A photograph that a path stands for."""

    name: str
    moved: bool
    """True where only the file name agrees, in another folder than the path says."""


@dataclass(frozen=True, slots=True)
class Gallery:
    """The photographs that are there, by the ways in which a path can mean them."""

    names: frozenset[str]
    """Relative to the folder of images, `/` between folders."""
    by_tail: dict[str, list[str]]
    """Last folder and file name, in lower case → names."""
    by_file: dict[str, list[str]]
    """File name → names."""
    by_stem: dict[str, list[str]]
    """File name without extension → names; those of `modified_images` left out."""

    def find(self, pieces: list[str], folder: str) -> Found | None:
        """The photograph that a path's `pieces` mean; `folder` is the label under which it would be looked for else.

        In this order: its last two or three pieces; the same whatever the case; its file name with no folder at all;
        its file name in `folder`; its file name in whichever folder, if only one has it, and that is no object's: file
        names are numbers counted anew for each object, so that the same one beside another says nothing.
        """
        file = pieces[-1]
        for length in (3, 2):
            name = "/".join(pieces[-length:])
            if name in self.names:
                return Found(name, False)
        here = self.by_tail.get("/".join(pieces[-2:]).lower(), ())
        if len(here) == 1:
            return Found(here[0], False)
        if file in self.names:
            return Found(file, False)
        beside = self.by_tail.get(f"{folder}/{file}".lower(), ())
        if len(beside) == 1:
            return Found(beside[0], False)
        same = self.by_file.get(file, ())
        if len(same) != 1 or any(_is_object(piece) for piece in same[0].split("/")[:-1]):
            return None
        return Found(same[0], len(pieces) > 1)

    def original(self, stem: str) -> str | None:
        """The one photograph of this stem outside `modified_images`, or None."""
        same = self.by_stem.get(stem, ())
        return same[0] if len(same) == 1 else None


def _is_object(folder: str) -> bool:
    """Whether a folder's name is an object's label, with its category (`boats--canoe`)."""
    label = parse(folder)
    return label is not None and label.part is None and label.category != ""


def gallery(names: Iterable[str]) -> Gallery:
    """A gallery of photographs called `names`."""
    every = sorted(set(names))
    made = Gallery(frozenset(every), {}, {}, {})
    for name in every:
        pieces = name.split("/")
        made.by_tail.setdefault("/".join(pieces[-2:]).lower(), []).append(name)
        made.by_file.setdefault(pieces[-1], []).append(name)
        if MODIFIED not in pieces:
            made.by_stem.setdefault(posixpath.splitext(pieces[-1])[0], []).append(name)
    return made


_COPY = re.compile(r"(.+)-\d+")


def copied_stem(pieces: list[str]) -> str | None:
    """The stem of the photograph that a file below `modified_images` (`<stem>-<k>.jpg`) is a copy of; else None."""
    copied = _COPY.fullmatch(posixpath.splitext(pieces[-1])[0])
    return copied.group(1) if copied and MODIFIED in pieces[:-1] else None


class Located(NamedTuple):
    """The photograph that a row's `image_path` stands for."""

    name: str
    group: str
    """The file name of the copy with a red box that the row is of; empty otherwise."""
    repairs: tuple[str, ...]


def locate(here: Gallery, image_path: str, folder: str) -> Located:
    """The photograph that `image_path` stands for, in a row of the label `folder`.

    A copy with a red box drawn into it (`modified_images/<stem>-<k>.jpg`) stands for the photograph without, if that
    is there. Raises Unusable (`image_path_unsafe`, `image_missing`).
    """
    pieces = pieces_of(image_path)
    if isinstance(pieces, str):
        raise Unusable("image_path_unsafe", f"the path {image_path[:200]!r} can't be used: {pieces}")
    absolute = ("image_path_absolute",) if image_path.startswith("/") else ()
    stem = copied_stem(pieces)
    original = here.original(stem) if stem else None
    if original is not None:
        return Located(original, pieces[-1], (*absolute, "red_box_copy"))
    found = here.find(pieces, folder)
    if found is None:
        raise Unusable("image_missing", f"no photograph here is {image_path[:200]!r}")
    moved = ("image_moved",) if found.moved else ()
    alone = ("red_box_copy_alone",) if stem else ()
    return Located(found.name, "", (*absolute, *moved, *alone))


# What a copy's file name adds: the number of a red box, and what keeps names apart in the flat layout.
_OF_COPIES = r"(?:-\d+)?(?:_[0-9a-f]{8})?"
_IDENTITIES = tuple(
    (re.compile(f"({stem}){_OF_COPIES}"), source)
    for stem, source in ((r"\d{12}", "coco"), (r"20\d\d_\d{6}", "voc"), (r"n\d{8}_\d+", "imagenet"))
)


def identity(name: str) -> str:
    """`coco/…`, `voc/…`, `imagenet/…` for file names of those datasets (in sets converted from them); else empty.

    A copy, with a red box or with a suffix that keeps its name apart, is the photograph that it was made of.
    """
    stem = posixpath.splitext(posixpath.basename(name))[0]
    found = ((pattern.fullmatch(stem), source) for pattern, source in _IDENTITIES)
    return next((f"{source}/{copied[1]}" for copied, source in found if copied), "")


def most_common_size(sizes: Counter[tuple[int, int]]) -> tuple[int, int] | None:
    """The (height, width) that most masks of a photograph have, the smallest of equals; None if none is believable."""
    believable = [(-n, size) for size, n in sizes.items() if min(size) > 0 and size[0] * size[1] <= MOST_PIXELS]
    return min(believable)[1] if believable else None
