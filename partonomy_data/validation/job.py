"""Validating a staged version before it is published, and a published one at any time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from partonomy_data.errors import PartonomyError, StoreError
from partonomy_data.store import files, manifest
from partonomy_data.store.layout import Layout
from partonomy_data.store.lock import reading
from partonomy_data.store.manifest import Manifest
from partonomy_data.store.pointer import read_current
from partonomy_data.store.remote.copies import as_published
from partonomy_data.validation import data_docs, pages_apart
from partonomy_data.validation.cache import Cache, Record
from partonomy_data.validation.changes import changes, content, staged_files, summed
from partonomy_data.validation.pages_apart import Pages
from partonomy_data.validation.quarantining import helps, quarantine, without
from partonomy_data.validation.report import MOST_NAMED, Failure, Validation, validation
from partonomy_data.validation.running import Outcome, run
from partonomy_data.validation.settings import ValidationSettings
from partonomy_data.validation.subject import Subject, opened
from partonomy_data.validation.suites import VERSION, suites

#: The report for machines, in the folder of a validation.
REPORT = "validation.json"
#: What there is to say of them changes when questions go to quarantine.
_OF_QUESTIONS = frozenset({"questions", "question_masks", "quarantine", VERSION})


class ValidationError(PartonomyError):
    """A staged version that may not be published."""

    def __init__(self, came_to: Validation, where: Path) -> None:
        self.validation = came_to
        super().__init__(f"nothing was published, as rules are broken: {came_to.told()}. All of it: {where}")


@dataclass(frozen=True, slots=True)
class Checked:
    """A staged version that may be published."""

    validation: Validation
    outcomes: list[Outcome]
    manifest: dict[str, Any]
    """What its manifest is to say: what was given, but for the questions that went to quarantine."""


def n_rules() -> int:
    """How many rules there are: the steps of a validation."""
    return sum(len(suite.expectations) for suite in suites().values())


def validate_staged(
    root: Path,
    staged: Path,
    given: Mapping[str, Any],
    settings: ValidationSettings,
    *,
    folder: Path,
    threads: int | None = None,
    told: Callable[[], None] | None = None,
    cache: Cache | None = None,
    pages: Pages | None = None,
) -> Checked:
    """Checks all rules on the staged folder, whose manifest will say what is `given`.

    Questions that break a rule of level `row` go to quarantine, if they are few and nothing else is wrong. The report is
    written to `folder`. `cache` has what earlier builds found out about files that are the same, and whether the version
    before was validated: then what has changed since is judged (`changes`). `pages`, which were not begun, get the report by
    Great Expectations; the caller waits for them. Without them they are waited for here, where the settings want them. Raises
    ValidationError if a rule is broken for which nothing may be published.
    """
    parent = _parent(root)
    manifest = dict(given)
    gone = 0
    with _spilling(root) as spill, _report(folder, settings, pages) as of_suite:

        def look() -> AbstractContextManager[Subject]:
            return opened(staged, manifest, settings, spill_to=spill, parent=parent, threads=threads, cache=cache)

        with look() as subject:
            since = changes(subject, parent)
            outcomes = run(subject, told, since=since, of_suite=of_suite)
            came_to = validation(outcomes, dict(subject.rows), since=since.version if since else None)
            if helps(outcomes):
                left = quarantine(subject, outcomes)
                manifest, gone = without(given, left), left.n
            elif came_to.success:
                _note(subject, outcomes)
        if gone:
            with look() as subject:
                since = changes(subject, parent)
                outcomes = run(
                    subject, None, [one for one in outcomes if one.table not in _OF_QUESTIONS], since, of_suite
                )
                came_to = validation(outcomes, dict(subject.rows), gone, since.version if since else None)
                if came_to.success:
                    _note(subject, outcomes)
    _write(came_to, folder)
    if not came_to.success:
        if pages is not None:
            pages.wait()
        raise ValidationError(came_to, folder)
    return Checked(came_to, outcomes, manifest)


def _note(subject: Subject, outcomes: Iterable[Outcome]) -> None:
    """Keeps a record of what may be published, for the version that follows."""
    if subject.cache is not None:
        broken = [(one.table, one.rule) for one in outcomes if one.failed]
        record = Record(summed(subject.settings, subject.manifest), broken)
        subject.cache.note(content(staged_files(subject)), record)


def validate_published(
    root: Path, version: str | None = None, settings: ValidationSettings | None = None, *, folder: Path | None = None
) -> tuple[Validation, list[Outcome]]:
    """Checks all rules on a published version, the current one if none is named, and that its files are as published.

    Where `root` is the state of a store on S3, the version is looked at as it is there. The report is written to `folder`, if
    there is one. Raises StoreError if there is no such version.
    """
    settings = settings or ValidationSettings()
    with (
        as_published(root, version) as (root, name),
        reading(root, name),
        _spilling(root) as spill,
        _report(folder, settings) as of_suite,
    ):
        found = manifest.listed(root, name)
        changed = _changed(Layout(root).version(name), found)
        with opened(Layout(root).version(name), found.content, settings, spill_to=spill) as subject:
            outcomes = run(subject, of_suite=of_suite)
            came_to = validation(outcomes, dict(subject.rows))
    came_to = msgspec.structs.replace(came_to, rules=came_to.rules + 1)
    if changed:
        failure = Failure(
            rule="files_as_published",
            table=VERSION,
            level="critical",
            says="Every file of the manifest is there, with the content that it had when it was published.",
            n=len(changed),
            rows=[name for name, _ in changed[:MOST_NAMED]],
            reasons=[how for _, how in changed[:MOST_NAMED]],
            tolerated=False,
        )
        came_to = msgspec.structs.replace(came_to, success=False, failures=[failure, *came_to.failures])
    if folder is not None:
        _write(came_to, folder)
    return came_to, outcomes


def _changed(folder: Path, published: Manifest) -> list[tuple[str, str]]:
    """The files that aren't as they were published, and how; in order."""
    wrong: dict[str, str] = {}
    here = []
    for one in published.files:
        try:
            size = (folder / one.path).stat().st_size
        except OSError as error:
            wrong[one.path] = "it is missing" if isinstance(error, FileNotFoundError) else str(error.strerror)
            continue
        if size == one.bytes:
            here.append(one)
        else:
            wrong[one.path] = f"it has {size:,} bytes, not {one.bytes:,}"
    for one, digest in zip(here, files.sha256_of_all([folder / one.path for one in here]), strict=True):
        if digest != one.sha256:
            wrong[one.path] = "it has another content"
    return sorted(wrong.items())


