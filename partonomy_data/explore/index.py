"""Small tables made of a version's large ones, in a DuckDB file of their own.

A version's tables are sorted by id, which makes look-ups by id quick; filters (a type, a split, a part) would read whole
columns of millions of rows for each page. So these are read once, and put down as numbers and enums in the order that pages
show them in: a page then scans a few bytes for each row, from its place on, and stops when it is full. Tables that are small
anyway are copied whole.

The file lies in the store's `work/explore`, where it may be deleted at any time, and serves the next start as well; where that
can't be written (a read-only disk), in a temporary folder, until the end.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import duckdb

from partonomy_data.errors import StoreError
from partonomy_data.store.catalog import quoted
from partonomy_data.store.layout import Layout

#: Tables that are small in every store.
SMALL: Final = frozenset(
    {"category_graph", "object_categories", "part_categories", "part_graph", "part_relations", "plausibility"}
)
#: What DuckDB may take while the tables are made; what doesn't fit goes to the folder of the file.
MEMORY: Final = "220MB"
#: Example cuts that are kept for each object category and part.
EXAMPLES: Final = 12

#: `n` is a question's place in the order of photographs (`prefix` is that of its own), so that those about one lie together.
_ASKED: Final = """
CREATE TABLE asked AS
SELECT row_number() OVER ()::INTEGER AS n, * FROM (
    SELECT q.question_id, q.object_id, q.image_id, ('0x' || q.object_id[5:10])::INTEGER AS prefix, q.question_type, q.split,
        q.source, q.balanced, q.evidence = 'verified' AS verified, q.question, o.object_category
    FROM (SELECT question_id, object_id, image_id, question_type, split, source, balanced, evidence, question FROM questions) q
    LEFT JOIN (SELECT object_id, object_category FROM objects) o USING (object_id)
    ORDER BY prefix, q.question_id)
"""
_STEPS: Final = (
    _ASKED,
    "CREATE TABLE asked_naming AS SELECT m.part_category, a.n FROM question_masks m "
    "JOIN asked a USING (question_id) ORDER BY ALL",
    "CREATE TABLE pictured AS SELECT i.*, s.split, s.reason, s.held_out FROM (SELECT row_number() OVER ()::INTEGER AS n, "
    "image_id, source, uri, file_name, license, width, height, coalesce(exif_orientation, 1) AS orientation, "
    "coalesce(list_contains(repairs, 'exif_transposed'), false) AS transposed FROM images) i "
    "LEFT JOIN (SELECT image_id, split, reason, held_out FROM splits) s USING (image_id) ORDER BY i.n",
    "CREATE TABLE pictured_object AS SELECT DISTINCT o.object_category, p.n FROM objects o "
    "JOIN pictured p USING (image_id) ORDER BY ALL",
    "CREATE TABLE pictured_part AS SELECT DISTINCT o.part_category, p.n FROM parts o "
    "JOIN pictured p USING (image_id) ORDER BY ALL",
    "CREATE TABLE example AS SELECT object_category, part_category, e.part_id, e.image_id, e.box, e.pixels FROM ("
    "SELECT object_category, part_category, unnest(max_by({'part_id': part_id, 'image_id': p.image_id, "
    f"'box': p.bbox, 'pixels': p.area}}, p.area, {EXAMPLES})) AS e "
    "FROM parts p JOIN (SELECT object_id, object_category FROM objects) USING (object_id) "
    "GROUP BY object_category, part_category) ORDER BY object_category, part_category, e.pixels DESC, e.part_id",
    "CREATE TABLE rejected AS SELECT row_number() OVER ()::INTEGER AS n, table_name, row_id, source, rule, reason "
    "FROM quarantine",
    "CREATE TABLE answered AS SELECT p.model_id, p.conditioning, p.seed, a.n, a.question_type, a.split, p.correct, p.choice, "
    "list_avg([one.iou FOR one IN p.iou]) AS iou FROM (SELECT model_id, conditioning, seed, question_id, correct, choice, iou "
    "FROM predictions) p JOIN asked a USING (question_id) ORDER BY ALL",
)


def prepared(root: Path, version: str, views: Mapping[str, str], files: Iterable[Path]) -> tuple[Path, Path | None]:
    """The file for a version, made if it isn't there, and the temporary folder that it is in, if it is in one.

    `views`: name → the SELECT that it stands for; `files`: what these read. Raises StoreError, one line, if a table can't be
    read or there is no room.
    """
    folder = Layout(root).work / "explore"
    known = [[str(path), *_stamp(path)] for path in files]
    digest = hashlib.sha256(json.dumps([known, dict(views), _STEPS, duckdb.__version__]).encode()).hexdigest()[:16]
    file = folder / f"{version}-{digest}.duckdb"
    if file.is_file():
        return file, None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".making-", dir=folder))
    except OSError:
        aside = Path(tempfile.mkdtemp(prefix="partonomy-explore-"))
        try:
            make(aside / "index.duckdb", views)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        return aside / "index.duckdb", aside
    try:
        make(aside / "index.duckdb", views)
        _forget(folder, version, Layout(root))
        os.replace(aside / "index.duckdb", file)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return file, None


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _forget(folder: Path, version: str, layout: Layout) -> None:
    """Removes what was made for the version before, and for versions that are gone. Servers that have one open keep it."""
    for left in folder.glob("*.duckdb"):
        of = left.name.split("-")[0]
        if of == version or not (layout.versions / of).is_dir():
            with suppress(OSError):
                left.unlink()


def make(file: Path, views: Mapping[str, str], *, threads: int = 2) -> None:
    """Writes a DuckDB file with the views and the tables made of them. Raises StoreError."""
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY,
        "threads": threads,
        "temp_directory": str(file.parent / "spill"),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    try:
        with duckdb.connect(str(file), config=settings) as connection:
            for name, select in views.items():
                kind = "TABLE" if name in SMALL else "VIEW"
                connection.execute(f'CREATE {kind} "{name}" AS {select}')
            for sql in _STEPS:
                # A second thread that sorts long rows would take as much memory again, and there would be too little.
                connection.execute(f"SET threads = {1 if sql is _ASKED else threads}")
                connection.execute(sql)
            connection.execute("CHECKPOINT")
    except duckdb.Error as error:
        raise StoreError(
            f"the version can't be prepared for looking at: {str(error).splitlines()[0]}",
            where=str(file.parent),
            mend="Check the room on that disk, and the version with `partonomy validate`",
        ) from error


def connect(file: Path, readable: list[str], *, memory: str, threads: int) -> duckdb.DuckDBPyConnection:
    """The file opened for reading only: no other file than the `readable` ones can be reached, and no setting changed."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": memory,
            "threads": threads,
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        },
    )
    try:
        # Attached, as a process can open a file but once, with one set of settings.
        connection.execute(f"ATTACH {quoted(str(file))} AS looked_at (READ_ONLY)")
        listed = (
            "SELECT table_name FROM duckdb_tables() UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal"
        )
        for (name,) in connection.execute(listed).fetchall():
            connection.execute(f'CREATE VIEW main."{name}" AS SELECT * FROM looked_at.main."{name}"')
        connection.execute("SET parquet_metadata_cache = true")
        connection.execute("SET allowed_paths = ?", [readable])
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    except BaseException:
        connection.close()
        raise
    return connection
