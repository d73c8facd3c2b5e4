"""Requests to the server of a bucket. Its errors come as lines for users (`saying`), but for those that callers handle.

Botocore finds credentials, region and endpoint in the usual places. Objects are written in one request each, with their
SHA-256, which the server checks, so that half a file or a garbled one never gets a name.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from partonomy_data.errors import StoreError
from partonomy_data.store.remote import saying
from partonomy_data.store.remote.address import Address

#: Requests at once: each waits for the network most of the time.
THREADS: Final = 8
#: What S3 takes in one request. A shard of 4,096 photographs has some ten megabytes.
LARGEST: Final = 5 * 1024**3
#: How many keys S3 removes in one request.
_PER_REMOVAL: Final = 1000
_CHUNK: Final = 1 << 20

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Object:
    """An object, read: its content, and what the server says of it."""

    body: bytes
    etag: str
    modified: datetime
    metadata: Mapping[str, str]
    now: datetime
    """The server's clock when it answered."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a listing has it."""

    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Bucket:
    """A store's place in a bucket, connected. All paths are relative to the store's root. Make it with `connecting.connect`."""

    address: Address
    client: Any = field(repr=False)
    credentials: Any = field(repr=False)
    """Botocore's, or None."""

    def get(self, path: str) -> Object:
        """A small object. Raises Missing if there is none."""
        with self._explained("be read"):
            answer = self.client.get_object(Bucket=self.address.bucket, Key=self.address.key(path))
            body = answer["Body"].read()
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        now = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(UTC)
        modified = answer["LastModified"].astimezone(UTC)
        return Object(body, str(answer["ETag"]), modified, answer.get("Metadata", {}), now)

    def download(self, path: str, target: Path | None = None) -> tuple[int, str]:
        """Size and hex SHA-256 of an object as it is read, to `target` if there is one. Raises Missing if there is none."""
        with self._explained("be read"):
            body = self.client.get_object(Bucket=self.address.bucket, Key=self.address.key(path))["Body"]
            digest, size = hashlib.sha256(), 0
            with open(target or os.devnull, "wb") as file:
                for chunk in body.iter_chunks(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    file.write(chunk)
        return size, digest.hexdigest()

    def checksum(self, path: str) -> str | None:
        """Hex SHA-256 of an object as the server has it; None if it hasn't. Raises Missing if there is no such object."""
        with self._explained("be read"):
            answer = self.client.head_object(
                Bucket=self.address.bucket, Key=self.address.key(path), ChecksumMode="ENABLED"
            )
        return _hex(answer.get("ChecksumSHA256"))

    def put(
        self,
        path: str,
        content: bytes | Path,
        *,
        sha256: str | None = None,
        metadata: Mapping[str, str] | None = None,
        condition: Mapping[str, str] | None = None,
    ) -> None:
        """Writes an object, whole or not at all. `sha256` (hex) is that of a file's content.

        With a `condition` (`unless_there()`, `if_still(etag)`) it may raise saying.NotMet.
        """
        if isinstance(content, Path):
            if content.stat().st_size > LARGEST:
                raise StoreError("has more than 5 GB, which S3 doesn't take at once", where=str(content))
            with content.open("rb") as file:
                self._put(path, file, sha256 or hashlib.file_digest(file, "sha256").hexdigest(), metadata, condition)
        else:
            self._put(path, content, hashlib.sha256(content).hexdigest(), metadata, condition)

    def _put(
        self,
        path: str,
        body: Any,
        sha256: str,
        metadata: Mapping[str, str] | None,
        condition: Mapping[str, str] | None,
    ) -> None:
        with self._explained("be written to"):
            if not isinstance(body, bytes):
                body.seek(0)
            self.client.put_object(
                Bucket=self.address.bucket,
                Key=self.address.key(path),
                Body=body,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=base64.b64encode(bytes.fromhex(sha256)).decode(),
                Metadata=dict(metadata or {}),
                **(condition or {}),
            )

    def copy(self, source: str, target: str) -> None:
        """Has the server copy an object. Raises Missing if there is none."""
        bucket = self.address.bucket
        with self._explained("be written to"):
            self.client.copy_object(
                Bucket=bucket,
                Key=self.address.key(target),
                CopySource={"Bucket": bucket, "Key": self.address.key(source)},
                ChecksumAlgorithm="SHA256",
            )

    def listing(self, folder: str) -> dict[str, Listed]:
        """All objects under a folder, by path relative to it."""
        prefix = self.address.key(folder) + "/"
        found: dict[str, Listed] = {}
        with self._explained("be listed"):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.address.bucket, Prefix=prefix)
            for page in pages:
                for one in page.get("Contents", ()):
                    found[one["Key"][len(prefix) :]] = Listed(int(one["Size"]), one["LastModified"].astimezone(UTC))
        return found

    def remove(self, paths: Sequence[str]) -> None:
        """Removes objects; those that aren't there are no error."""
        for start in range(0, len(paths), _PER_REMOVAL):
            keys = [{"Key": self.address.key(path)} for path in paths[start : start + _PER_REMOVAL]]
            with self._explained("be removed from"):
                answer = self.client.delete_objects(Bucket=self.address.bucket, Delete={"Objects": keys, "Quiet": True})
            for error in answer.get("Errors", ()):
                if error.get("Code") != "NoSuchKey":
                    what = f"{error.get('Key')} may not be removed ({error.get('Code')})"
                    raise StoreError(what, where=str(self.address), mend="Use credentials that may remove")

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise saying.told(error, self.address, doing) from error


def unless_there() -> dict[str, str]:
    """The condition of a write that must be the first."""
    return {"IfNoneMatch": "*"}


def if_still(etag: str) -> dict[str, str]:
    """The condition of a write over an object that must not have changed since it was read."""
    return {"IfMatch": etag}


def together(do: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """`do` for each item, some at once, in order. The first error ends it; what has not begun then is left out."""
    with ThreadPoolExecutor(THREADS, thread_name_prefix="partonomy-s3") as pool:
        running = [pool.submit(do, item) for item in items]
        try:
            return [one.result() for one in running]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _hex(checksum: str | None) -> str | None:
    """Of a whole object, not of its parts (which has a dash and their number)."""
    return base64.b64decode(checksum).hex() if checksum and "-" not in checksum else None
