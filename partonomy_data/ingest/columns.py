"""Flat columns as Arrow tables, in the tables' schemas and order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from partonomy_data import masks
from partonomy_data.ingest.gather import Gathered
from partonomy_data.ingest.labels import Labels
from partonomy_data.ingest.placing import Placed, usable_box
from partonomy_data.masks import Rle
from partonomy_data.sources.records import AttributeRecord, ObjectRecord, Rejected
from schemas import columns as types
from schemas.tables import schema, table


def images(gathered: Gathered, source: str) -> pa.Table:
    """The rows of `images`: the photographs that stay."""
    rows = [
        {
            "image_id": photo.image_id,
            "source": source,
            "source_split": photo.split,
            "uri": photo.url if photo.path is None else photo.path,
            "file_name": photo.file_name,
            "width": photo.width,
            "height": photo.height,
            "sha256": seen.sha256,
            "phash": seen.phash,
            "license": photo.license,
            "exif_orientation": seen.orientation,
            "photograph": photo.photograph or photo.image_id,
            "repairs": sorted((*photo.repairs, *seen.notes)),
        }
        for photo, seen in zip(gathered.photos, gathered.inspections, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema("images"))


def objects(placed: Placed, labels: Labels, source: str) -> pa.Table:
    """The rows of `objects`, by object_id."""
    gathered = placed.gathered
    stays = [i for i, kept in enumerate(placed.object_stays) if kept]
    things = [gathered.objects[i] for i in stays]
    named = [labels.object(thing.category) for thing in things]
    rles = [placed.object_masks[i] for i in stays]
    area, bbox = _areas_and_boxes(rles, placed.object_area[stays], placed.object_box[stays], things)
    n_parts = Counter(i for i in placed.part_object if i >= 0)
    return _sorted(
        "objects",
        {
            "object_id": [gathered.object_ids[i] for i in stays],
            "image_id": [gathered.photos[gathered.object_photo[i]].image_id for i in stays],
            "source": _constant(source, len(stays)),
            "object_category": [label.object_category for label in named],
            "source_category": [label.source_category for label in named],
            "bbox": bbox,
            "area": area,
            "mask": mask_array(rles),
            "mask_origin": [placed.object_origin[i] for i in stays],
            "merged": [placed.merged[i] for i in stays],
            "n_parts": [n_parts[i] for i in stays],
            "source_key": [thing.key for thing in things],
            "repairs": [sorted(placed.object_repairs.get(i, ())) for i in stays],
        },
    )


def parts(placed: Placed, labels: Labels, source: str) -> pa.Table:
    """The rows of `parts`, by part_id."""
    gathered = placed.gathered
    stays = [j for j, i in enumerate(placed.part_object) if i >= 0]
    named = [labels.part(gathered.parts[j].category) for j in stays]
    rles = [rle for j in stays if (rle := placed.part_masks[j]) is not None]
    return _sorted(
        "parts",
        {
            "part_id": [gathered.part_ids[j] for j in stays],
            "object_id": [gathered.object_ids[placed.part_object[j]] for j in stays],
            "image_id": [gathered.photos[gathered.part_photo[j]].image_id for j in stays],
            "source": _constant(source, len(stays)),
            "part_category": [label.part_category for label in named],
            "source_category": [label.source_category for label in named],
            "side": [label.side for label in named],
            "position": [label.position for label in named],
            "ordinal": [label.ordinal for label in named],
            "bbox": pa.FixedSizeListArray.from_arrays(pa.array(placed.part_box[stays].ravel()), type=types.BOX),
            "area": placed.part_area[stays],
            "mask": mask_array(rles),
            "match_method": [placed.part_method[j] for j in stays],
            "match_overlap": [placed.part_overlap[j] for j in stays],
            "source_key": [gathered.parts[j].key for j in stays],
            "repairs": [sorted(placed.part_repairs.get(j, ())) for j in stays],
        },
    )


def attributes(placed: Placed, source: str) -> pa.Table:
    """The rows of `attributes` for the objects and parts that stay; the others go to quarantine."""
    gathered = placed.gathered
    owner: dict[tuple[int, str], str] = {}
    for j, i in enumerate(placed.part_object):
        if i >= 0:
            owner[gathered.part_photo[j], gathered.parts[j].key] = gathered.part_ids[j]
    for i, stays in enumerate(placed.object_stays):
        if stays:
            owner[gathered.object_photo[i], gathered.objects[i].key] = gathered.object_ids[i]
    rows: list[tuple[str, AttributeRecord]] = []
    for place_of, photo in enumerate(gathered.photos):
        for record in photo.attributes:
            own = owner.get((place_of, record.key))
            if own is None:
                row_id = f"{photo.image_id}#{record.key}"
                reason = f"annotation {record.key} is in quarantine"
                gathered.reject("attributes", row_id, "annotation_quarantined", reason, record)
            else:
                rows.append((own, record))
    return _sorted(
        "attributes",
        {
            "annotation_id": [own for own, _ in rows],
            "attribute_type": [record.attribute_type for _, record in rows],
            "attribute": [record.attribute for _, record in rows],
            "source": _constant(source, len(rows)),
        },
    )


def quarantine(rejected: Sequence[Rejected], source: str) -> pa.Table:
    """The rows of `quarantine`, by table, row and rule."""
    rows = sorted(
        (
            {
                "table_name": row.table,
                "row_id": row.row_id,
                "source": source,
                "rule": row.rule,
                "reason": row.reason,
                "row": row.row if isinstance(row.row, str) else row_json(row.row),
                "repairs": sorted(row.repairs),
            }
            for row in rejected
        ),
        key=lambda row: (row["table_name"], row["row_id"], row["rule"], row["reason"], row["row"], row["repairs"]),
    )
    return pa.Table.from_pylist(rows, schema("quarantine"))


def row_json(row: Any) -> str:
    """Any record as JSON text; masks in COCO's form, other binary as its length."""
    return msgspec.json.encode(_plain(row)).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, Rle):
        return masks.to_json(value)
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, str | int | float | bool | None) else repr(value)


