"""Writes Pascal-Part's three layouts to disk, with whatever is wrong with them, and reads them back."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask
from scipy.io import savemat

from partonomy_data import masks
from partonomy_data.sources.base import Plan, SourceRequest
from partonomy_data.sources.pascal_part import PascalPartReader
from partonomy_data.sources.pascal_part.rules import RULES
from partonomy_data.sources.records import Photograph, Rejected

SIZE = (12, 16)
#: The `class_ind` of the classes that the tests use, as in the real files.
_NUMBERS = {
    "aeroplane": 1, "bird": 3, "boat": 4, "bottle": 5, "cat": 8, "cow": 10, "table": 11, "dog": 12, "sheep": 17,
    "tvmonitor": 20,
}  # fmt: skip
OUTCOMES = {rule.name: rule.outcome for rule in RULES}


def square(top: int, left: int, side: int = 3, size: tuple[int, int] = SIZE, value: int = 1) -> NDArray[np.uint8]:
    """A bitmap with one filled square."""
    bitmap = np.zeros(size, np.uint8)
    bitmap[top : top + side, left : left + side] = value
    return bitmap


def part(code: Any, mask: Any) -> dict[str, Any]:
    return {"part_name": code, "mask": mask}


def thing(
    category: str, mask: Any, parts: Sequence[Mapping[str, Any]] = (), index: int | None = None
) -> dict[str, Any]:
    """An element of `objects`."""
    number = index if index is not None else _NUMBERS.get(category, 1)
    return {"class": category, "class_ind": np.uint8(number), "mask": mask, "parts": structs(parts)}


def structs(rows: Sequence[Mapping[str, Any]]) -> Any:
    """A struct array of the shape (1, n); (0, 0) where there is none, as MATLAB has it."""
    if not rows:
        return np.zeros((0, 0))
    array = np.empty((1, len(rows)), dtype=[(name, object) for name in rows[0]])
    for number, row in enumerate(rows):
        array[0, number] = tuple(row.values())
    return array


def write_mat(
    folder: Path, stem: str, objects: Sequence[Mapping[str, Any]], name: str | None = None, compressed: bool = True
) -> Path:
    """Annotations_Part/<stem>.mat in a source's folder."""
    path = folder / "Annotations_Part" / f"{stem}.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    anno = {"imname": stem if name is None else name, "objects": structs(objects)}
    savemat(path, {"anno": anno}, do_compression=compressed)
    return path


def write_photograph(path: Path, size: tuple[int, int] = SIZE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size[1], size[0]), (90, 120, 60)).save(path)
    return path


def write_labels(path: Path, labels: NDArray[Any], mode: str = "L") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels)
    if mode == "P":
        image = Image.fromarray(labels).convert("L")
        image = Image.frombytes("P", image.size, image.tobytes())
        image.putpalette([value for color in range(256) for value in (255 - color, color, 7)])
    image.save(path)
    return path


def png(width: int, height: int, depth: int, color: int) -> bytes:
    """A PNG file that announces so many pixels, and holds hardly any."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 20)) + chunk(b"IEND", b"")
    )


def rle(bitmap: NDArray[np.uint8]) -> dict[str, Any]:
    encoded = coco_mask.encode(np.asfortranarray(bitmap))
    return {"size": list(encoded["size"]), "counts": encoded["counts"].decode()}


def vlpart_row(number: int, image_id: int, category_id: int, bitmap: NDArray[np.uint8]) -> dict[str, Any]:
    """An annotation as VLPart's converter writes it: a box one too small, and its area."""
    rows, columns = np.nonzero(bitmap)
    x, y = int(columns.min()), int(rows.min())
    width, height = int(columns.max()) - x, int(rows.max()) - y
    return {
        "id": number,
        "image_id": image_id,
        "category_id": category_id,
        "iscrowd": 0,
        "segmentation": rle(bitmap),
        "bbox": [x, y, width, height],
        "area": width * height,
    }


def write_vlpart(path: Path, images: Iterable[Any], annotations: Iterable[Any], categories: Iterable[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = {"images": list(images), "annotations": list(annotations), "categories": list(categories)}
    path.write_text(json.dumps(rows))
    return path


def vlpart_image(stem: str, size: tuple[int, int] = SIZE) -> dict[str, Any]:
    return {"id": int(stem.replace("_", "")), "file_name": f"{stem}.jpg", "height": size[0], "width": size[1]}


def read(
    path: Path, work: Path, images: Path | None = None, limit: int | None = None
) -> tuple[Plan, dict[str, Photograph], list[Rejected]]:
    """The plan, the photographs by the name in their id, and what was rejected outside of photographs.

    Checks what holds for every source: rules are declared, keys are unique and refer to what is there.
    """
    reader = PascalPartReader()
    plan = reader.plan(SourceRequest("pascal_part", path, images, limit), work)
    yielded = [item for shard in plan.shards for item in reader.read(shard)]
    photographs = [item for item in yielded if isinstance(item, Photograph)]
    rejected = [*plan.rejected, *(item for item in yielded if isinstance(item, Rejected))]
    objects = {name.key for name in plan.vocabulary.objects}
    parts = {name.key: name.object_key for name in plan.vocabulary.parts}
    for photograph in photographs:
        by_key = {record.key: record for record in photograph.objects}
        assert len(by_key) == len(photograph.objects)
        assert len({record.key for record in photograph.parts}) == len(photograph.parts)
        assert {record.category for record in photograph.objects} <= objects
        for record in photograph.parts:
            assert record.object_key is not None
            assert parts[record.category] == by_key[record.object_key].category
    for rule in [*plan.repairs, *(rule for photograph in photographs for rule in photograph.repairs)]:
        assert OUTCOMES[rule] in ("repaired", "kept"), rule
    for row in [*rejected, *(row for photograph in photographs for row in photograph.rejected)]:
        assert OUTCOMES[row.rule] == "quarantined", row
    assert sum(shard.n_images for shard in plan.shards) == len(photographs) + sum(
        isinstance(item, Rejected) and item.table == "images" for item in yielded
    )
    named = {photograph.image_id.removeprefix("pascal_part/"): photograph for photograph in photographs}
    assert len(named) == len(photographs)
    return plan, named, rejected


def pixels(segmentation: Any) -> NDArray[np.uint8]:
    """The bitmap of a record's mask."""
    if not isinstance(segmentation, masks.Rle):
        segmentation = masks.from_compressed(segmentation.counts, segmentation.size, *segmentation.size)
    return masks.decode(segmentation)
