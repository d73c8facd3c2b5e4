"""A folder that `datasets.load_dataset` opens offline: a row a photograph, its file embedded, with all that is known of it.

    image, image_id, source, width, height, license,
    objects    object_id, object_category, bbox, area, mask {size, counts}
    parts      part_id, object_id, part_category, bbox, area, mask
    questions  question_id, object_id, question_type, question, choices, correct_index, referent, region, masks {part, part_ids}

Photographs are embedded as they lie on disk, but for those whose EXIF data would have `datasets` turn them away from their
masks: these are written anew. A question whose `referent` is `crop` is about `image.crop` of its `region`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from partonomy_data.errors import UsageError
from partonomy_data.export import slices
from partonomy_data.ids import image_prefix
from partonomy_data.photographs.places import Photographs, opened
from partonomy_data.store.reader import Store

#: Bytes after which a file is closed, and the next begun: well under 500 MB, whatever the last row group holds.
SHARD_BYTES: Final = 400_000_000
#: Photographs of a row group; they are in memory together.
ROWS_PER_GROUP: Final = 64
#: Bytes of photographs after which a row group is closed even so.
GROUP_BYTES: Final = 64_000_000
#: Photographs that are asked for at once, about.
_AT_ONCE: Final = 1_024

_IMAGES: Final = """
SELECT i.image_id, i.source, i.uri, i.width, i.height, i.license, i.exif_orientation,
    coalesce(list_contains(i.repairs, 'exif_transposed'), false) AS transposed
FROM images i JOIN splits s USING (image_id) WHERE s.split = $split ORDER BY image_id
"""
_BOUNDS: Final = "{0} >= $low AND {0} < $high"
_OBJECTS: Final = f"""
SELECT image_id, list({{'object_id': object_id, 'object_category': object_category, 'bbox': bbox::FLOAT[], 'area': area,
    'mask': mask}} ORDER BY object_id) AS rows FROM objects WHERE {_BOUNDS.format("object_id")} GROUP BY ALL
"""
_PARTS: Final = f"""
SELECT image_id, list({{'part_id': part_id, 'object_id': object_id, 'part_category': part_category, 'bbox': bbox::FLOAT[],
    'area': area, 'mask': mask}} ORDER BY part_id) AS rows FROM parts WHERE {_BOUNDS.format("part_id")} GROUP BY ALL
"""
_QUESTIONS: Final = f"""
WITH asked AS (SELECT * FROM questions WHERE split = $split AND {_BOUNDS.format("object_id")}),
masked AS (SELECT m.question_id, list({{'part': m.part_category, 'part_ids': m.part_ids}} ORDER BY m.part_category) AS masks
    FROM question_masks m SEMI JOIN asked USING (question_id) GROUP BY ALL)
SELECT image_id, list({{'question_id': question_id, 'object_id': object_id, 'question_type': question_type,
    'names_object': names_object, 'contrast_categories': contrast_categories, 'question': question,
    'choices': list_transform(choices, lambda c: {{'text': c.text, 'parts': c.parts}}), 'correct_index': correct_index,
    'referent': referent, 'region': region::FLOAT[], 'block_id': block_id, 'balanced': balanced, 'chance': chance,
    'evidence': evidence, 'object_question': object_question,
    'object_choices': list_transform(object_choices, lambda c: {{'text': c.text, 'object_category': c.object_category}}),
    'correct_object_index': correct_object_index, 'masks': coalesce(masks, [])}} ORDER BY question_id) AS rows