def mask_array(rles: Sequence[Rle | None]) -> pa.StructArray:
    """Masks as the schema's struct of size and counts; null where there is none."""
    sizes = np.array([(0, 0) if rle is None else (rle.height, rle.width) for rle in rles], dtype=np.int32).reshape(
        -1, 2
    )
    counts = pa.array([b"" if rle is None else rle.counts for rle in rles], pa.binary()).cast(pa.string())
    size = pa.FixedSizeListArray.from_arrays(pa.array(sizes.ravel()), type=types.MASK.field("size").type)
    missing = pa.array([rle is None for rle in rles], pa.bool_())
    return pa.StructArray.from_arrays([size, counts], fields=list(types.MASK), mask=missing)


def _areas_and_boxes(
    rles: Sequence[Rle | None], areas: NDArray[np.int64], boxes: NDArray[np.float32], things: Sequence[ObjectRecord]
) -> tuple[pa.Array, pa.Array]:
    """Areas and boxes of the masks; where there is none, no area, and the source's own box if it is a sane one."""
    has = np.array([rle is not None for rle in rles], dtype=bool)
    boxed, boxes = has.copy(), boxes.copy()
    for i in np.flatnonzero(~has).tolist():
        box = usable_box(things[i])
        if box is not None:
            boxes[i], boxed[i] = box, True
    flat = pa.array(boxes.ravel())
    return pa.array(areas, mask=~has), pa.FixedSizeListArray.from_arrays(flat, type=types.BOX, mask=pa.array(~boxed))


def _constant(value: str, length: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), length)


def _sorted(name: str, data: dict[str, Any]) -> pa.Table:
    wanted = schema(name)
    arrays = [
        data[field.name] if isinstance(data[field.name], pa.Array) else pa.array(data[field.name], field.type)
        for field in wanted
    ]
    made = pa.Table.from_arrays(arrays, schema=wanted)
    order = pc.sort_indices(made, sort_keys=[(key, "ascending") for key in table(name).key])
    return made.take(order)
