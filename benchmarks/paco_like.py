"""Writes a JSON file with the shape and size of PACO-LVIS train: the input of the ingest benchmark.

45,790 photographs of 640x480 (a third upright), 217,117 objects as polygons and 395,071 parts as compressed run-length
masks, linked by `obj_ann_id`; counts by category follow the real table where the samples are at hand
($PARTONOMY_SAMPLES), and a table of the same numbers of names (75 objects, 456 object-part pairs) where they are not.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

IMAGES, OBJECTS, PARTS = 45_790, 217_117, 395_071


def category_table() -> dict[str, Any]:
    """PACO's `categories`, `attributes` and `part_categories`: the real ones, else made-up ones of the same numbers."""
    named = os.environ.get("PARTONOMY_SAMPLES")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    real = folder / "paco" / "paco_lvis_v1_categories_attributes_parts.json"
    if real.is_file():
        return json.loads(real.read_text())
    generator = np.random.default_rng(75)
    parts_of = np.diff(np.sort(generator.choice(np.arange(1, 456), 74, replace=False)), prepend=0, append=456)
    objects = [
        {"name": f"object_{i}", "id": 23 + 15 * i, "image_count": 600, "instance_count": OBJECTS // 75,
         "synset": f"object_{i}.n.01", "frequency": "f", "supercategory": "OBJECT"}
        for i in range(75)
    ]  # fmt: skip
    pairs = [(i, j) for i in range(75) for j in range(parts_of[i])]
    parts = [
        {"name": f"object_{i}:part_{j}", "id": 2000 + k, "image_count": 300, "instance_count": PARTS // 456,
         "synset": f"part_{j}", "frequency": "f", "supercategory": "PART"}
        for k, (i, j) in enumerate(pairs)
    ]  # fmt: skip
    names = sorted({f"part_{j}" for _, j in pairs})
    return {
        "categories": objects + parts,
        "attributes": [{"supercategory": "ATTR", "id": i, "name": f"attribute_{i}"} for i in range(59)],
        "part_categories": [{"supercategory": "PART", "id": i, "name": name} for i, name in enumerate(names)],
    }


def _outline(generator: np.random.Generator, x: float, y: float, rx: float, ry: float, points: int) -> np.ndarray:
    """A closed, wobbly outline around (x, y): float array (points, 2)."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    k, phase = generator.integers(2, 6), generator.uniform(0, 6.28)
    radius = 1 + 0.25 * np.sin(k * angle + phase) + generator.normal(0, 0.06, points)
    return np.stack([x + rx * radius * np.cos(angle), y + ry * radius * np.sin(angle)], axis=1)


def write(path: Path, fraction: float = 1.0, seed: int = 0) -> dict[str, int]:
    """Writes the file at `fraction` of the real size; returns how many images, objects and parts it holds."""
    table = category_table()
    generator = np.random.default_rng(seed)
    objects = [c for c in table["categories"] if c["supercategory"] == "OBJECT"]
    parts_of: dict[str, list[int]] = {c["name"]: [] for c in objects}
    for category in table["categories"]:
        if category["supercategory"] == "PART":
            parts_of[category["name"].split(":")[0]].append(category["id"])
    weights = np.array([c["instance_count"] for c in objects], dtype=float)
    n_images, n_objects, n_parts = (round(n * fraction) for n in (IMAGES, OBJECTS, PARTS))
    image_of = np.sort(generator.integers(0, n_images, n_objects))
    kind_of = generator.choice(len(objects), n_objects, p=weights / weights.sum())
    ids = generator.permutation(600_000)[:n_images] + 1_000_000
    upright = generator.random(n_images) < 0.33
    with_parts = np.flatnonzero([bool(parts_of[objects[k]["name"]]) for k in kind_of])
    owner_counts = np.bincount(generator.choice(with_parts, n_parts), minlength=n_objects)

    rest = {key: table[key] for key in ("categories", "attributes", "part_categories")}
    rest["attr_type_to_attr_idxs"] = {"color": list(range(30)), "pattern_marking": list(range(30, 41)),
                                      "material": list(range(41, 55)), "transparency": list(range(55, 59))}  # fmt: skip
    wrote_parts = 0
    with path.open("w") as file:
        file.write(json.dumps(rest)[:-1] + ', "images": [')
        for i in range(n_images):
            w, h = (480, 640) if upright[i] else (640, 480)
            image = {"id": int(ids[i]), "width": w, "height": h, "license": int(i % 8 + 1),
                     "file_name": f"train2017/{ids[i]:012d}.jpg",
                     "coco_url": f"http://images.cocodataset.org/train2017/{ids[i]:012d}.jpg",
                     "neg_category_ids": [int(objects[i % 75]["id"])], "not_exhaustive_category_ids": [],
                     "neg_category_ids_attrs": [], "not_exhaustive_category_ids_attrs": []}  # fmt: skip
            file.write((", " if i else "") + json.dumps(image))
        file.write('], "annotations": [')
        next_id = 1
        for n in range(n_objects):
            i, category = int(image_of[n]), objects[kind_of[n]]
            w, h = (480, 640) if upright[i] else (640, 480)
            rx, ry = np.exp(generator.normal(3.6, 0.7, 2)).clip(6, 200)
            x, y = generator.uniform(0, w), generator.uniform(0, h)
            ring = _outline(generator, x, y, rx, ry, int(generator.integers(10, 40))).clip(0, [w - 1, h - 1]).round(2)
            owner, next_id = next_id, next_id + 1
            available = parts_of[category["name"]]
            chosen = generator.permutation(available)[: owner_counts[n]].tolist() if available else []
            chosen += (
                generator.choice(available, owner_counts[n] - len(chosen)).tolist()
                if owner_counts[n] > len(chosen)
                else []
            )
            lines = [_annotation(owner, owner, i, ids, category["id"], [ring.ravel().tolist()], ring, generator)]
            for part in chosen:
                inner = _outline(
                    generator,
                    x + generator.uniform(-rx, rx) / 2,
                    y + generator.uniform(-ry, ry) / 2,
                    rx / 2,
                    ry / 2,
                    24,
                )
                inner = inner.clip(0, [w - 1, h - 1])
                rle = coco_mask.frPyObjects([inner.ravel().tolist()], h, w)[0]
                rle = {"size": rle["size"], "counts": rle["counts"].decode()}
                lines.append(_annotation(next_id, owner, i, ids, part, rle, inner, generator))
                next_id, wrote_parts = next_id + 1, wrote_parts + 1
            file.write((", " if n else "") + ", ".join(lines))
        file.write("]}")
    return {"images": n_images, "objects": n_objects, "parts": wrote_parts}


def _annotation(key: int, owner: int, image: int, ids: np.ndarray, category: int, segmentation: Any, ring: np.ndarray,
                generator: np.random.Generator) -> str:  # fmt: skip
    low, high = ring.min(axis=0), ring.max(axis=0)
    box = [round(float(v), 2) for v in (*low, *(high - low))]
    described = generator.random() < 0.25
    return json.dumps({
        "id": key, "bbox": box, "area": round(box[2] * box[3] * 0.7, 1), "category_id": int(category),
        "image_id": int(ids[image]),
        "segmentation": segmentation, "attribute_ids": [int(generator.integers(0, 30)), 30] if described else [],
        "dom_color_ids": [], "obj_ann_id": owner, "unknown_color": 0, "unknown_pattern_marking": 0, "unknown_material": 0,
        "unknown_transparency": 0,
    })  # fmt: skip
