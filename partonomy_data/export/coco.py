"""Objects and parts as COCO JSON with PACO's extensions, a file a split: pycocotools loads it, and our PACO reader reads it back.

    images       file_name is `<source>/<place in the source's folder>`; federated labels as LVIS has them
    annotations  objects (`id` is `obj_ann_id`) and parts (`obj_ann_id` is their object's), masks as compressed run lengths
    categories   objects and `object:part`, told apart by supercategory; part_categories: the parts' own names, another id space
    attributes, attr_type_to_attr_idxs

Names are canonical, spelled as PACO spells (`guitar_(toy)`, `car:side_mirror`). Annotations of PACO keep their ids.

Format: facebookresearch/paco, docs/PACO_DATASET.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyarrow as pa

from partonomy_data.export import coco_queries, slices
from partonomy_data.export.coco_attributes import Attributes, attributes
from partonomy_data.export.streams import batches, json_bytes, lines, write_array
from partonomy_data.store.reader import Store

#: LVIS's frequencies: rare up to so many photographs, common up to so many.
_RARE: Final = 10
_COMMON: Final = 100


def write(store: Store, folder: Path, split: str | None, progress: Any = None) -> dict[str, int]:
    """Writes `<split>.json` for each split; returns file → number of annotations.

    Raises UsageError if no image has a split, or none has that one.
    """
    names = slices.splits(store, "splits", split)
    described = attributes(store)
    rows = store.select(coco_queries.CATEGORY_ROWS).rows.to_pylist()
    written = {}
    for name in names:
        with (folder / f"{name}.json").open("wb") as file:
            written[f"{name}.json"] = _write(store, name, described, rows, file, progress)
    return written


def _write(
    store: Store, split: str, described: Attributes, rows: list[dict[str, Any]], file: BinaryIO, progress: Any
) -> int:
    (summary,) = store.select(coco_queries.SUMMARY, {"split": split}).rows.to_pylist()
    pairs = [row for row in rows if row["part_category"] is not None]
    common = {
        "split": split,
        "wholes": [row["object_category"] for row in rows if row["part_category"] is None],
        "pair_wholes": [row["object_category"] for row in pairs],
        "pair_parts": [row["part_category"] for row in pairs],
    }
    every = [common | bounds for bounds in slices.photograph_slices(summary["n"])]
    told = None if progress is None else progress.advance
    info = {"description": f"version {store.version}, split {split}", "version": store.version, "split": split}
    file.write(b'{"info":' + json_bytes(info) + b',"images":')
    write_array(file, _images(store, split, every), told)
    file.write(b',"annotations":')
    count = write_array(file, _annotations(store, summary, described, every), told)
    for name, value in _tables(rows, described).items():
        file.write(f',"{name}":'.encode() + json_bytes(value))
    file.write(b"}\n")
    return count


def _images(store: Store, split: str, every: list[dict[str, Any]]) -> Iterator[pa.Array]:
    """The rows of `images`, slice by slice, and at last those without objects."""
    for parameters in every:
        yield from lines(store, coco_queries.IMAGES, parameters)
    yield from lines(store, coco_queries.BARE_IMAGES, {"split": split})


def _annotations(
    store: Store, summary: dict[str, Any], described: Attributes, every: list[dict[str, Any]]
) -> Iterator[pa.Array]:
    """The rows of `annotations`, slice by slice; those whose ids aren't kept are numbered on from one to the next."""
    kinds = store.select("SELECT 1 FROM attributes WHERE attribute_type IN ('instance_id', 'blur_level') LIMIT 1").rows
    sql = coco_queries.rows_of_annotations(coco_queries.MORE if len(kinds) else "")
    keep: bool = summary["distinct_ids"]
    first = summary["largest"] + 1 if keep else 1
    names = {"types": list(described.types), "names": list(described.names)}
    for parameters in every:
        n_new = 0
        for batch in batches(store, sql, {**parameters, **names, "keep": keep, "first": first}):
            n_new += batch["is_new"].true_count
            yield batch["line"]
        first += n_new


def _tables(rows: list[dict[str, Any]], described: Attributes) -> dict[str, Any]:
    """What is the same in every file of a version."""
    parts = sorted({row["part_category"] for row in rows} - {None})
    return {
        "categories": [_category(row) for row in rows],
        "part_categories": [
            {"supercategory": "PART", "id": number, "name": spelled(name)} for number, name in enumerate(parts)
        ],
        "attributes": described.rows(),
        "attr_type_to_attr_idxs": described.by_type(),
    }


def _category(row: dict[str, Any]) -> dict[str, Any]:
    whole, part, n_images = spelled(row["object_category"]), row["part_category"], row["n_images"]
    return {
        "supercategory": "OBJECT" if part is None else "PART",
        "id": row["id"],
        "name": whole if part is None else f"{whole}:{spelled(part)}",
        "image_count": n_images,
        "instance_count": row["n"],
        # PACO has WordNet's name of an object here, which we don't know, and a part's bare name.
        "synset": "" if part is None else spelled(part),
        "frequency": "r" if n_images <= _RARE else "c" if n_images <= _COMMON else "f",
    }


def spelled(name: str) -> str:
    """A canonical name as PACO would spell it: `guitar (toy)` → `guitar_(toy)`."""
    return name.replace(" ", "_")
