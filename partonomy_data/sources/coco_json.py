"""COCO-like JSON of any size: checked once, and split by photograph, without building its annotations in memory.

    header = load(path, Header)              the file is mapped, not read; annotations stay raw text
    pieces = split(…, header.annotations)    a small JSON file per shard: its photographs and their annotations
    images, annotations, rejected = read_piece(piece, Image, Annotation)      in a worker, typed

What stays in memory for an annotation until it is split is its place in the file: about 80 bytes.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from partonomy_data.errors import SourceError
from partonomy_data.rules import Rule
from partonomy_data.sources import files
from partonomy_data.sources.records import Rejected

RULES = (
    Rule(
        "json_byte_order_mark",
        "kept",
        "A JSON file begins with a UTF-8 byte-order mark.",
        "The mark is skipped.",
    ),
    Rule(
        "number_not_finite",
        "quarantined",
        "An annotation holds NaN or Infinity, which JSON does not have.",
        "The annotation can't be drawn; the rest of the file is read as if it were valid JSON.",
    ),
    Rule(
        "row_malformed",
        "quarantined",
        "A row lacks a field that it must have, has one of the wrong type (an id as a string, say), or isn't UTF-8.",
        "What it says can't be relied on.",
    ),
    Rule(
        "image_quarantined",
        "quarantined",
        "An annotation is of a photograph that is itself in quarantine.",
        "There is no photograph to put it on.",
    ),
    Rule(
        "image_unknown",
        "quarantined",
        "An annotation names an image_id that no row of `images` has.",
        "There is no photograph to put it on.",
    ),
)

Header = TypeVar("Header")
Annotation = TypeVar("Annotation")


#: What decoding a row raises that isn't of its type, or not even text.
MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, OverflowError)
#: The ids that a photograph may have.
IDS = range(-(1 << 63), 1 << 63)
#: The longest side in pixels that a photograph may have.
LARGEST_SIDE = 65_535


class ImageRow(Protocol):
    """A row of `images`; any Struct with these fields will do."""

    @property
    def id(self) -> int: ...
    @property
    def file_name(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


ImageT = TypeVar("ImageT", bound=ImageRow)


class Piece(msgspec.Struct, frozen=True):
    """The photographs of one shard out of one file, as a JSON file of their own."""

    path: str
    fingerprint: str
    """Digest of its content."""
    n_images: int


class _Reference(msgspec.Struct, gc=False):
    image_id: int


class _Identified(msgspec.Struct):
    id: int


_NOT_FINITE = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b')
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def load(path: Path, header: type[Header]) -> Header:
    """Decodes a JSON file as `header`, a Struct whose `annotations` are `list[msgspec.Raw]`.

    The raw annotations refer to the mapped file, so nothing of them is copied. A byte-order mark is skipped. NaN and
    Infinity, which some writers leave and JSON lacks, become strings, so that they spoil their own row only.

    Raises SourceError, with the file and what to do, if it can't be read, is empty, cut off, or not of that shape.
    """
    text = _mapped(path)
    start = len(_BYTE_ORDER_MARK) if text[:3] == _BYTE_ORDER_MARK else 0
    view = memoryview(text)[start:]
    try:
        return _decoded(view, header)
    except msgspec.ValidationError as error:
        raise SourceError(
            f"is not what was expected: {error}", where=str(path), mend="Check that this is the right file"
        ) from error
    except RecursionError as error:
        raise SourceError(
            "is nested too deeply to be an annotation file",
            where=str(path),
            mend="Check that this is the right file",
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        cut = "truncated" in str(error)
        what = f"ends early, after {len(text):,} bytes" if cut else f"is not valid JSON: {error}"
        raise SourceError(what, where=str(path), mend="Fetch the file again") from error


def _mapped(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            if path.stat().st_size == 0:
                raise SourceError("is empty", where=str(path), mend="Fetch the file again")
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise SourceError(f"can't be read ({error.strerror})", where=str(path)) from error


def _decoded(view: memoryview, header: type[Header]) -> Header:
    try:
        return msgspec.json.decode(view, type=header)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError as error:
        if "invalid character" not in str(error):
            raise

        # Strings are matched first, so that a word in one stays as it is.
        def quoted(found: re.Match[bytes]) -> bytes:
            token = found.group()
            return token if token.startswith(b'"') else b'"' + token + b'"'

        return msgspec.json.decode(_NOT_FINITE.sub(quoted, view), type=header)


def begins_with_mark(path: Path) -> bool:
    """Whether the file begins with a UTF-8 byte-order mark."""
    with path.open("rb") as file:
        return file.read(3) == _BYTE_ORDER_MARK


def usable_images(
    rows: Iterable[msgspec.Raw], kind: type[ImageT], where: str, seen_names: set[str], rejected: list[Rejected]
) -> tuple[list[ImageT], set[int]]:
    """The images of the file `where` that can be placed, typed; and the ids of the others, where these have one.

    The names of the first are added to `seen_names`, the others to `rejected`. Rules: `row_malformed`,
    `number_not_finite`, `file_name_unsafe`, `duplicate_image` (an id of this file, or a name of any file, that was read
    already), `size_invalid`.
    """
    decoder = msgspec.json.Decoder(kind)
    seen_ids: set[int] = set()
    usable: list[ImageT] = []
    others: set[int] = set()
    for place, raw in enumerate(rows):
        try:
            image = decoder.decode(raw)
        except MALFORMED as error:
            others |= _id_of(raw)
            rejected.append(_malformed(bytes(raw), f"{where}#image {place}", "images", error))
            continue
        rule, reason = _fault(image, seen_ids, seen_names)
        if rule:
            others |= {image.id} if image.id in IDS else set()
            row = msgspec.to_builtins(image)
            rejected.append(Rejected(table="images", row_id=f"{where}#{image.id}", rule=rule, reason=reason, row=row))
            continue
        seen_ids.add(image.id)
        seen_names.add(image.file_name)
        usable.append(image)
    return usable, others - seen_ids


def _fault(image: ImageRow, seen_ids: set[int], seen_names: set[str]) -> tuple[str, str]:
    """The rule for which an image can't be placed, and how it breaks it; empty if it can."""
    unsafe = files.unsafe_name(image.file_name)
    if unsafe:
        return "file_name_unsafe", f"the file name {image.file_name!r} can't be used: {unsafe}"
    if image.id not in IDS:
        return "row_malformed", f"the id {image.id} doesn't fit in 64 bits"
    if image.id in seen_ids or image.file_name in seen_names:
        return "duplicate_image", f"image {image.id} ({image.file_name}) was read already"
    if not (0 < image.width <= LARGEST_SIDE and 0 < image.height <= LARGEST_SIDE):
        return "size_invalid", f"the size is {image.width}x{image.height}"
    return "", ""


