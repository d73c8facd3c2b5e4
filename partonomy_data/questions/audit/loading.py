"""Finds the questions: in a store's version, in a folder or file of Parquet, or in a JSON file of the release."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from partonomy_data.errors import UsageError
from partonomy_data.questions.audit import parquet_files, reference_json
from partonomy_data.questions.audit.assemble import assemble
from partonomy_data.questions.audit.table import AuditTable

if TYPE_CHECKING:
    from partonomy_data.store import Store


def load(source: Store | str | Path, *, splits: Collection[str] = ()) -> AuditTable:
    """The questions of `source`, those of `splits` where any are named, ready to be audited.

    `source` is an open store; a store's folder (its current version is read); a folder with `questions/**/*.parquet`,
    and perhaps `objects` and `images` beside it; a folder of Parquet files; one Parquet file with the columns of the
    table `questions`; or a JSON file of PARTONOMY's release, which has no splits.

    A million questions of five choices take about half a gigabyte. Raises UsageError if there are no questions, or if
    a file can't be read.
    """
    if not isinstance(source, (str, Path)):
        return _tables(
            source.files("questions"),
            source.files("objects"),
            source.files("images"),
            f"{source.root}, version {source.version}",
            splits,
        )
    path = Path(source).expanduser()
    if path.is_dir():
        return _folder(path, splits)
    if not path.is_file():
        raise UsageError("there is no such file or folder", where=str(path))
    if path.suffix.lower() == ".json":
        if splits:
            raise UsageError("has no splits to choose from", where=str(path), mend="Leave out --split")
        return assemble(reference_json.read(path), str(path))
    return _tables([path], (), (), str(path), splits)


def _folder(path: Path, splits: Collection[str]) -> AuditTable:
    if (path / "CURRENT").is_file():
        from partonomy_data import store

        with store.open(path) as opened:
            return load(opened, splits=splits)
    if (path / "questions").is_dir():
        tables = [sorted((path / name).rglob("*.parquet")) for name in ("questions", "objects", "images")]
        return _tables(tables[0], tables[1], tables[2], str(path), splits)
    files = sorted(path.rglob("*.parquet"))
    if not files:
        raise UsageError(
            "holds no Parquet files", where=str(path), mend="Name a store, or a folder or file of questions"
        )
    return _tables(files, (), (), str(path), splits)


def _tables(
    questions: Sequence[Path], objects: Sequence[Path], images: Sequence[Path], where: str, splits: Collection[str]
) -> AuditTable:
    encoder = parquet_files.read_questions(questions, splits)
    known = parquet_files.read_known(objects, images, encoder) if encoder.n and objects and images else None
    return assemble(encoder, where, known)