@contextmanager
def _spilling(root: Path) -> Iterator[Path]:
    """A folder of a validation's own for what doesn't fit into memory, as others may run beside it; it is gone afterwards.

    Where the store can't be written to, it lies in the system's folder for such.
    """
    work = Layout(root).work
    try:
        work.mkdir(parents=True, exist_ok=True)
        made = TemporaryDirectory(dir=work, prefix="validation-", ignore_cleanup_errors=True)
    except OSError:
        made = TemporaryDirectory(prefix="partonomy-validation-", ignore_cleanup_errors=True)
    with made as name:
        yield Path(name)


def _parent(root: Path) -> tuple[Path, Mapping[str, Any]] | None:
    name = read_current(root)
    if name is None:
        return None
    try:
        return Layout(root).version(name), manifest.read(root, name).content
    except StoreError:
        return None  # a damaged version is nothing to compare with


def _write(came_to: Validation, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    files.write_json(folder / REPORT, msgspec.to_builtins(came_to))


@contextmanager
def _report(
    folder: Path | None, settings: ValidationSettings, pages: Pages | None = None
) -> Iterator[Callable[[list[Outcome]], None] | None]:
    """What suites are handed to for Great Expectations' report; None where none is wanted.

    It is written when the block has ended, unless `pages` are given: then the caller waits for it.
    """
    if folder is None or not reported(settings):
        yield None
    elif pages is not None:
        pages.begin(folder, folder.parent.name)
        yield pages.add
        pages.end()
    else:
        with pages_apart.pages() as own:
            with _report(folder, settings, own) as of_suite:
                yield of_suite
            own.wait()


def reported(settings: ValidationSettings) -> bool:
    """Whether Great Expectations is to write a report."""
    return settings.data_docs and data_docs.wanted()