def _id_of(row: msgspec.Raw) -> set[int]:
    """The id of a malformed row, if that much can be read of it."""
    try:
        return {key for key in (msgspec.json.decode(row, type=_Identified).id,) if key in IDS}
    except MALFORMED:
        return set()


def split(
    name: str,
    images: Sequence[ImageT],
    annotations: Sequence[msgspec.Raw],
    shard_of: Mapping[int, int],
    folder: Path,
    table_of: Callable[[bytes], str] = lambda text: "parts",
    unusable: Collection[int] = (),
) -> tuple[dict[int, Piece], list[Rejected]]:
    """Writes the photographs of each shard, with their annotations, to `folder/<name>-<shard>.json`.

    `shard_of` maps the ids of the images that are wanted to their shards. Annotations of other images of `images` are
    left out (`--limit`); those of `unusable` image ids, and those whose image is in neither, are rejected.
    `table_of` tells, from the text of a rejected annotation, which table it would have entered. Returns the pieces by
    shard.
    """
    folder.mkdir(parents=True, exist_ok=True)
    image_ids, rejected = _image_ids(annotations, table_of)
    malformed = {int(r.row_id.removeprefix("#")) for r in rejected}
    shards = _shards(image_ids, images, shard_of, unusable)
    shards[list(malformed)] = _UNKNOWN
    for index in np.flatnonzero(shards <= _UNUSABLE).tolist():
        if index not in malformed:
            rule = "image_unknown" if shards[index] == _UNKNOWN else "image_quarantined"
            here = "is not in the file" if rule == "image_unknown" else "is in quarantine"
            text = bytes(annotations[index])
            reason = f"image {int(image_ids[index])} {here}"
            row = text.decode(errors="replace")
            rejected.append(Rejected(table=table_of(text), row_id=f"#{index}", rule=rule, reason=reason, row=row))
    order = np.argsort(shards, kind="stable")
    sorted_shards = shards[order]
    of_shard: dict[int, list[ImageT]] = {}
    for image in images:
        if image.id in shard_of:
            of_shard.setdefault(shard_of[image.id], []).append(image)

    def write(shard: int) -> Piece:
        first, last = np.searchsorted(sorted_shards, [shard, shard + 1])
        path = folder / f"{name}-{shard:03d}.json"
        members = of_shard[shard]
        fingerprint = _write_piece(path, members, [annotations[i] for i in order[first:last].tolist()])
        return Piece(str(path), fingerprint, len(members))

    # Writing and hashing let go of the interpreter lock.
    with ThreadPoolExecutor(max_workers=2) as threads:
        return dict(zip(sorted(of_shard), threads.map(write, sorted(of_shard)), strict=True)), rejected


