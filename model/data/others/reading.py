"""From a file of other data to an Arrow file of rows: made once, and again when the file or its settings change."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa

from model.data.others import coco, conversations
from model.data.others.rows import SCHEMA, Left
from model.data.selection import OtherConfig
from model.plum.errors import ModelError

#: Raise it when rows come out differently: files made by another are made anew.
FORMAT: Final = 1
_ROWS_PER_BATCH: Final = 1024


@dataclass(frozen=True)
class Read:
    """Rows of other data."""

    path: Path
    left_out: tuple[str, ...]
    """A line for each reason that something was left out."""


def prepare(name: str, config: OtherConfig, folder: Path) -> Read:
    """The rows of other data, from `folder` if they were made before. The whole file is read into memory.

    Written aside and renamed, so that a file that is there is whole. Raises ModelError for a file that can't be read as what it
    is said to be, or that gives no rows.
    """
    annotations, images = Path(config.annotations).expanduser(), Path(config.images).expanduser()
    if not images.is_dir():
        raise ModelError("there is no such folder", where=str(images), mend=f"Set data.others.{name}.images")
    key = repr((FORMAT, name, config.kind, str(images.resolve()), _digest(annotations, name)))
    path = folder / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:24]}.arrow"
    told = path.with_suffix(".json")
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        left = Left()
        found = _rows(name, config.kind, annotations, images, left)
        written = _write(found, path, lambda: told.write_text(json.dumps(left.lines())))
        if not written:
            why = f": {left.lines()[0]}" if left.lines() else ""
            raise ModelError(f"no sample can be made of it{why}", where=str(annotations))
    return Read(path, tuple(json.loads(told.read_text())))


def _rows(name: str, kind: str, annotations: Path, images: Path, left: Left) -> Iterator[Mapping[str, Any]]:
    known: dict[str, str | None] = {}

    def stamp(uri: str) -> str | None:
        if uri not in known:
            known[uri] = _stamp(images, uri)
        return known[uri]

    try:
        if kind == "conversations":
            return conversations.rows(name, conversations.read(annotations), images, stamp, left)
        content = coco.read(annotations)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelError(
            f"it is not JSON of the kind `{kind}`: {error}", where=str(annotations), mend=f"Set data.others.{name}.kind"
        ) from error
    return (coco.referring if kind == "referring" else coco.semantic)(name, content, stamp, left)


def _stamp(images: Path, uri: str) -> str | None:
    """Size and time of a photograph's file; None if there is none within the folder."""
    path = images / uri
    if ".." in Path(uri).parts or Path(uri).is_absolute():
        return None
    try:
        there = path.stat()
    except OSError:
        return None
    return f"{there.st_size}/{there.st_mtime_ns}"


def _digest(path: Path, name: str) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(
            f"can't be read: {error.strerror}", where=str(path), mend=f"Set data.others.{name}.annotations"
        ) from error


def _write(rows: Iterable[Mapping[str, Any]], path: Path, before: Any) -> int:
    """Writes rows; `before` is called just before the file gets its name. Returns how many there were; none leave no file."""
    aside = path.with_suffix(f".{os.getpid()}.tmp")
    written = 0
    try:
        with aside.open("wb") as file:
            with pa.ipc.new_file(file, SCHEMA) as writer:
                waiting = iter(rows)
                while batch := list(islice(waiting, _ROWS_PER_BATCH)):
                    writer.write_batch(pa.RecordBatch.from_pylist(batch, SCHEMA))
                    written += len(batch)
            file.flush()
            os.fsync(file.fileno())
        if written:
            before()
            aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return written