FROM asked LEFT JOIN masked USING (question_id) GROUP BY ALL
"""
_NESTED: Final = {"objects": ("obj_", _OBJECTS), "parts": ("prt_", _PARTS), "questions": ("obj_", _QUESTIONS)}
_IMAGE: Final = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])


def write(
    store: Store, folder: Path, split: str | None, photographs: Photographs, progress: Any = None
) -> dict[str, int]:
    """Writes `data/<split>-00000-of-00001.parquet` … and README.md; returns file → number of photographs.

    Raises UsageError if `datasets` isn't installed, no image has a split, or a photograph is missing or can't be read.
    """
    try:
        datasets = import_module("datasets")
    except ImportError as error:
        raise UsageError(
            "the library `datasets` is not installed", mend="pip install 'partonomy-data[export]'"
        ) from error
    names = slices.splits(store, "splits", split)
    written: dict[str, int] = {}
    (folder / "data").mkdir()
    for name in names:
        written |= _shards(_rows(store, name, photographs, progress), folder / "data", name, datasets)
    (folder / "README.md").write_text(_card(store.version, names), encoding="utf-8")
    return written


def _rows(store: Store, split: str, photographs: Photographs, progress: Any) -> Iterator[pa.Table]:
    """The photographs of a split in row groups, in the order of their hashes, by which their objects and parts lie together."""
    images = store.select(_IMAGES, {"split": split}).rows
    prefixes = [image_prefix(image_id) for image_id in images["image_id"].to_pylist()]
    order = sorted(range(len(prefixes)), key=lambda row: (prefixes[row], row))
    start = 0
    while start < len(order):
        end = min(start + _AT_ONCE, len(order))
        # Photographs that share their prefix are asked for together.
        while end < len(order) and prefixes[order[end]] == prefixes[order[end - 1]]:
            end += 1
        some = images.take(pa.array(order[start:end]))
        bounds = {"low": prefixes[order[start]], "high": prefixes[order[end - 1]] + "~"}
        for name, (kind, sql) in _NESTED.items():
            some = some.append_column(name, _nested(store, sql, split, kind, bounds, some["image_id"]))
        for group in _with_files(some, photographs):
            yield group
            if progress is not None:
                progress.advance(len(group))
        start = end


def _nested(
    store: Store, sql: str, split: str, kind: str, bounds: dict[str, str], image_ids: pa.ChunkedArray
) -> pa.ChunkedArray:
    """Lists of rows by photograph, empty for photographs without any."""
    parameters = {name: kind + bound for name, bound in bounds.items()} | ({"split": split} if "$split" in sql else {})
    found = store.select(sql, parameters).rows
    place = pc.index_in(image_ids, value_set=found["image_id"].combine_chunks())
    lists = found["rows"].combine_chunks().take(place.combine_chunks())
    return pa.chunked_array([pc.coalesce(lists, pa.scalar([], lists.type))])


def _with_files(images: pa.Table, photographs: Photographs) -> Iterator[pa.Table]:
    """The same rows with their photographs' bytes, in groups of ROWS_PER_GROUP and GROUP_BYTES at most."""
    told = images.select(["image_id", "source", "uri", "width", "height", "exif_orientation", "transposed"]).to_pylist()
    held: list[dict[str, Any]] = []
    size, first = 0, 0
    for row in told:
        held.append({"bytes": _bytes(row, photographs), "path": f"{row['source']}/{row['uri']}"})
        size += len(held[-1]["bytes"])
        if len(held) == ROWS_PER_GROUP or size >= GROUP_BYTES or first + len(held) == len(told):
            rest = images.slice(first, len(held)).drop_columns(["uri", "exif_orientation", "transposed"])
            yield rest.add_column(0, pa.field("image", _IMAGE), pa.array(held, _IMAGE))
            first, size, held = first + len(held), 0, []


def _bytes(row: dict[str, Any], photographs: Photographs) -> bytes:
    """The file of a photograph; one on its masks' grid and without EXIF where `datasets` would turn it."""
    path = photographs.path(row["source"], row["uri"], row["image_id"])
    if (row["exif_orientation"] or 1) == 1:
        try:
            return path.read_bytes()
        except OSError as error:
            raise UsageError(f"can't be read ({error.strerror})", where=str(path), mend="Mend the file") from error
    written = io.BytesIO()
    image = opened(path, row["width"], row["height"], transposed=row["transposed"])
    image.save(written, "JPEG", quality=95, subsampling=0)
    return written.getvalue()


def _shards(groups: Iterator[pa.Table], folder: Path, split: str, datasets: Any) -> dict[str, int]:
    """Writes row groups to files of SHARD_BYTES about, named when their number is known."""
    counts: list[int] = []
    writer: pq.ParquetWriter | None = None
    try:
        for group in groups:
            if writer is None:
                path = folder / f"{split}-{len(counts):05d}"
                schema = _schema(group.schema, datasets)
                writer, size = pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False), 0
                counts.append(0)
            writer.write_table(group.cast(schema), row_group_size=len(group))
            counts[-1] += len(group)
            size += group.nbytes
            if size >= SHARD_BYTES:
                writer.close()
                writer = None
    finally:
        if writer is not None:
            writer.close()
    named = {}
    for number, count in enumerate(counts):
        name = f"{split}-{number:05d}-of-{len(counts):05d}.parquet"
        (folder / f"{split}-{number:05d}").rename(folder / name)
        named[f"data/{name}"] = count
    return named


def _schema(schema: pa.Schema, datasets: Any) -> pa.Schema:
    """The schema with what `datasets` needs to know: that `image` is one."""
    features = datasets.Features.from_arrow_schema(schema)
    features["image"] = datasets.Image()
    return schema.with_metadata(features.arrow_schema.metadata)


def _card(version: str, splits: list[str]) -> str:
    """README.md, whose head tells `datasets` which files a split has."""
    head = ["---", "configs:", "- config_name: default", "  data_files:"]
    for split in splits:
        head += [f"  - split: {split}", f'    path: "data/{split}-*.parquet"']
    text = [
        "---",
        "",
        "# Parts of objects, with photographs",
        "",
        f"A row is a photograph of version {version} with its objects, parts and questions; masks are COCO's run lengths.",
        "The photographs keep the licences of their owners; `license` says what the source states.",
        "",
    ]
    return "\n".join([*head, *text])
