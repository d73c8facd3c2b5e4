"""Where VOC's photographs and split lists lie, and the shards of photographs that each have a file of their own.

Pascal-Part itself holds neither photographs nor splits, only annotations.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from partonomy_data.errors import SourceError
from partonomy_data.sources import buckets, files
from partonomy_data.sources.base import Shard, SourceFile, SourceRequest
from partonomy_data.sources.records import Rejected

#: Folders that may hold the photographs, under the source's folder or the one that the user names.
_FOLDERS = (
    "JPEGImages",
    "VOCdevkit/VOC2010/JPEGImages",
    "VOCdevkit/VOC2012/JPEGImages",
    "VOC2010/JPEGImages",
    "VOC2012/JPEGImages",
    "images",
    "",
)
#: The better of two files with the same stem comes first: VOC's own are `.jpg`.
_SUFFIXES = (".jpg", ".jpeg", ".png")
_SPLITS = ("train", "val", "test")
#: What macOS leaves beside each file on a foreign disk; holds no annotation and no photograph.
MACOS_PREFIX = "._"


class Place(msgspec.Struct, frozen=True, gc=False):
    """A photograph's annotation file and where the photograph is."""

    image_id: str
    file_name: str
    """The photograph's file name as the source has it, or as VOC has it where the source names none."""
    annotation: str
    """The annotation file, relative to the layout's folder; or the stem of several."""
    split: str = ""
    path: str | None = None
    """Relative to the folder of images, as in `Photograph.path`."""
    bytes: int = 0
    """The photograph's size on disk: stands for its content in a shard's fingerprint (only its header is read)."""


@dataclass(frozen=True, slots=True)
class Photographs:
    """The photographs and split lists that were found."""

    root: Path | None
    """The folder that paths are relative to; None if no photograph was found."""
    on_disk: Mapping[str, tuple[str, int]]
    """Stem → path relative to `root`, size in bytes."""
    splits: Mapping[str, str]
    """Stem → `train`, `val` or `test`."""
    lists: tuple[SourceFile, ...]
    """The split lists that were read."""
    outside: int = 0
    """Photographs that were asked for, and are links that lead out of `root`."""

    def place(self, image_id: str, stem: str, annotation: str, split: str | None = None) -> Place:
        """What is known of the photograph `stem`."""
        path, size = self.on_disk.get(stem, (None, 0))
        name = PurePosixPath(path).name if path else f"{stem}.jpg"
        return Place(image_id, name, annotation, self.splits.get(stem, "") if split is None else split, path, size)


def find(
    request: SourceRequest, wanted: Collection[str], beside: Sequence[Path], folders: Sequence[str] = ()
) -> Photographs:
    """The photographs with the `wanted` stems, in the folder that the user named, or else in the places `beside`.

    In each of these, the given `folders` are tried before VOC's own.
    """
    bases = beside if request.images is None else (request.images,)
    for base in bases:
        for folder in (*folders, *_FOLDERS):
            found = _photographs(base / folder)
            if found:
                on_disk, outside = _on_disk(base, folder, found, wanted)
                splits, lists = _split_lists(request.path, (base / folder).parent, base, *beside)
                return Photographs(base, on_disk, splits, lists, outside)
    splits, lists = _split_lists(request.path, *beside)
    return Photographs(None, {}, splits, lists)


def require(request: SourceRequest, root: Path | None) -> None:
    """Raises SourceError if the user named a folder of photographs, and there is none, or no photograph in it."""
    if request.images is not None and root is None:
        what = "holds no photographs (.jpg)" if request.images.is_dir() else "there is no such folder of photographs"
        mend = "Name VOC2010's folder JPEGImages, or the one that holds it"
        raise SourceError(what, where=str(request.images), mend=mend)


