"""The demo world as PartImageNet's original release: COCO JSON of parts alone, photographs below their wnid."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from pycocotools import mask as coco_mask

from partonomy_data.demo import annotate, pools, truth
from partonomy_data.demo.annotate import PartView
from partonomy_data.demo.encoded import Encoded, JsonArrays, save_photograph
from partonomy_data.demo.photographs import Drawn
from partonomy_data.demo.trace import rings
from partonomy_data.demo.world import build

SPLITS = ("train", "val", "test")
#: Annotation ids of a photograph lie within a range of this length.
_IDS_PER_PHOTOGRAPH = 256
#: The share of masks with a ring of two points, of a part's rows that stand for nothing, and of torn parts in two rows.
_BROKEN_RING, _USELESS_ROW, _TWO_ROWS = 0.04, 0.012, 0.15


@lru_cache(maxsize=4)
def wnids(world_seed: int) -> dict[str, str]:
    """Class → wnid, of a range that WordNet doesn't use, in the order of the classes' names."""
    classes = sorted(entry.name for _, entry in build(world_seed).of_source("partimagenet"))
    return {name: f"n{99000017 + 211 * place:08d}" for place, name in enumerate(classes)}


@lru_cache(maxsize=4)
def category_ids(world_seed: int) -> dict[tuple[str, str], int]:
    """(super-category, part) → category id from 0, for the super-categories of this world."""
    groups = {entry.group for _, entry in build(world_seed).of_source("partimagenet")}
    pairs = [(group, part) for group, parts in pools.names().partimagenet.items() if group in groups for part in parts]
    return {pair: number for number, pair in enumerate(pairs)}


def _broken(segmentation: list[list[float]], rng: np.random.Generator) -> list[list[float]]:
    """The rings with one more that has two points, or one point, as hasty clicks leave; now and then it comes first."""
    x, y = segmentation[0][:2]
    ring = [x, y, x + 3.0, y + 2.0] if rng.random() < 0.85 else [x, y]
    return [ring, *segmentation] if rng.random() < 0.35 else [*segmentation, ring]


def _row(segmentation: list[list[float]], image_id: int, category_id: int, size: tuple[int, int]) -> dict[str, Any]:
    """A row whose box and area are those of the rings' mask."""
    mask = coco_mask.merge(coco_mask.frPyObjects(segmentation, *size))
    return {
        "image_id": image_id,
        "category_id": category_id,
        "segmentation": segmentation,
        "bbox": [float(value) for value in coco_mask.toBbox(mask)],
        "area": float(coco_mask.area(mask)),
        "iscrowd": 0,
    }


def _part_rows(
    drawn: Drawn, part: PartView, image_id: int, category_id: int, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """One row, or two where the part is torn and whoever labeled it took the pieces for two."""
    size = drawn.scene.height, drawn.scene.width
    outlines = rings(drawn.runs.bitmap(part.labels))
    draws = rng.random(2)
    groups = [outlines]
    if len(outlines) > 1 and draws[0] < _TWO_ROWS:
        cut = int(rng.integers(1, len(outlines)))
        groups = [outlines[:cut], outlines[cut:]]
    rows = [_row(group, image_id, category_id, size) for group in groups]
    if draws[1] < _BROKEN_RING:
        rows[0]["segmentation"] = _broken(rows[0]["segmentation"], rng)
    return rows


def encode(drawn: Drawn, folder: Path) -> Encoded:
    """Writes the photograph below `folder`, and gives its rows."""
    rng = drawn.generator("partimagenet")
    subject = next(view for view in drawn.objects if view.entry)
    assert subject.entry is not None
    wnid = wnids(drawn.world.seed)[subject.entry.name]
    name = f"{wnid}_{101 + drawn.job.ordinal * 7 + int(rng.integers(7))}.JPEG"
    path = f"{drawn.job.split}/{wnid}/{name}"
    save_photograph(drawn, folder / path)
    image_id = drawn.job.number
    ids = category_ids(drawn.world.seed)
    image = {"id": image_id, "file_name": name, "height": drawn.scene.height, "width": drawn.scene.width}
    annotations: list[dict[str, Any]] = []
    keys: dict[int, tuple[str, list[list[str]]]] = {}
    useless = 0

    def numbered(rows: list[dict[str, Any]]) -> list[str]:
        for row in rows:
            annotations.append({"id": drawn.job.ordinal * _IDS_PER_PHOTOGRAPH + len(annotations), **row})
        return [str(row["id"]) for row in annotations[-len(rows) :]]

    for view in drawn.objects:
        if view.entry is None:
            continue
        found: list[list[str]] = []
        for part in view.parts:
            if part.state != annotate.ANNOTATED:
                found.append([])
                continue
            category_id = ids[view.entry.group, part.part.pattern]
            rows = _part_rows(drawn, part, image_id, category_id, rng)
            found.append(numbered(rows))
            if rng.random() < _USELESS_ROW:
                x, y = rows[0]["bbox"][:2]
                box = [x, y, 1.0, 2.0]
                numbered([{**rows[0], "segmentation": [[x, y, x + 1.0, y + 2.0]], "bbox": box, "area": 0.0}])
                useless += 1
        keys[view.number] = (wnid, found)
    return Encoded(
        source="partimagenet",
        split=drawn.job.split,
        truth=truth.line(drawn, name, path, keys),
        rows={
            "images": [msgspec.json.encode(image)],
            "annotations": [msgspec.json.encode(row) for row in annotations],
        },
        n_objects=len(keys),
        n_parts=len(annotations),
        tally={"useless": useless},
    )


class PartImageNetFiles:
    """Joins the rows of all photographs into train.json, val.json and test.json."""

    def __init__(self, folder: Path, world_seed: int) -> None:
        self._folder, self._seed = folder, world_seed
        self._arrays = {split: JsonArrays(("images", "annotations")) for split in SPLITS}

    def add(self, encoded: Encoded) -> None:
        """Takes a photograph's rows."""
        self._arrays[encoded.split].add(encoded.rows)

    def close(self) -> None:
        """Writes the files, and the classes' names as ImageNet lists them."""
        categories = [
            {"id": number, "name": f"{group} {part}", "supercategory": group}
            for (group, part), number in category_ids(self._seed).items()
        ]
        for split in SPLITS:
            self._arrays[split].write(self._folder / f"{split}.json", {"categories": categories})
        lines = [f"{wnid} {name}\n" for name, wnid in wnids(self._seed).items()]
        (self._folder / "LOC_synset_mapping.txt").write_text("".join(lines), encoding="utf-8")
