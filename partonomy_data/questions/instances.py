"""The object instances that may be asked about, with what is known of their parts.

What counts as visible: a part is visible if its masks in the object cover at least `min_part_pixels` pixels together;
whether the rest of it is hidden or cut off by the image's border makes no difference. Parts that show less are `tiny`:
not asked for, and never what makes a wrong choice wrong. A part is `absent` where the source's own labels say so; about
the other parts of the source's vocabulary nothing is known. Objects that may stand for several (`merged`), and those
without any visible part or without a box, are not asked about; nor are those of which a part was annotated that is in
quarantine (`part_in_quarantine`): the list of what is seen on them would leave it out; nor those whose crop would show
another object that could be meant as well: most of that is inside, and it is at least half as large.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from partonomy_data.ingest.unclear import PART_IN_QUARANTINE
from partonomy_data.questions.regions import crowded

STRINGS = pa.list_(pa.field("element", pa.string(), nullable=False))

#: How the object stands among those of its photograph: the only one that is annotated; the only one of its category (or
#: of a broader or narrower one); one of several.
SOLE, ONLY_ONE, SEVERAL = range(3)

INSTANCES: Final = pa.schema(
    [
        pa.field("object_id", pa.string()),
        pa.field("image_id", pa.string()),
        pa.field("source", pa.string()),
        pa.field("object_category", pa.string()),
        pa.field("standing", pa.int8()),
        pa.field("present", STRINGS),  # all object categories annotated in the photograph
        pa.field("bbox", pa.list_(pa.float32(), 4)),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("size", pa.float32()),  # log2 of the share of the image that the object covers
        pa.field("truncated", pa.bool_()),
        pa.field("known", pa.bool_()),  # nothing in the source's vocabulary is unknown
        pa.field("visible", STRINGS),
        pa.field("tiny", STRINGS),
        pa.field("absent", STRINGS),
        pa.field("mask_parts", STRINGS),  # part of each mask, aligned with mask_ids
        pa.field("mask_ids", STRINGS),
    ]
)


def instances(
    images: pa.Table,
    objects: pa.Table,
    parts: pa.Table,
    evidence: pa.Table,
    relatives: Mapping[str, frozenset[str]],
    min_part_pixels: int,
) -> pa.Table:
    """The instances of one shard that may be asked about, sorted by object_id, with the schema INSTANCES.

    The tables need the columns named in `questions.inputs`; they hold the same photographs. `relatives` gives the
    broader and narrower categories of each.
    """
    objects = objects.sort_by("object_id").combine_chunks()
    n = len(objects)
    names = _part_names(parts, evidence)
    owner, code, mask_ids = _masks(parts, objects, names)
    visible, tiny = _visible(owner, code, _numbers(parts, "area"), n, len(names), min_part_pixels)
    absent, known = _known(evidence, objects, names)
    present, standing = _standing(objects, relatives)
    geometry = _geometry(images, objects)
    order = np.lexsort((mask_ids, code, owner))
    order = order[(owner[order] >= 0)]
    order = order[visible[owner[order], code[order]]]
    lists = {
        "visible": _named(visible, names),
        "tiny": _named(tiny, names),
        "absent": _named(absent & ~visible & ~tiny, names),
        "mask_parts": _lists(owner[order], code[order], n, names),
        "mask_ids": _lists(owner[order], order, n, parts["part_id"].combine_chunks()),
    }
    table = pa.table(
        {
            "object_id": objects["object_id"],
            "image_id": objects["image_id"],
            "source": objects["source"],
            "object_category": objects["object_category"],
            "standing": pa.array(standing),
            "present": present,
            "bbox": objects["bbox"],
            **geometry,
            "known": pa.array(known),
            **lists,
        }
    )
    asked = visible.any(axis=1) & ~np.asarray(objects["merged"]) & np.asarray(objects["bbox"].is_valid())
    asked &= ~_part_in_quarantine(objects["repairs"].combine_chunks())
    asked[asked] = ~_crowded(images, objects)[asked]
    return table.filter(pa.array(asked)).cast(INSTANCES)


def _part_names(parts: pa.Table, evidence: pa.Table) -> pa.Array:
    both = pa.chunked_array([*parts["part_category"].chunks, *evidence["part_category"].chunks], pa.string())
    names = pc.unique(both)
    return names.take(pc.sort_indices(names)) if len(names) else pa.array([], pa.string())


def _masks(
    parts: pa.Table, objects: pa.Table, names: pa.Array
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Of each mask: row of its object (-1 if none), code of its part, rank of its id."""
    ids = parts["part_id"].combine_chunks()
    rank = np.empty(len(ids), np.int64)
    rank[np.asarray(pc.sort_indices(ids))] = np.arange(len(ids))
    return _rows(parts["object_id"], objects["object_id"]), _rows(parts["part_category"], names), rank


def _rows(values: Any, among: Any) -> NDArray[np.int64]:
    found = pc.index_in(values, value_set=among.combine_chunks() if isinstance(among, pa.ChunkedArray) else among)
    return np.asarray(pc.fill_null(found, -1)).astype(np.int64)