def listing(folder: Path) -> list[str]:
    """The names of a folder's files, sorted; empty if there is no such folder. Raises SourceError if unreadable."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_file())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise SourceError(f"can't be read ({error.strerror})", where=str(folder)) from error


def _photographs(folder: Path) -> dict[str, str]:
    """Stem → file name of the photographs in a folder."""
    found: dict[str, str] = {}
    names = [name for name in listing(folder) if not name.startswith(MACOS_PREFIX)]
    for suffix in _SUFFIXES:
        for name in names:
            stem, extension = os.path.splitext(name)
            if extension.casefold() == suffix:
                found.setdefault(stem, name)
    return found


def _on_disk(
    base: Path, folder: str, found: Mapping[str, str], wanted: Collection[str]
) -> tuple[dict[str, tuple[str, int]], int]:
    """`Photographs.on_disk` of those that are wanted, and how many of these lead out of `base`."""
    on_disk, outside = {}, 0
    for stem in sorted(stem for stem in wanted if stem in found):
        name = (PurePosixPath(folder) / found[stem]).as_posix()
        path = files.inside(base, name)
        if path is None:
            outside += 1
        else:
            on_disk[stem] = name, path.stat().st_size
    return on_disk, outside


def admitted(root: Path, folder: str, names: Sequence[str], table: str, rejected: list[Rejected]) -> list[str]:
    """The annotation files of a folder that may be opened; the others are added to `rejected`.

    Those are files whose names aren't UTF-8, and links that lead out of the source's `root`, which `folder` is in.
    """
    kept = []
    for name in files.decodable(names, folder, table, rejected):
        path = (PurePosixPath(folder) / name).as_posix()
        if files.inside(root, path) is not None:
            kept.append(name)
            continue
        reason = "it is a link that leads out of the source's folder"
        row = {"file": path}
        rejected.append(Rejected(table=table, row_id=path, rule="link_leads_out", reason=reason, row=row))
    return kept


def _split_lists(source: Path, *bases: Path) -> tuple[dict[str, str], tuple[SourceFile, ...]]:
    """Reads VOC's ImageSets/Main/{train,val,test}.txt, a photograph's name a line, in the first place that has them."""
    for base in bases:
        folder = base / "ImageSets" / "Main"
        lists = [folder / f"{split}.txt" for split in _SPLITS if (folder / f"{split}.txt").is_file()]
        if not lists:
            continue
        splits: dict[str, str] = {}
        for path in lists:
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                if words := line.split():
                    splits.setdefault(words[0], path.stem)
        root = source if folder.is_relative_to(source) else base
        return splits, tuple(files.fingerprints(root, lists))
    return {}, ()


def size(path: Path) -> tuple[int, int] | None:
    """Height and width that a photograph's header states, or None if it is no image. Its pixels are not read."""
    from PIL import Image

    from partonomy_data.photographs import decoding

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of many pixels; none are read
        try:
            with Image.open(path, formats=decoding.FORMATS) as image:
                return image.height, image.width
        except decoding.DAMAGE:
            return None


def shards(
    source: str, payload: Mapping[str, Any], images_root: Path | None, placed: Sequence[tuple[Place, str]]
) -> list[Shard]:
    """The shards of photographs whose annotation files have the given digests.

    Each shard's payload is `payload` with `images_root` and `places`, the fields of its `Place`s, in order of key.
    """
    count = buckets.shard_count(len(placed))
    members: list[list[tuple[str, Place, str]]] = [[] for _ in range(count)]
    for place, digest in placed:
        prefix = buckets.image_prefix(place.image_id)
        members[buckets.shard_of(prefix, count)].append((prefix, place, digest))
    made = []
    for number, rows in enumerate(members):
        if not rows:
            continue
        rows.sort(key=lambda row: (row[0], row[1].image_id))
        places = [msgspec.structs.astuple(place) for _, place, _ in rows]
        read = zip(places, (digest for *_, digest in rows), strict=True)
        made.append(
            Shard(
                source=source,
                number=number,
                of=count,
                fingerprint=files.digest(source, payload["layout"], *read),
                n_images=len(rows),
                payload={
                    **payload,
                    "images_root": None if images_root is None else str(images_root),
                    "places": places,
                },
            )
        )
    return made
