"""A version's preview: a few photographs of each source, small, with their masks drawn over and what is asked about them.

It is made of the tables and the photographs, as the card is: it is no part of what tells two versions apart. Photographs
whose licence forbids changed copies are left out, and so are those that can't be opened any more.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from partonomy_data import masks
from partonomy_data.errors import UsageError
from partonomy_data.photographs import licences, overlays
from partonomy_data.photographs.places import opened
from partonomy_data.sources.files import inside
from partonomy_data.store.catalog import quoted

#: Pixels of a small photograph's longer side.
SIDE: Final = 384
#: Pixels above which a photograph isn't decoded.
MOST_PIXELS: Final = 60_000_000
#: Questions about a photograph, at most.
_ASKED: Final = 6

_PICTURE: Final = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])
#: What `datasets` is told: that these columns are pictures.
_TOLD: Final = {"info": {"features": {name: {"_type": "Image"} for name in ("image", "parts_drawn")}}}

#: Of each source the photographs of so many object categories, drawn by hashes; each category's first object with parts.
_CHOSEN: Final = """
WITH usable AS (SELECT image_id, source FROM images WHERE uri IS NOT NULL AND NOT contains(uri, '://')
    AND width * height <= $pixels AND NOT list_contains($forbidden, coalesce(license, ''))),
drawn AS (SELECT source, object_category, min(md5(object_id)) AS key, min_by(image_id, md5(object_id)) AS image_id
    FROM objects SEMI JOIN usable USING (image_id) WHERE n_parts > 0 GROUP BY source, object_category),
placed AS (SELECT source, image_id, row_number() OVER (PARTITION BY source ORDER BY min(key)) AS place
    FROM drawn GROUP BY source, image_id)
SELECT image_id FROM placed WHERE place <= $each
"""
_PHOTOGRAPHS: Final = """
SELECT image_id, source, uri, license, width, height, list_contains(repairs, 'exif_transposed') AS transposed
FROM images WHERE image_id IN ({chosen}) ORDER BY source, image_id
"""
_OBJECTS: Final = """
SELECT image_id, object_id, object_category, bbox::FLOAT[] AS bbox FROM objects
WHERE image_id IN ({chosen}) ORDER BY object_id
"""
_PARTS: Final = """
SELECT p.image_id, p.object_id, p.part_category, p.bbox::FLOAT[] AS bbox, p.mask FROM parts p
WHERE p.image_id IN ({chosen}) ORDER BY p.area DESC, p.part_id
"""
_QUESTIONS: Final = """
SELECT image_id, question_type, question, list_transform(choices, lambda one: one.text) AS choices, correct_index
FROM questions WHERE image_id IN ({chosen}) ORDER BY image_id, question_id
"""


@dataclass(frozen=True, slots=True)
class Preview:
    """A Parquet file, and what the manifest says of it."""

    content: bytes
    photographs: int

    def said(self) -> dict[str, Any]:
        """Its photographs, bytes and digest."""
        digest = hashlib.sha256(self.content).hexdigest()
        return {"photographs": self.photographs, "bytes": len(self.content), "sha256": digest}


def preview(staged: Path, folders: Mapping[str, Path | None], each: int) -> Preview | None:
    """Of the staged tables, with at most `each` photographs of a source; None if there are none to show.

    `folders`: source → the folder that `images.uri` is relative to, None where its photographs aren't there. The bytes come
    of the tables, the photographs and Pillow's version alone.
    """
    found = _found(staged, each)
    rows = [row for one in found["photographs"] if (row := _row(one, found, folders)) is not None]
    if not rows:
        return None
    schema = schema_of().with_metadata({"huggingface": json.dumps(_TOLD)})
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema), file, compression="zstd", use_dictionary=False)
    return Preview(file.getvalue(), len(rows))


def schema_of() -> pa.Schema:
    """The columns of a preview; boxes are x, y, width, height in pixels of the photograph, which is `width` x `height`."""
    box = pa.list_(pa.float32())
    return pa.schema(
        {
            "image": _PICTURE,
            "parts_drawn": _PICTURE,
            "image_id": pa.string(),
            "source": pa.string(),
            "license": pa.string(),
            "width": pa.int32(),
            "height": pa.int32(),
            "objects": pa.list_(pa.struct({"object_id": pa.string(), "object_category": pa.string(), "bbox": box})),
            "parts": pa.list_(pa.struct({"object_id": pa.string(), "part_category": pa.string(), "bbox": box})),
            "questions": pa.list_(
                pa.struct(
                    {
                        "question_type": pa.string(),
                        "question": pa.string(),
                        "choices": pa.list_(pa.string()),
                        "correct_index": pa.int32(),
                    }
                )
            ),
        }
    )


def _found(staged: Path, each: int) -> dict[str, list[dict[str, Any]]]:
    """The rows that are shown, by what they are."""
    with duckdb.connect() as connection:
        for name in ("images", "objects", "parts", "questions"):
            if files := sorted((staged / name).rglob("*.parquet")):
                connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {_rows(files)}")
        here = {
            name for (name,) in connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        }
        if not {"images", "objects", "parts"} <= here:
            return {"photographs": []}
        stated = [row[0] for row in connection.execute("SELECT DISTINCT license FROM images").fetchall()]
        given = {"pixels": MOST_PIXELS, "each": each, "forbidden": [one for one in stated if licences.forbids(one)]}
        ids = sorted(row[0] for row in connection.execute(_CHOSEN, given).fetchall())
        if not ids:
            return {"photographs": []}
        # Written out, so that masks and choices of other photographs are passed over instead of read and joined.
        chosen = ", ".join(map(quoted, ids))
        for name in sorted(here):
            _narrow(connection, name, sorted((staged / name).rglob("*.parquet")), chosen)
        asked = {"photographs": _PHOTOGRAPHS, "objects": _OBJECTS, "parts": _PARTS, "questions": _QUESTIONS}
        return {
            name: connection.sql(sql.format(chosen=chosen)).to_arrow_table().to_pylist()
            for name, sql in asked.items()
            if name != "questions" or name in here
        }


def _rows(files: Sequence[Path], *, filename: bool = False) -> str:
    """SQL of the rows of files: a source folder's name must not become a column of another type than the file's own."""
    listed = ", ".join(quoted(str(path)) for path in files)
    return f"read_parquet([{listed}], hive_partitioning = false, filename = {str(filename).lower()})"


def _narrow(connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path], chosen: str) -> None:
    """Has a view show but the files that have rows of the chosen photographs: few of a large store's."""
    sql = f"SELECT DISTINCT filename FROM {_rows(files, filename=True)} WHERE image_id IN ({chosen})"
    if having := sorted(Path(name) for (name,) in connection.execute(sql).fetchall()):
        connection.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM {_rows(having)}")


