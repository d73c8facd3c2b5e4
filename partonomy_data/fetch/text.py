"""What `partonomy fetch` prints: what there is, the licences, what was fetched, what is left to do, how to build."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from partonomy_data.fetch.catalogue import ByHand, Dataset, File, Licence
from partonomy_data.fetch.job import NOBODY, Done
from partonomy_data.fetch.records import Beside, Record
from partonomy_data.fetch.space import megabytes


def listing(found: Dataset, to: Path | None) -> str:
    """All that is known of a source; with `to`, what of it is there."""
    lines = [found.title, "", "licences", *licences(found.licences)]
    if found.files:
        lines += ["", "files"]
        width = max(len(file.name) for file in found.files)
        for file in found.files:
            lines.append(f"  {file.name:<{width}}  {_size(file):>13}  {_state(file, to)}")
            lines.append(f"  {'':<{width}}  {file.what}" + ("; only with --only" if file.optional else ""))
            lines.append(f"  {'':<{width}}  {_checked(file)}")
    for step in found.by_hand:
        lines += ["", *by_hand(step, to or Path("DIR"))]
    return "\n".join(line.rstrip() for line in lines)


def licences(given: Iterable[Licence]) -> Iterator[str]:
    """Each licence, what it covers, where it is, and its gist."""
    for one in given:
        yield f"  {one.name} ({one.covers}): {one.url}"
        yield f"    {one.terms}"


def by_hand(step: ByHand, to: Path) -> Iterator[str]:
    """What must be done by hand, step by step."""
    yield f"by hand: {step.what}. {step.why}"
    for number, line in enumerate(step.steps, 1):
        yield f"  {number}. {line.replace('{folder}', shlex.quote(str(to)))}"


def fetched(done: Done) -> str:
    """One line on a file that is there now."""
    record = done.record
    if not done.new:
        return f"{done.name}: is there already ({_files(record)}, {megabytes(record.n_bytes)})"
    line = f"{done.name}: {megabytes(record.size)} fetched, {_files(record)}; sha256 {record.sha256}"
    if record.vouched_by == NOBODY:
        return f"{line} (nobody states one; recorded, and a later download that differs will be refused)"
    return f"{line} (checked)"


def build(name: str, to: Path) -> str:
    """The command that builds from what lies in `to`."""
    return f"partonomy build --source {shlex.quote(f'{name}={to}')}"


def _files(record: Record) -> str:
    return f"{record.n_files:,} file{'' if record.n_files == 1 else 's'}"


def _size(file: File) -> str:
    if file.size is not None:
        return megabytes(file.size)
    return f"about {megabytes(file.about)}" if file.about is not None else "size unknown"


def _checked(file: File) -> str:
    kinds = " and ".join(kind for kind in ("sha256", "md5") if getattr(file, kind) is not None)
    return f"{kinds} from {file.checksum_from}" if kinds else "no checksum is known; the first download's is recorded"


def _state(file: File, to: Path | None) -> str:
    if to is None:
        return ""
    beside = Beside(to)
    record = beside.record(file.name)
    if record is not None:
        missing = beside.missing(file.name, record)
        return "is there" if not missing else f"{missing:,} of {record.n_files:,} files are gone"
    part = beside.part(file.name)
    return f"{megabytes(part.stat().st_size)} are there" if part.exists() else "is not there"
