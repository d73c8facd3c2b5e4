"""Requests as files of the Batch API: one a line, in as many files as are needed.

They are files without a name, in the answer store's folder: a process that ends in whatever way leaves none behind.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal, TypeAlias, cast

import msgspec

from partonomy_data.llm.protocol import Dialect, path
from partonomy_data.llm.request import Request

#: What the requests of a batch are sent to.
Url: TypeAlias = Literal["/v1/chat/completions", "/v1/embeddings"]


@dataclass(slots=True)
class Part:
    """A file of requests."""

    file: IO[bytes]
    keys: list[str] = field(default_factory=list)
    """Of its requests, in its order; they stand in the file as `custom_id`."""
    size: int = 0
    """Bytes."""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class TooLarge:
    """A request that no file has room for."""

    key: str


def scratch(folder: Path) -> IO[bytes]:
    """A file to write to and read, gone as soon as it is closed."""
    return tempfile.TemporaryFile(dir=folder)


def parts(
    requests: Mapping[str, Request], dialect: Dialect, folder: Path, *, most_requests: int, most_bytes: int
) -> Iterator[Part | TooLarge]:
    """Requests by their keys, in their order, as files; one at a time is open, until the next is asked for."""
    part = Part(scratch(folder))
    try:
        digest = hashlib.sha256()
        for key, request in requests.items():
            line = _line(key, request, dialect)
            if len(line) > most_bytes:
                yield TooLarge(key)
                continue
            if len(part.keys) == most_requests or part.size + len(line) > most_bytes:
                yield _closed(part, digest.hexdigest())
                part.file.close()
                part, digest = Part(scratch(folder)), hashlib.sha256()
            part.file.write(line)
            digest.update(line)
            part.keys.append(key)
            part.size += len(line)
        if part.keys:
            yield _closed(part, digest.hexdigest())
    finally:
        part.file.close()


def _line(key: str, request: Request, dialect: Dialect) -> bytes:
    entry = {"custom_id": key, "method": "POST", "url": url(request), "body": dialect.body(request)}
    return msgspec.json.encode(entry) + b"\n"


def url(request: Request) -> Url:
    """What a request of a batch is sent to; the same for all of a batch."""
    return cast(Url, f"/v1{path(request)}")


def _closed(part: Part, sha256: str) -> Part:
    part.file.flush()
    part.file.seek(0)
    part.sha256 = sha256
    return part
