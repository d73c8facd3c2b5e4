"""What the questions are made from: tables of a version, read shard by shard, a few columns of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.tables import schema

#: The columns that are read.
COLUMNS: Final = {
    "images": ["image_id", "source", "source_split", "width", "height", "sha256", "phash", "photograph"],
    "objects": ["object_id", "image_id", "source", "object_category", "bbox", "area", "merged", "repairs"],
    "parts": ["part_id", "object_id", "part_category", "area"],
    "part_evidence": ["object_id", "part_category", "status"],
}
_TAXONOMY: Final = ("object_categories", "part_graph", "category_graph", "part_relations", "plausibility")


@dataclass(frozen=True, slots=True)
class ShardTables:
    """The tables of some photographs, with the columns of COLUMNS."""

    images: pa.Table
    objects: pa.Table
    parts: pa.Table
    part_evidence: pa.Table


@dataclass(frozen=True, slots=True)
class Inputs:
    """The tables of a version, published or not.

    Files of the same name under `images`, `objects`, `parts` and `part_evidence` hold the same photographs; a table
    lacks the file where it has no rows for them. The taxonomy's tables are one file each, or missing.
    """

    folder: Path

    def names(self) -> list[str]:
        """The shards, as paths below a table's folder, sorted."""
        base = self.folder / "images"
        return sorted(path.relative_to(base).as_posix() for path in base.glob("**/*.parquet"))

    def lengths(self) -> list[int]:
        """How many images each shard has, in the order of `names`."""
        return [int(pq.read_metadata(self.folder / "images" / name).num_rows) for name in self.names()]

    def images(self) -> Iterator[pa.Table]:
        """The images, shard by shard."""
        for name in self.names():
            yield self._read("images", name)

    def shards(self) -> Iterator[ShardTables]:
        """All shards, in the order of `names`."""
        for name in self.names():
            yield self.shard(name)

    def shard(self, name: str) -> ShardTables:
        """One of them."""
        return ShardTables(*(self._read(table, name) for table in COLUMNS))

    def taxonomy(self, name: str) -> pa.Table:
        """A table of the taxonomy; without rows where it is missing."""
        assert name in _TAXONOMY
        files = sorted((self.folder / name).glob("**/*.parquet"))
        tables = [pq.read_table(file, partitioning=None) for file in files]
        return pa.concat_tables(tables) if tables else schema(name).empty_table()

    def _read(self, table: str, name: str) -> pa.Table:
        columns = COLUMNS[table]
        path = self.folder / table / name
        if path.is_file():
            return pq.read_table(path, columns=columns, partitioning=None)
        full = schema(table)
        return pa.schema([full.field(column) for column in columns]).empty_table()