_NOT_WANTED, _UNUSABLE, _UNKNOWN = -1, -2, -3


def _shards(
    image_ids: NDArray[np.int64],
    images: Sequence[ImageT],
    shard_of: Mapping[int, int],
    unusable: Collection[int],
) -> NDArray[np.int64]:
    """The shard of each annotation, or one of the negative codes above; vectorised over the annotations."""
    known = np.array(sorted({*(image.id for image in images), *unusable}), dtype=np.int64)
    if not len(known):
        return np.full(len(image_ids), _UNKNOWN)
    bad = set(unusable)
    target = np.array([_UNUSABLE if k in bad else shard_of.get(k, _NOT_WANTED) for k in known.tolist()], dtype=np.int64)
    place = np.searchsorted(known, image_ids).clip(max=len(known) - 1)
    return np.where(known[place] == image_ids, target[place], _UNKNOWN)


def _image_ids(
    annotations: Sequence[msgspec.Raw], table_of: Callable[[bytes], str]
) -> tuple[NDArray[np.int64], list[Rejected]]:
    """The image_id of each annotation (int64; -1 where it has none), and the annotations without."""
    decoder = msgspec.json.Decoder(_Reference)
    rejected: list[Rejected] = []
    ids = np.empty(len(annotations), dtype=np.int64)
    for index, raw in enumerate(annotations):
        try:
            ids[index] = decoder.decode(raw).image_id
        except MALFORMED as error:
            ids[index] = -1
            text = bytes(raw)
            rejected.append(_malformed(text, f"#{index}", table_of(text), error))
    return ids, rejected


def _write_piece(path: Path, images: Sequence[ImageT], annotations: Sequence[msgspec.Raw]) -> str:
    state = sha256()
    with path.open("wb") as file:
        for chunk in (b'{"images":', msgspec.json.encode(images), b',"annotations":['):
            file.write(chunk)
            state.update(chunk)
        for start in range(0, len(annotations), 10_000):
            chunk = (b"," if start else b"") + b",".join(annotations[start : start + 10_000])
            file.write(chunk)
            state.update(chunk)
        file.write(b"]}")
    return state.hexdigest()[:32]


def read_piece(
    path: str | Path,
    image: type[ImageT],
    annotation: type[Annotation],
    table_of: Callable[[bytes], str] = lambda text: "parts",
) -> tuple[list[ImageT], list[Annotation], list[Rejected]]:
    """The images and annotations of a piece, typed, and the annotations that are not of that type (`row_malformed`)."""
    text = Path(path).read_bytes()
    try:
        typed: Any = msgspec.json.decode(text, type=_piece_type(list[image], list[annotation]))  # type: ignore[valid-type]
        return typed.images, typed.annotations, []
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _row_by_row(text, image, annotation, table_of)


def _piece_type(images: Any, annotations: Any) -> Any:
    return msgspec.defstruct("PieceRows", [("images", images), ("annotations", annotations)], gc=False)


def _row_by_row(
    text: bytes, image: type[ImageT], annotation: type[Annotation], table_of: Callable[[bytes], str]
) -> tuple[list[ImageT], list[Annotation], list[Rejected]]:
    loose: Any = msgspec.json.decode(text, type=_piece_type(list[image], list[msgspec.Raw]))  # type: ignore[valid-type]
    decoder = msgspec.json.Decoder(annotation)
    good, rejected = [], []
    for index, raw in enumerate(loose.annotations):
        try:
            good.append(decoder.decode(raw))
        except MALFORMED as error:
            row = bytes(raw)
            rejected.append(_malformed(row, f"#{index}", table_of(row), error))
    return loose.images, good, rejected


def _malformed(row: bytes, row_id: str, table: str, error: Exception) -> Rejected:
    rule = "number_not_finite" if re.search(rb'"-?(?:NaN|Infinity)"', row) else "row_malformed"
    return Rejected(table=table, row_id=row_id, rule=rule, reason=str(error), row=row.decode(errors="replace"))
