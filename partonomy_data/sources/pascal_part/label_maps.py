"""Pascal-Part-116, the layout of OV-PARTS: a map of objects and a map of parts for each photograph.

    images/{train,val}/2008_000003.jpg
    annotations_detectron2_obj/{train,val}/2008_000003.png     0-19, 255 where there is none
    annotations_detectron2_part/{train,val}/2008_000003.png    0-115, 255 where there is none

The maps tell classes and not instances, so that there is one merged object of each class, with one mask of each part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partonomy_data import masks
from partonomy_data.errors import SourceError
from partonomy_data.sources import buckets, files
from partonomy_data.sources.base import Plan, Shard, SourceFile, SourceRequest
from partonomy_data.sources.pascal_part import codes, labels116, photographs, png
from partonomy_data.sources.pascal_part.labels116 import IGNORE
from partonomy_data.sources.pascal_part.photographs import MACOS_PREFIX, Photographs, Place
from partonomy_data.sources.pascal_part.png import LabelMapError
from partonomy_data.sources.records import ObjectRecord, PartRecord, Photograph, Rejected

LAYOUT = "label_maps"
OBJECTS, PARTS = "annotations_detectron2_obj", "annotations_detectron2_part"
_SPLITS = ("train", "val", "test")

Labels = NDArray[np.uint8]


def is_here(path: Path) -> bool:
    """Whether a folder holds the folder of part maps."""
    return (path / PARTS).is_dir()


def plan(request: SourceRequest) -> Plan:
    """Lists the maps, fingerprints them, and finds the photographs. Raises SourceError if there is no map."""
    rejected: list[Rejected] = []
    names, n_macos = _maps(request.path, rejected)
    if not names:
        where = str(request.path / PARTS)
        raise SourceError("holds no label maps", where=where, mend=f"OV-PARTS has {PARTS}/train/2008_000008.png")
    ids = files.image_ids(request.name, names)
    chosen = buckets.choose(ids.values(), request.limit)
    names = [name for name in names if ids[name] in chosen]
    paths = [request.path / kind / name for name in names for kind in (OBJECTS, PARTS)]
    hashed = files.fingerprints(request.path, [path for path in paths if path.is_file()])
    found = {split: _photographs(request, split, names) for split in sorted({name.split("/")[0] for name in names})}
    root = next((here.root for here in found.values() if here.root is not None), None)
    photographs.require(request, root)
    return Plan(
        source=request.name,
        vocabulary=labels116.vocabulary(),
        files=hashed,
        shards=photographs.shards(
            request.name, {"layout": LAYOUT, "folder": str(request.path)}, root, _placed(names, ids, hashed, found)
        ),
        images_root=root,
        rejected=rejected,
        repairs=dict(+Counter(macos_file=n_macos, link_out_of_folder=sum(here.outside for here in found.values()))),
    )


def _maps(folder: Path, rejected: list[Rejected]) -> tuple[list[str], int]:
    """`<split>/<stem>.png` of all maps of parts or of objects, sorted; and how many of macOS's copies were passed over.

    Maps that may not be opened are added to `rejected`.
    """
    kept: set[str] = set()
    n_macos = 0
    for kind in (OBJECTS, PARTS):
        for split in _SPLITS:
            names = [name for name in photographs.listing(folder / kind / split) if name.endswith(".png")]
            own = [name for name in names if not name.startswith(MACOS_PREFIX)]
            kept.update(
                f"{split}/{name}"
                for name in photographs.admitted(folder, f"{kind}/{split}", own, _table(kind), rejected)
            )
            n_macos += sum(name.startswith(MACOS_PREFIX) for name in names)
    return sorted(kept), n_macos


def _photographs(request: SourceRequest, split: str, names: list[str]) -> Photographs:
    stems = {Path(name).stem for name in names if name.startswith(f"{split}/")}
    return photographs.find(request, stems, (request.path,), (f"images/{split}", split))


def _placed(
    names: list[str], ids: Mapping[str, str], hashed: list[SourceFile], found: Mapping[str, Photographs]
) -> list[tuple[Place, str]]:
    """Each photograph's place with the digest of its maps."""
    sha256 = {file.path: file.sha256 for file in hashed}
    placed = []
    for name in names:
        split, stem = name.split("/")[0], Path(name).stem
        place = found[split].place(ids[name], stem, name, split)
        placed.append((place, files.digest(sha256.get(f"{OBJECTS}/{name}"), sha256.get(f"{PARTS}/{name}"))))
    return placed


