"""Licences are accepted once, by a person; that they were is recorded in the dataset's folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from partonomy_data.errors import UsageError
from partonomy_data.fetch.catalogue import Licence
from partonomy_data.fetch.records import Beside, write


class Accepted(msgspec.Struct, frozen=True):
    """That someone accepted the licences of a source."""

    digest: str
    """Of their names, addresses and terms: other terms must be accepted anew."""
    licences: list[str]
    how: str
    accepted_at: str


def require(
    name: str, licences: Sequence[Licence], beside: Beside, *, given: bool, ask: Callable[[str], bool] | None
) -> None:
    """Raises UsageError unless the licences were accepted, in an earlier run, by `given`, or by answering `ask`.

    `ask` gets the question and returns the answer; None where nobody can be asked.
    """
    known = _known(beside)
    digest = hashlib.sha256(msgspec.json.encode(licences)).hexdigest()
    if name in known and known[name].digest == digest:
        return
    if given:
        how = "--accept-licence"
    elif ask is not None and ask("Do you accept these terms?"):
        how = "asked"
    else:
        raise UsageError(
            f"the licences of {name} aren't accepted, and nothing was fetched",
            mend=f"Read them (partonomy fetch {name} --list), then run it with --accept-licence",
        )
    beside.folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    names = [f"{one.name}: {one.url}" for one in licences]
    text = msgspec.json.encode({**known, name: Accepted(digest, names, how, now)})
    write(beside.path("licences.json"), msgspec.json.format(text, indent=2))


def _known(beside: Beside) -> dict[str, Accepted]:
    try:
        return msgspec.json.decode(beside.path("licences.json").read_bytes(), type=dict[str, Accepted])
    except (OSError, msgspec.DecodeError):
        return {}
