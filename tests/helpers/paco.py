"""A small file in PACO-LVIS's format, whole, to be damaged by tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

HEIGHT, WIDTH = 60, 80


def rle(x: int, y: int, w: int, h: int, height: int = HEIGHT, width: int = WIDTH) -> dict[str, Any]:
    """A rectangle as compressed run lengths, as PACO writes its parts."""
    bitmap = np.zeros((height, width), dtype=np.uint8)
    bitmap[y : y + h, x : x + w] = 1
    encoded = coco_mask.encode(np.asfortranarray(bitmap))
    return {"size": [height, width], "counts": encoded["counts"].decode()}


def ring(x: float, y: float, w: float, h: float) -> list[list[float]]:
    """A rectangle as a polygon, as LVIS writes objects."""
    return [[x, y, x + w, y, x + w, y + h, x, y + h]]


def annotation(key: int, image: int, category: int, segmentation: Any, owner: int | None = None) -> dict[str, Any]:
    """A row of `annotations`; an object if `owner` is not given."""
    return {
        "id": key,
        "image_id": image,
        "category_id": category,
        "segmentation": segmentation,
        "bbox": [10.0, 10.0, 40.0, 30.0],
        "area": 1200.0,
        "attribute_ids": [],
        "dom_color_ids": [],
        "obj_ann_id": key if owner is None else owner,
        "unknown_color": 0,
        "unknown_pattern_marking": 0,
        "unknown_material": 0,
        "unknown_transparency": 0,
    }


MUG, CUP, BALL, MUG_HANDLE, MUG_RIM, CUP_HANDLE = 100, 101, 102, 2000, 2001, 2002


def content() -> dict[str, Any]:
    """Three photographs: a mug with handle and rim; two mugs, one without a handle; a ball."""
    return {
        "images": [
            {
                "id": number,
                "file_name": f"train2017/{number:012d}.jpg",
                "height": HEIGHT,
                "width": WIDTH,
                "license": 1,
                "neg_category_ids": [],
                "not_exhaustive_category_ids": [],
                "coco_url": f"http://images.cocodataset.org/train2017/{number:012d}.jpg",
            }
            for number in (1, 2, 3)
        ],
        "categories": [
            {"id": MUG, "name": "mug", "supercategory": "OBJECT", "synset": "mug.n.04", "frequency": "f"},
            {"id": CUP, "name": "cup_(drink_container)", "supercategory": "OBJECT", "synset": "cup.n.01"},
            {"id": BALL, "name": "ball", "supercategory": "OBJECT", "synset": "ball.n.06"},
            {"id": MUG_HANDLE, "name": "mug:handle", "supercategory": "PART", "synset": "handle"},
            {"id": MUG_RIM, "name": "mug:inner_rim", "supercategory": "PART", "synset": "inner_rim"},
            {"id": CUP_HANDLE, "name": "cup_(drink_container):handle", "supercategory": "PART", "synset": "handle"},
        ],
        "part_categories": [{"id": 0, "name": "handle", "supercategory": "PART"}],
        "attributes": [{"id": 0, "name": "black"}, {"id": 41, "name": "stone"}],
        "attr_type_to_attr_idxs": {"color": [0], "material": [41]},
        "annotations": [
            annotation(1, 1, MUG, ring(10, 10, 40, 30)),
            annotation(2, 1, MUG_HANDLE, rle(40, 15, 8, 10), owner=1),
            annotation(3, 1, MUG_RIM, rle(12, 10, 20, 4), owner=1),
            annotation(4, 2, MUG, ring(5, 5, 20, 20)),
            annotation(5, 2, MUG, ring(40, 5, 30, 30)),
            annotation(6, 2, MUG_HANDLE, rle(42, 8, 6, 6), owner=5),
            annotation(7, 3, BALL, ring(20, 20, 15, 15)),
        ],
    }


def mugs(count: int) -> dict[str, Any]:
    """`count` photographs, from 1 on, each of a mug with handle and rim: annotations 10 n + 1, + 2 and + 3 of the n-th.

    Tests that damage them in as many ways need one build for all, in which no damage may touch another photograph.
    """
    data = content()
    first, rows = data["images"][0], data["annotations"][:3]
    data["images"] = [{**first, "id": n, "file_name": f"train2017/{n:012d}.jpg"} for n in range(1, count + 1)]
    data["annotations"] = [
        {**row, "id": 10 * n + row["id"], "obj_ann_id": 10 * n + row["obj_ann_id"], "image_id": n}
        for n in range(1, count + 1)
        for row in rows
    ]
    return data


def write(folder: Path, data: dict[str, Any] | None = None, name: str = "paco_lvis_v1_train.json") -> Path:
    """Writes `data` (or `content()`) as `folder/annotations/<name>`, and returns `folder`."""
    target = folder / "annotations" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(content() if data is None else data))
    return folder