def read(shard: Shard) -> Iterator[Photograph | Rejected]:
    """The photographs of one shard, in the order of their ids' keys."""
    folder = Path(shard.payload["folder"])
    for fields in shard.payload["places"]:
        yield _photograph(folder, Place(*fields))


def _photograph(folder: Path, place: Place) -> Photograph | Rejected:
    repairs: list[str] = []
    rejected: list[Rejected] = []
    objects = _labels(folder, OBJECTS, place.annotation, repairs, rejected)
    parts = _labels(folder, PARTS, place.annotation, repairs, rejected)
    if objects is None and parts is None:
        reason = "; ".join(row.reason for row in rejected)
        return Rejected(table="images", row_id=place.annotation, rule="label_map_unreadable", reason=reason)
    if objects is not None and parts is not None and objects.shape != parts.shape:
        reason = f"the map of objects is {_size(objects)}, that of parts {_size(parts)}"
        row_id = f"{OBJECTS}/{place.annotation}"
        rejected.append(Rejected(table="objects", row_id=row_id, rule="label_map_size_mismatch", reason=reason))
        objects = None
    shape = objects.shape if parts is None else parts.shape  # type: ignore[union-attr]
    object_records, part_records = _records(objects, parts, repairs, rejected)
    return Photograph(
        image_id=place.image_id,
        file_name=place.file_name,
        width=shape[1],
        height=shape[0],
        split=place.split,
        path=place.path,
        photograph=f"voc/{Path(place.annotation).stem}",
        objects=object_records,
        parts=part_records,
        rejected=rejected,
        repairs=repairs,
    )


def _labels(folder: Path, kind: str, name: str, repairs: list[str], rejected: list[Rejected]) -> Labels | None:
    """One of a photograph's two maps; None, noted, if it is missing or can't be read."""
    try:
        labels = png.read(folder / kind / name)
    except LabelMapError as error:
        reason = f"{kind}/{name}: {error}"
        rejected.append(
            Rejected(table=_table(kind), row_id=f"{kind}/{name}", rule="label_map_unreadable", reason=reason)
        )
        return None
    if labels is None:
        repairs.append("object_map_missing" if kind == OBJECTS else "part_map_missing")
    return labels


def _records(
    objects: Labels | None, parts: Labels | None, repairs: list[str], rejected: list[Rejected]
) -> tuple[list[ObjectRecord], list[PartRecord]]:
    """One object of each class that either map shows, and its parts."""
    silhouettes = dict(_regions(objects, "objects", len(codes.CLASSES), rejected))
    part_records = []
    names = labels116.parts()
    for label, rle in _regions(parts, "parts", len(names), rejected):
        name = names[label]
        part_records.append(PartRecord(key=name.key, category=name.key, segmentation=rle, object_key=name.object_key))
    with_parts = {part.object_key for part in part_records}
    object_records = []
    for label, category in enumerate(codes.CLASSES):
        if label not in silhouettes and category not in with_parts:
            continue
        repairs.append("instances_merged")
        if label not in silhouettes and objects is not None:
            repairs.append("object_label_missing")
        object_records.append(
            ObjectRecord(key=category, category=category, segmentation=silhouettes.get(label), merged=True)
        )
    return object_records, part_records


def _regions(
    labels: Labels | None, table: str, n_labels: int, rejected: list[Rejected]
) -> Iterator[tuple[int, masks.Rle]]:
    """Each label of a map with its mask, in ascending order; labels that mean nothing are added to `rejected`."""
    if labels is None:
        return
    pixels = np.bincount(labels.ravel(), minlength=IGNORE + 1)
    for label in np.flatnonzero(pixels[:IGNORE]).tolist():
        if label < n_labels:
            yield label, masks.from_bitmap(labels == label)
            continue
        reason = f"label {label} is neither one of 0 to {n_labels - 1} nor {IGNORE}"
        row: dict[str, Any] = {"label": label, "pixels": int(pixels[label])}
        rejected.append(Rejected(table=table, row_id=f"label {label}", rule="label_unknown", reason=reason, row=row))


def _table(kind: str) -> str:
    """The table that the maps in a folder are for."""
    return "objects" if kind == OBJECTS else "parts"


def _size(labels: Labels) -> str:
    return f"{labels.shape[0]}x{labels.shape[1]}"
