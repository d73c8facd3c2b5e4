"""The building blocks of the tables' schemas: a documented column, a documented table, and the types they share."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, Arrow type, what it means, and whether a row may lack it."""

    name: str
    type: pa.DataType
    description: str
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table: what one row is, its columns, the columns that rows are sorted by, and the key that no two rows share."""

    name: str
    row: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    def schema(self) -> pa.Schema:
        """The Arrow schema; each field's metadata holds the column's description."""
        return pa.schema(
            [
                pa.field(c.name, c.type, nullable=c.nullable, metadata={"description": c.description})
                for c in self.columns
            ],
            metadata={"table": self.name, "row": self.row},
        )


STRINGS = pa.list_(pa.field("element", pa.string(), nullable=False))
#: x, y, width, height in pixels.
BOX = pa.list_(pa.field("element", pa.float32(), nullable=False), 4)
#: A run-length mask: size (height, width) and COCO's compressed counts.
MASK = pa.struct(
    [
        pa.field("size", pa.list_(pa.field("element", pa.int32(), nullable=False), 2), nullable=False),
        pa.field("counts", pa.string(), nullable=False),
    ]
)


def struct_list(**fields: pa.DataType) -> pa.DataType:
    """A list of structs, none of whose fields is null."""
    inner = pa.struct([pa.field(name, kind, nullable=False) for name, kind in fields.items()])
    return pa.list_(pa.field("element", inner, nullable=False))


SPANS = struct_list(start=pa.int32(), end=pa.int32(), part=pa.string())
EDITS = pa.list_(
    pa.field(
        "element",
        pa.struct(
            [
                pa.field("op", pa.string(), nullable=False),
                pa.field("part", pa.string()),
                pa.field("replacement", pa.string()),
            ]
        ),
        nullable=False,
    )
)
CHOICES = struct_list(text=pa.string(), parts=STRINGS, spans=SPANS, is_correct=pa.bool_(), edits=EDITS)
OBJECT_CHOICES = struct_list(text=pa.string(), object_category=pa.string(), is_correct=pa.bool_())
