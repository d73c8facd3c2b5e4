"""CURRENT in a bucket: moved only if nobody else has moved it since it was read.

Which versions it named before, and until when, is written beside its content (as the object's metadata), in the same
write. `prune` goes by that: it can't see who reads.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from partonomy_data.errors import StoreError
from partonomy_data.store.layout import MANIFEST, VERSION_NAME, check_version_name
from partonomy_data.store.remote import saying
from partonomy_data.store.remote.address import Address
from partonomy_data.store.remote.bucket import Bucket, if_still, unless_there
from partonomy_data.store.remote.saying import Missing, NotMet

CURRENT: Final = "CURRENT"
#: The metadata that says which versions were current: "<version>@<when it ceased to be>,…", the newest first.
_LEFT: Final = "partonomy-left"
#: So many moves are remembered; S3 takes 2 kB of metadata.
REMEMBERED: Final = 40
#: An object that is written for nothing but to see whether the server heeds conditions.
PROBE: Final = "versions/.conditional-writes"
_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Left:
    """A version that was current, and until when."""

    version: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Current:
    """CURRENT as it was read."""

    address: Address
    text: str
    etag: str
    since: datetime
    now: datetime
    """The server's clock at the reading."""
    left: tuple[Left, ...]

    @property
    def version(self) -> str:
        """The version that it names. Raises StoreError if it is no name."""
        try:
            return check_version_name(self.text)
        except StoreError as error:
            raise StoreError(
                f"holds {self.text!r}, not the name of a version",
                where=f"{self.address}/{CURRENT}",
                mend="`partonomy rollback VERSION`",
            ) from error


def read(bucket: Bucket) -> Current | None:
    """CURRENT; None where nothing is published. Raises StoreError if the bucket can't be read."""
    try:
        found = bucket.get(CURRENT)
    except Missing:
        return None
    text = found.body[:64].decode(errors="replace").strip()
    return Current(bucket.address, text, found.etag, found.modified, found.now, _left(found.metadata.get(_LEFT, "")))


def require(bucket: Bucket) -> Current:
    """CURRENT. Raises StoreError where nothing is published."""
    found = read(bucket)
    if found is None:
        raise StoreError(
            "nothing is published here yet",
            where=str(bucket.address),
            mend="Run `partonomy build`, or name another store with --root",
        )
    return found


def move(bucket: Bucket, version: str, etag: str | None) -> None:
    """Has CURRENT name `version`, if its ETag is still `etag`; None where there was no CURRENT.

    The version must be there, whole. Raises StoreError if somebody else has moved it meanwhile, or removed the version.
    """
    for _ in range(_ATTEMPTS):
        now = read(bucket)
        if now is not None and now.text == version:
            break  # somebody else did the same, or this is done already, and its answer was lost
        if (now.etag if now else None) != etag:
            raise _overtaken(bucket.address, version, now)
        try:
            _write(bucket, version, now)
        except NotMet:
            continue  # it was moved this moment, or the server was busy with another write of it
        break
    else:
        raise StoreError(
            "CURRENT is being moved by others all the time", where=str(bucket.address), mend="Try again later"
        )
    _still_there(bucket, version, now)


def _write(bucket: Bucket, version: str, now: Current | None) -> None:
    left: tuple[Left, ...] = ()
    if now is not None:
        left = (Left(now.text, now.now), *now.left) if VERSION_NAME.fullmatch(now.text) else now.left
    text = ",".join(f"{one.version}@{int(one.until.timestamp())}" for one in left[:REMEMBERED])
    condition = if_still(now.etag) if now is not None else unless_there()
    try:
        bucket.put(CURRENT, f"{version}\n".encode(), metadata={_LEFT: text}, condition=condition)
    except Missing as error:
        raise NotMet from error  # it was there a moment ago


def _still_there(bucket: Bucket, version: str, before: Current | None) -> None:
    """Takes CURRENT back if the version was removed in the moment in which it became current.

    Who removes a version takes its manifest first and then looks at CURRENT again: one of the two sees the other.
    """
    try:
        bucket.checksum(f"versions/{version}/{MANIFEST}")
    except Missing:
        moved = read(bucket)
        if before is not None and before.text != version and moved is not None and moved.text == version:
            with suppress(NotMet):  # who moved it on has seen to it
                _write(bucket, before.version, moved)
        raise StoreError(
            f"version {version} was removed by a prune in this moment",
            where=str(bucket.address),
            mend="Roll back to another version, or build again",
        ) from None


def _overtaken(address: Address, version: str, now: Current | None) -> StoreError:
    moved = f"moved to version {now.text}" if now else "removed"
    return StoreError(
        f"CURRENT was {moved} by somebody else meanwhile; version {version} is there whole, but not current",
        where=str(address),
        mend=f"Build or refresh again, which follows on theirs, or make it current: `partonomy rollback {version}`",
    )


def probe(bucket: Bucket) -> None:
    """Raises StoreError if the server doesn't heed the conditions of writes, or nothing may be written."""
    first = _heeded(bucket, unless_there()) or _heeded(bucket, unless_there())
    if not (first and _heeded(bucket, if_still('"00000000000000000000000000000000"'))):
        raise saying.no_conditions(bucket.address)


def _heeded(bucket: Bucket, condition: dict[str, str]) -> bool:
    """Whether a write is refused whose condition isn't met."""
    try:
        bucket.put(PROBE, b"", condition=condition)
    except (NotMet, Missing):
        return True
    return False


def _left(text: str) -> tuple[Left, ...]:
    """What the metadata says; what is no part of it, as another tool may write, is left out."""
    found = []
    for one in text.split(","):
        version, _, until = one.partition("@")
        if VERSION_NAME.fullmatch(version) and until.isdecimal():
            found.append(Left(version, datetime.fromtimestamp(int(until), UTC)))
    return tuple(found)
