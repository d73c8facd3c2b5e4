"""Fetches a source: licences, files one after the other, what is left to do by hand, and how to build from it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from partonomy_data.errors import SourceError, UsageError
from partonomy_data.fetch import archives, catalogue, licences, placing, space
from partonomy_data.fetch.catalogue import ByHand, Dataset, File
from partonomy_data.fetch.download import Patience, Wanted, download
from partonomy_data.fetch.meter import Meter
from partonomy_data.fetch.records import Beside, Record
from partonomy_data.fetch.space import FetchError
from partonomy_data.pipeline.progress import Progress, Silent

NOBODY = "first download"


@dataclass(frozen=True, slots=True)
class Done:
    """A file that is there now."""

    name: str
    new: bool
    """Whether this run fetched it."""
    record: Record


@dataclass(frozen=True, slots=True)
class Report:
    """What a fetch came to."""

    files: tuple[Done, ...]
    by_hand: tuple[ByHand, ...]
    """What is left to do."""
    readable: bool
    """Whether the source's reader takes the folder for its dataset."""


def fetch(
    name: str,
    to: Path,
    *,
    only: Sequence[str] = (),
    base: str | None = None,
    accept_licence: bool = False,
    ask: Callable[[str], bool] | None = None,
    known: dict[str, Dataset] | None = None,
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> Report:
    """Has the files of source `name` in the folder `to`, unpacked as its reader wants them.

    `only` names files of the catalogue `known` (the package's own if not given); `base` is an address that stands for
    the part before the file's name in theirs. Raises UsageError (a name, a licence, a folder) or FetchError.
    """
    found = catalogue.dataset(catalogue.load() if known is None else known, name)
    progress, patience = progress or Silent(), patience or Patience()
    chosen = [_from(file, base) for file in found.chosen(only)]
    done = tuple(_all(name, found, chosen, to, accept_licence, ask, progress, patience)) if chosen else ()
    readable = is_readable(name, to)
    left = [step for step in left_to_do(found, chosen, to) if not (step.required and readable)]
    return Report(done, tuple(left), readable)


def _all(
    name: str,
    found: Dataset,
    chosen: Sequence[File],
    to: Path,
    accept_licence: bool,
    ask: Callable[[str], bool] | None,
    progress: Progress,
    patience: Patience,
) -> Iterator[Done]:
    beside = Beside(to)
    with beside.alone():
        licences.require(name, found.licences, beside, given=accept_licence, ask=ask)
        there = {file.name: _whole(file, beside, progress) for file in chosen}
        _require_space(name, [file for file in chosen if there[file.name] is None], beside)
        for file in chosen:
            record = there[file.name]
            if record is None:
                yield Done(file.name, True, _get(file, beside, progress, patience))
            else:
                _tidy(file, beside)  # the earlier run may have been stopped just before it did
                yield Done(file.name, False, record)


def _require_space(name: str, absent: Sequence[File], beside: Beside) -> None:
    """Each download is removed once it is unpacked, so that the largest is all that takes room twice."""
    if absent:
        kept = sum(space.unpacked(file.name, file.expected) for file in absent)
        parts = (beside.part(file.name) for file in absent)
        begun = sum(part.stat().st_size for part in parts if part.exists())
        needed = kept + max(file.expected for file in absent) - begun
        space.require(beside.home, max(needed, 0), f"what is left of {name}")


def _tidy(file: File, beside: Beside) -> None:
    beside.forget_part(file.name)
    archives.remove(beside.path(f"{file.name}.unpacking"))


def _from(file: File, base: str | None) -> File:
    if base is None:
        return file
    if not base.startswith(("https://", "http://")):
        raise UsageError(f"--from {base!r} is no http or https address", mend="Name the folder of a mirror")
    return msgspec.structs.replace(file, url=f"{base.rstrip('/')}/{file.url.rsplit('/', 1)[-1]}")


def _whole(file: File, beside: Beside, progress: Progress) -> Record | None:
    """The record of a file that is in its place, all of it; else None."""
    record = beside.record(file.name)
    if record is None or (file.sha256 is not None and file.sha256 != record.sha256):
        return None
    missing = beside.missing(file.name, record)
    if missing:
        progress.note(f"{file.name}: {missing:,} of its {record.n_files:,} files are gone or changed; fetched anew")
    return None if missing else record


def _get(file: File, beside: Beside, progress: Progress, patience: Patience) -> Record:
    sure = file.sha256 is not None or file.md5 is not None
    state = download(Wanted(file.name, file.url, file.size, sure), beside, progress, patience)
    part = beside.part(file.name)
    size = part.stat().st_size
    digest, vouched_by = _check(file, beside, progress)
    source = _unpacked(file, vouched_by, beside, progress)
    ours = {path for path, _ in beside.members(file.name)}
    members = placing.place(source, beside.home, file.into, ours)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    total = sum(one for _, one in members)
    record = Record(file.url, size, digest, vouched_by, now, state.validator, len(members), total)
    try:
        beside.note(file.name, record, members)
    except OSError as error:
        raise space.failed(error, beside.folder, "The download is kept.") from error
    _tidy(file, beside)
    return record


def _unpacked(file: File, vouched_by: str, beside: Beside, progress: Progress) -> Path:
    """A folder with what the download holds, or is."""
    part, folder = beside.part(file.name), beside.path(f"{file.name}.unpacking")
    archives.remove(folder)
    if not space.is_archive(file.name):
        folder.mkdir()
        shutil.copyfile(part, folder / file.name)
        return folder
    try:
        archives.unpack(part, file.name, folder, Meter(progress), nested=file.nested)
    except FetchError as error:
        archives.remove(folder)
        if vouched_by == NOBODY and isinstance(error, archives.BadArchive):
            # A page that asks to log in, say, which the next run must not take for the file.
            raise FetchError(f"{error} It is set aside as {beside.set_aside(file.name)}.") from error
        raise
    return archives.single_top(folder) if file.top_left_out else folder


def _check(file: File, beside: Beside, progress: Progress) -> tuple[str, str]:
    """The SHA-256 of a download, and who vouches for it. Raises FetchError, and sets it aside, if nobody does."""
    found = _digests(beside.part(file.name), Meter(progress))
    stated = [(kind, getattr(file, kind)) for kind in ("sha256", "md5") if getattr(file, kind) is not None]
    for kind, wanted in stated:
        if found[kind] != wanted:
            bad = beside.set_aside(file.name)
            raise FetchError(
                f"{file.url}: its {kind} is {found[kind]}, and {wanted} is known of it ({file.checksum_from})."
                f" It is set aside as {bad}, and not used."
            )
    before = beside.record(file.name)
    if not stated and before is not None and before.sha256 != found["sha256"]:
        bad = beside.set_aside(file.name)
        raise FetchError(
            f"{file.url}: its sha256 is {found['sha256']}, and on {before.fetched_at[:10]} it was {before.sha256}."
            f" It is set aside as {bad}; to take it all the same, delete {beside.path(f'{file.name}.json')}."
        )
    return found["sha256"], file.checksum_from or NOBODY


def _digests(path: Path, meter: Meter) -> dict[str, str]:
    """SHA-256 and MD5 of a file, read once."""
    # MD5 guards against damage here, as it is all that some state; it is no proof of who made a file.
    states = {"sha256": hashlib.sha256(), "md5": hashlib.md5(usedforsecurity=False)}
    meter.begin(f"checking {path.name.removesuffix('.part')}", path.stat().st_size)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            for state in states.values():
                state.update(chunk)
            meter.add(len(chunk))
    return {kind: state.hexdigest() for kind, state in states.items()}


def left_to_do(found: Dataset, chosen: Sequence[File], to: Path) -> tuple[ByHand, ...]:
    """What must still be done by hand for the chosen files."""
    names = {file.name for file in chosen}
    return tuple(
        step
        for step in found.by_hand
        if (step.with_file is None or step.with_file in names)
        and (step.present is None or next(to.glob(step.present), None) is None)
    )


def is_readable(name: str, folder: Path) -> bool:
    """Whether the reader of source `name` takes `folder` for its dataset; looks at names only, and is quick.

    Of a reader that isn't the package's own it is only known whether there is one.
    """
    from partonomy_data.sources import paco, partimagenet, partonomy, pascal_part
    from partonomy_data.sources.base import SourceRequest, reader

    looks: dict[str, Callable[[], object]] = {
        "paco": lambda: paco.planning.annotation_files(folder),
        "partimagenet": lambda: partimagenet.layout.find(folder),
        "pascal_part": lambda: pascal_part.layout_of(folder),
        "partonomy": lambda: partonomy.layout(SourceRequest(name, folder)),
    }
    try:
        return bool(looks[name]() if name in looks else reader(name))
    except (SourceError, OSError):
        return False
