"""The touched rows of a staged version, in databases of their own beside it: rules run there as they run on all rows.

What is not touched can't be seen there, nor are there other tables than rules of the reach may look at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from partonomy_data.store import catalog
from partonomy_data.validation.reach import LINKS, NAMES
from partonomy_data.validation.subject import Subject, read_parquet

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: The databases.
_PHOTOGRAPHS: Final = "photographs"
_BLOCKS: Final = "blocks"


def closed(subject: Subject) -> dict[str, list[Path]]:
    """Adds to the table `reached` all that it is linked with; returns the files of each table with touched rows.

    A table is gone through again only if values that it links by have come up since.
    """
    files: dict[str, list[Path]] = {table: [] for table in LINKS}
    seen: dict[str, list[int]] = {}
    reached, waiting = _reached(subject), True
    while waiting:
        waiting = False
        for table, links in LINKS.items():
            here = [reached[kind] for _, kind in links]
            if any(here) and here != seen.get(table):
                files[table], seen[table] = _follow(subject, table), here
                reached, waiting = _reached(subject), True
    return files


def _reached(subject: Subject) -> Counter[str]:
    """Kind of value → how many were reached."""
    return Counter(dict(subject.connection.sql("SELECT kind, count(*) FROM reached GROUP BY kind").fetchall()))


def _touched(table: str) -> str:
    """SQL that is true of a row of `table` that is linked with what was reached."""
    return " OR ".join(
        f"{column} IN (SELECT value FROM reached WHERE kind = '{kind}')" for column, kind in LINKS[table]
    )


def _follow(subject: Subject, table: str) -> list[Path]:
    """Adds what the rows of a table are linked with that are; returns their files."""
    if not subject.files[table]:
        return []
    columns = ", ".join(sorted({column for column, _ in LINKS[table]}))
    subject.connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE followed AS SELECT filename, {columns}
        FROM {read_parquet(subject.files[table], filename=True)} WHERE {_touched(table)}"""
    )
    for column, kind in LINKS[table]:
        subject.connection.execute(
            f"""INSERT INTO reached SELECT DISTINCT '{kind}', {column} FROM followed WHERE {column} NOTNULL
            AND {column} NOT IN (SELECT value FROM reached WHERE kind = '{kind}')"""
        )
    return _files(subject, "followed")


def _files(subject: Subject, rows: str) -> list[Path]:
    """The files of rows that were read with them."""
    found = subject.connection.sql(f"SELECT DISTINCT filename FROM {rows}").fetchall()
    return sorted(Path(name) for (name,) in found)


def loaded(subject: Subject, files: Mapping[str, list[Path]]) -> Subject:
    """The touched rows, and of the tables of names what rules may look at."""
    connection = subject.connection
    connection.execute(f"ATTACH ':memory:' AS {_PHOTOGRAPHS}")
    for table in LINKS:
        rows = f"SELECT * FROM {read_parquet(files[table])} WHERE {_touched(table)}" if files[table] else None
        connection.execute(f'CREATE TABLE {_PHOTOGRAPHS}.main."{table}" AS {rows or catalog.empty_select(table)}')
    for table, columns in NAMES.items():
        connection.execute(f"CREATE TABLE {_PHOTOGRAPHS}.main.{table} AS SELECT {', '.join(columns)} FROM main.{table}")
    return _beside(subject, _PHOTOGRAPHS)


def blocks_of(subject: Subject) -> Subject:
    """The questions of blocks with a changed or a touched question, and the splits of their photographs."""
    connection = subject.connection
    connection.execute(f"ATTACH ':memory:' AS {_BLOCKS}")
    connection.execute(
        f"INSERT INTO changed_blocks SELECT DISTINCT block_id FROM {_PHOTOGRAPHS}.main.questions WHERE block_id NOTNULL"
    )
    rows = catalog.empty_select("questions")
    if subject.files["questions"]:
        every = read_parquet(subject.files["questions"], filename=True)
        if files := _files(subject, f"{every} SEMI JOIN changed_blocks USING (block_id)"):
            rows = f"SELECT * FROM {read_parquet(files)} SEMI JOIN changed_blocks USING (block_id)"
    connection.execute(f"CREATE TABLE {_BLOCKS}.main.questions AS {rows}")
    connection.execute(
        f"""CREATE TABLE {_BLOCKS}.main.splits AS
        SELECT * FROM main.splits SEMI JOIN {_BLOCKS}.main.questions USING (image_id)"""
    )
    return _beside(subject, _BLOCKS)


def _beside(subject: Subject, database: str) -> Subject:
    """A subject of the tables of a database. It has no files, so that a rule that would go by them fails."""
    connection: DuckDBPyConnection = subject.connection.cursor()
    subject.cursors.append(connection)
    connection.execute(f"USE {database}")
    tables = [str(name) for (name,) in connection.sql("SHOW TABLES").fetchall()]
    rows = {name: int(connection.sql(f'SELECT count(*) FROM "{name}"').fetchall()[0][0]) for name in tables}
    return replace(
        subject, connection=connection, files={}, unreadable={}, rows=rows, parent=None, memory={}, cache=None
    )