def _row(
    one: Mapping[str, Any], found: Mapping[str, list[dict[str, Any]]], folders: Mapping[str, Path | None]
) -> dict[str, Any] | None:
    """A photograph with what is known of it; None if it can't be opened."""
    folder = folders.get(one["source"])
    path = inside(folder, one["uri"]) if folder is not None else None
    if path is None:
        return None
    try:
        photograph = opened(path, one["width"], one["height"], transposed=bool(one["transposed"]))
    except UsageError:
        return None  # it was there when its annotations were read: what is shown of a version is not worth its failing
    of = {
        name: [row for row in found.get(name, ()) if row["image_id"] == one["image_id"]]
        for name in ("objects", "parts", "questions")
    }
    image = overlays.small(photograph, SIDE)
    drawn = _drawn(image, of["parts"])
    name = f"{one['image_id'].replace('/', '_')}.jpg"
    return {
        **{key: one[key] for key in ("image_id", "source", "license", "width", "height")},
        "image": {"bytes": overlays.jpeg(image), "path": name},
        "parts_drawn": {"bytes": overlays.jpeg(drawn), "path": f"parts_{name}"},
        "objects": of["objects"],
        "parts": of["parts"],
        "questions": of["questions"][:_ASKED],
    }


def _drawn(image: Image.Image, parts: list[dict[str, Any]]) -> Image.Image:
    """The small photograph with its parts' masks, the largest below; those of a name in its color."""
    names = sorted({part["part_category"] for part in parts})
    colors = {name: overlays.COLORS[place % len(overlays.COLORS)] for place, name in enumerate(names)}
    each = [(colors[part["part_category"]], overlays.shrunk(_mask(part), image)) for part in parts if part["mask"]]
    return overlays.overlaid(image, each)


def _mask(part: Mapping[str, Any]) -> Any:
    height, width = part["mask"]["size"]
    return masks.decode(masks.from_compressed(part["mask"]["counts"], (height, width), height, width))
