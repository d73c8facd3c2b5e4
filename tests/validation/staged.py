"""Staged versions to damage and to validate: those of two of the demo world's sources, quick to check and whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from partonomy_data.store import parquet
from partonomy_data.store.files import link_tree
from partonomy_data.store.publish import publish
from partonomy_data.validation.cache import Cache
from partonomy_data.validation.job import Checked, validate_staged
from partonomy_data.validation.settings import ValidationSettings
from partonomy_data.validation.subject import Subject, opened
from tests.helpers import stores
from tests.validation.damage import Change, Checks, Found, damaged, read

Row = dict[str, Any]
Once = Callable[[str, Callable[[Path], None]], Path]
#: What a manifest says only once it is published.
_PUBLISHED = ("files", "tables", "version", "parent", "schema_version", "validation", "language_model")
_SOURCES = ("paco", "partonomy")


def two_sources(once: Once) -> Path:
    """The root of a store of PACO's and PARTONOMY's photographs of the small demo world. Read only."""

    def make(root: Path) -> None:
        from partonomy_data import BuildConfig, SourceSetting, build

        sources = {name: SourceSetting(str(stores.demo(once) / "demo" / name)) for name in _SOURCES}
        build(root, BuildConfig(sources=sources, workers=1, validation=ValidationSettings(data_docs=False)))

    return once("two-sources", make)


def current(root: Path) -> Path:
    """The folder of a store's current version."""
    return root / "versions" / (root / "CURRENT").read_text().strip()


def two_sources_in_few_files(once: Once) -> Path:
    """The folder of that store's version, with one file of questions in each place: to open many takes long. Read only."""

    def make(target: Path) -> None:
        shutil.copytree(current(two_sources(once)), target)
        for name in ("questions", "question_masks"):
            for folder in {path.parent for path in (target / name).rglob("*.parquet")}:
                _merge(sorted(folder.glob("*.parquet")), name)

    return once("two-sources-in-few-files", make)


def _merge(paths: list[Path], name: str) -> None:
    """Puts the rows of files of questions into the first, those that are asked together beside each other."""
    rows = pa.concat_tables([pq.ParquetFile(path).read() for path in paths])
    units = [name[:16] for name in rows["question_id"].to_pylist()]
    order = sorted(range(len(units)), key=units.__getitem__)
    for path in paths:
        path.unlink()
    parquet.write(rows.take(pa.array(order, pa.int64())), paths[0], name)


def validated(once: Once) -> Path:
    """A store whose version, of the files of `two_sources_in_few_files`, was validated, with `findings`. Read only."""

    def make(target: Path) -> None:
        target.mkdir()
        staged = Staged.of(two_sources_in_few_files(once), target)
        staged.findings = target / "findings"
        publish(staged.root, staged.folder, staged.validate().manifest, readme="")

    return once("validated", make)


@dataclass(slots=True)
class Staged:
    """A version as it is before it is published, in a folder of its own; files are links to those of the store."""

    folder: Path
    manifest: dict[str, Any]
    root: Path
    """Of an empty store, which it is to be published in."""
    settings: Mapping[str, Any] = field(default_factory=lambda: {"data_docs": False, "blind_questions": 0})
    findings: Path | None = None
    """What earlier builds found out, if anything is kept of it."""

    @classmethod
    def of(cls, version: Path, work: Path) -> Staged:
        """That of a version in this folder."""
        folder, root = work / "staged", work / "store"
        link_tree(version, folder)
        said = json.loads((folder / "manifest.json").read_text())
        for name in ("manifest.json", "README.md", "croissant.json"):
            (folder / name).unlink(missing_ok=True)
        root.mkdir()
        return cls(folder, {name: value for name, value in said.items() if name not in _PUBLISHED}, root)

    @classmethod
    def again(cls, done: Path, work: Path) -> Staged:
        """That of the version that was `validated`, to be published after it."""
        root = work / "store"
        staged = cls.of(current(done / "store"), work)
        (root / "versions").symlink_to(done / "store" / "versions")
        shutil.copy(done / "store" / "CURRENT", root)
        staged.findings = work / "findings"
        shutil.copytree(done / "findings", staged.findings, copy_function=os.link)
        return staged

    def validate(self, **settings: Any) -> Checked:
        """What validation comes to. Raises ValidationError."""
        given = ValidationSettings(**{**self.settings, **settings})
        return validate_staged(
            self.root,
            self.folder,
            self.manifest,
            given,
            folder=self.root / "runs" / "one" / "validation",
            threads=1,
            cache=Cache(self.findings, "") if self.findings else None,
        )

    def found(self, *checks: Checks) -> Found:
        """What some checks find: only rules that are broken."""
        with self.open() as subject:
            return found_of(subject, *checks)

    @contextmanager
    def open(self) -> Iterator[Subject]:
        """The version as checks see it."""
        given = ValidationSettings(**self.settings)
        with opened(self.folder, self.manifest, given, spill_to=self.root / "spill", threads=1) as subject:
            yield subject

    def rows(self, table: str) -> list[Row]:
        """The rows of a table."""
        rows: list[Row] = read(self.folder, table).to_pylist()
        return rows


def found_of(subject: Subject, *checks: Checks) -> Found:
    """What some checks find in a subject."""
    broken: Found = {}
    for one in checks:
        for suite, rules in one.items():
            for rule, check in rules.items():
                rows = subject.found(check) if isinstance(check, str) else check(subject)
                if rows.num_rows:
                    told = rows["reason"].to_pylist() if "reason" in rows.column_names else [None] * rows.num_rows
                    broken[suite, rule] = dict(zip(rows["row"].to_pylist(), told, strict=True))
    return broken


def column(folder: Path, table: str, name: str) -> list[Any]:
    """A column of a table."""
    values: list[Any] = read(folder, table)[name].to_pylist()
    return values


def overwritten(path: Path, content: bytes) -> None:
    """Gives a file another content, but not those that it is a link to."""
    path.unlink()
    path.write_bytes(content)


def edited(folder: Path, table: str, key: str, changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Gives other values to some rows of a table: key → column → value."""
    wanted = pa.array(list(changes), pa.string())

    def change(rows: pa.Table) -> pa.Table:
        if not pc.any(pc.is_in(rows[key], value_set=wanted)).as_py():
            return rows
        new = [row | changes.get(row[key], {}) for row in rows.to_pylist()]
        return pa.Table.from_pylist(new, rows.schema)

    damaged(folder, table, change)


def keeping(wanted: Callable[[Row], bool]) -> Change:
    """A change that leaves out the rows that aren't wanted."""
    return lambda rows: rows.filter(pa.array([wanted(row) for row in rows.to_pylist()], pa.bool_()))


def questions(folder: Path, **wanted: Any) -> Iterator[Row]:
    """The questions with these values, in the order of their files; a value may be a collection of values."""
    for row in read(folder, "questions").to_pylist():
        if all(row[name] in value if _several(value) else row[name] == value for name, value in wanted.items()):
            yield row


def _several(value: Any) -> bool:
    return isinstance(value, Collection) and not isinstance(value, str)


def block_of(folder: Path, row: Row) -> list[Row]:
    """The questions of a question's block, by the places of their right choices."""
    return sorted(questions(folder, block_id=row["block_id"]), key=lambda one: int(one["correct_index"]))


def names(rows: Collection[Row]) -> set[str]:
    """The ids of questions."""
    return {row["question_id"] for row in rows}