def _numbers(table: pa.Table, column: str) -> NDArray[np.float64]:
    return np.asarray(pc.fill_null(table[column], 0)).astype(np.float64)


def _visible(
    owner: NDArray[np.int64],
    code: NDArray[np.int64],
    area: NDArray[np.float64],
    n: int,
    n_parts: int,
    least: int,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Objects × parts: visible, and annotated but under the least number of pixels."""
    has = owner >= 0
    pixels = np.bincount(owner[has] * n_parts + code[has], area[has], minlength=n * n_parts).reshape(n, n_parts)
    annotated = np.zeros((n, n_parts), bool)
    annotated[owner[has], code[has]] = True
    return annotated & (pixels >= least), annotated & (pixels < least)


def _known(evidence: pa.Table, objects: pa.Table, names: pa.Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Objects × parts that are known to be absent; and objects of which no part is unknown."""
    owner, code = _rows(evidence["object_id"], objects["object_id"]), _rows(evidence["part_category"], names)
    status = np.asarray(_rows(evidence["status"], pa.array(["present", "absent", "unknown"])))
    absent = np.zeros((len(objects), len(names)), bool)
    gone = (owner >= 0) & (status == 1)
    absent[owner[gone], code[gone]] = True
    known = np.ones(len(objects), bool)
    known[owner[(owner >= 0) & (status != 0) & (status != 1)]] = False
    return absent, known


def _part_in_quarantine(repairs: pa.ListArray) -> NDArray[np.bool_]:
    """Of each object: whether it lacks a part for that one's being in quarantine."""
    found = np.zeros(len(repairs), bool)
    owner = np.asarray(pc.list_parent_indices(repairs))
    found[owner[np.asarray(pc.equal(pc.list_flatten(repairs), PART_IN_QUARANTINE))]] = True
    return found


def _standing(objects: pa.Table, relatives: Mapping[str, frozenset[str]]) -> tuple[pa.Array, NDArray[np.int8]]:
    """Of each object: the categories annotated in its photograph, and how it stands among them."""
    by_photo: dict[str, list[int]] = {}
    categories = objects["object_category"].to_pylist()
    for row, image_id in enumerate(objects["image_id"].to_pylist()):
        by_photo.setdefault(image_id, []).append(row)
    standing = np.full(len(objects), SOLE, np.int8)
    present: list[list[str]] = [[]] * len(objects)
    for rows in by_photo.values():
        here = [categories[row] for row in rows]
        distinct = sorted(set(here))
        for row in rows:
            present[row] = distinct
            if len(rows) > 1:
                like = relatives.get(categories[row], frozenset()) | {categories[row]}
                standing[row] = SEVERAL if sum(one in like for one in here) > 1 else ONLY_ONE
    return pa.array(present, STRINGS), standing


def _crowded(images: pa.Table, objects: pa.Table) -> NDArray[np.bool_]:
    """Whether the crop of an object shows another one that could be meant."""
    photo = _rows(objects["image_id"], images["image_id"])
    sizes = np.stack([np.asarray(images[name].combine_chunks())[photo] for name in ("width", "height")], axis=1)
    boxes = objects["bbox"].combine_chunks()
    flat = pc.fill_null(boxes, pa.scalar([float("nan")] * 4, boxes.type)).flatten()
    boxes = np.asarray(flat).reshape(-1, 4)
    areas = np.where(np.asarray(objects["area"].is_valid()), _numbers(objects, "area"), boxes[:, 2] * boxes[:, 3])
    return crowded(boxes, areas, photo, sizes)


def _geometry(images: pa.Table, objects: pa.Table) -> dict[str, pa.Array]:
    photo = _rows(objects["image_id"], images["image_id"])
    width = np.asarray(images["width"].combine_chunks())[photo]
    height = np.asarray(images["height"].combine_chunks())[photo]
    boxes = objects["bbox"].combine_chunks()
    flat = pc.fill_null(boxes, pa.scalar([0.0] * 4, boxes.type)).flatten()
    x, y, w, h = np.asarray(flat).astype(np.float64).reshape(-1, 4).T
    truncated = (x <= 1) | (y <= 1) | (x + w >= width - 1) | (y + h >= height - 1)
    area = np.maximum(_numbers(objects, "area"), 1)
    size = np.log2(area / np.maximum(width.astype(np.float64) * height, 1))
    return {
        "width": pa.array(width, pa.int32()),
        "height": pa.array(height, pa.int32()),
        "size": pa.array(np.minimum(size, 0).astype(np.float32)),
        "truncated": pa.array(truncated),
    }


def _named(which: NDArray[np.bool_], names: pa.Array) -> pa.Array:
    """For each row the names of its true columns."""
    owner, code = np.nonzero(which)
    return _lists(owner, code, len(which), names)


def _lists(owner: NDArray[np.int64], item: NDArray[np.int64], n: int, values: pa.Array) -> pa.Array:
    """For each of `n` rows the values of its items; `owner` is sorted."""
    offsets = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=n))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values.take(pa.array(item)), type=STRINGS)
