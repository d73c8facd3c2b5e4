"""The demo world as PACO-LVIS: three annotation files and photographs named as COCO's are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from partonomy_data.demo import annotate, truth
from partonomy_data.demo.annotate import ObjectView
from partonomy_data.demo.encoded import Encoded, JsonArrays, save_photograph
from partonomy_data.demo.paco_tables import (
    ATTRIBUTES,
    Tables,
    attribute_id,
    color_attribute,
    table_rows,
    tables,
)
from partonomy_data.demo.photographs import Drawn
from partonomy_data.demo.render import PATTERNS
from partonomy_data.demo.trace import rings

SPLITS = ("train", "val", "test")
#: Above all ids of COCO, so that no demo photograph is taken for one of COCO's.
_FIRST_IMAGE_ID = 700_000
#: Annotation ids of a photograph lie within a range of this length.
_IDS_PER_PHOTOGRAPH = 512


def _attributes(drawn: Drawn, labels: Sequence[int], known: bool) -> dict[str, Any]:
    """The attribute fields of a row: true colors and patterns where `known`, else none."""
    ids: list[int] = []
    colors: list[int] = []
    if known:
        pixels = drawn.scene.visible[list(labels)]
        least = min(0.2 * pixels.sum(), pixels.max())
        main = [label for label, count in zip(labels, pixels, strict=True) if count >= least]
        colors = sorted({color_attribute(drawn.picture.colors[label]) for label in main})
        patterns = {PATTERNS[drawn.picture.patterns[label]] for label in main}
        ids = colors + sorted(attribute_id("pattern_marking", name) for name in patterns)
        ids.append(attribute_id("transparency", "opaque"))
    return {
        "attribute_ids": ids,
        "dom_color_ids": colors,
        "unknown_color": 0,
        "unknown_pattern_marking": 0,
        "unknown_material": int(known),
        "unknown_transparency": 0,
    }


def _evidence(drawn: Drawn, ids: Tables, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Negative and not exhaustively labeled category ids, objects and parts; each entry is true of the scene.

    A part that is annotated on one object and overlooked on another is always among the latter, as a category that is
    annotated and not listed counts as annotated everywhere.
    """
    shown: dict[str, set[str]] = {}
    somewhere = {
        (view.entry.name, part.part.name)
        for view in drawn.objects
        if view.entry
        for part in view.parts
        if part.state == annotate.ANNOTATED
    }
    annotated: set[str] = set()
    partial: set[int] = set()
    for view in drawn.objects:
        if view.entry is None:
            continue
        shown.setdefault(view.entry.name, set()).update(part.part.name for part in view.parts)
        if view.state != annotate.OVERLOOKED_STATE:
            annotated.add(view.entry.name)
            missed = (annotate.OVERLOOKED_STATE, annotate.PARTS_SKIPPED)
            overlooked = [part for part in view.parts if part.state in missed]
            for part, draw in zip(overlooked, rng.random(len(overlooked)), strict=True):
                if draw < 0.5 or (view.entry.name, part.part.name) in somewhere:
                    partial.add(ids.parts[view.entry.name, part.part.name])
    for view in drawn.objects:
        if view.entry and view.state == annotate.OVERLOOKED_STATE and view.entry.name in annotated:
            partial.add(ids.objects[view.entry.name])
    absent = [number for name, number in ids.objects.items() if name not in shown]
    negative = {absent[place] for place in rng.choice(len(absent), min(6, len(absent)), replace=False)}
    missing = [number for (name, part), number in ids.parts.items() if name in annotated and part not in shown[name]]
    negative |= {number for number, draw in zip(missing, rng.random(len(missing)), strict=True) if draw < 0.65}
    return sorted(negative), sorted(partial)


def _rows(drawn: Drawn, view: ObjectView, image_id: int, first: int, ids: Tables, known: bool) -> list[dict[str, Any]]:
    """An object's row and its parts' rows, numbered from `first`."""
    assert view.entry is not None
    blank = view.state == annotate.WITHOUT_MASK
    rows = [
        {
            "id": first,
            "bbox": drawn.runs.box(view.labels),
            "area": float(view.pixels),
            "category_id": ids.objects[view.entry.name],
            "image_id": image_id,
            "segmentation": [] if blank else rings(drawn.runs.bitmap(view.labels)),
            "obj_ann_id": first,
            **_attributes(drawn, view.labels, known),
        }
    ]
    for part in view.parts:
        if part.state not in (annotate.ANNOTATED, annotate.WITHOUT_MASK):
            continue
        blank = part.state == annotate.WITHOUT_MASK
        rows.append(
            {
                "id": first + len(rows),
                "bbox": drawn.runs.box(part.labels),
                "area": float(part.pixels),
                "category_id": ids.parts[view.entry.name, part.part.name],
                "image_id": image_id,
                "segmentation": [] if blank else drawn.runs.rle(part.labels),
                "obj_ann_id": first,
                **_attributes(drawn, part.labels, known),
            }
        )
    return rows


def encode(drawn: Drawn, folder: Path) -> Encoded:
    """Writes the photograph below `folder`, and gives its rows."""
    rng = drawn.generator("paco")
    ids = tables(drawn.world.seed)
    image_id = _FIRST_IMAGE_ID + drawn.job.index * 13 + int(rng.integers(13))
    file_name = f"{'val' if rng.random() < 0.15 else 'train'}2017/{image_id:012d}.jpg"
    save_photograph(drawn, folder / file_name)
    negative, partial = _evidence(drawn, ids, rng)
    image = {
        "id": image_id,
        "file_name": file_name,
        "width": drawn.scene.width,
        "height": drawn.scene.height,
        "license": int(rng.integers(1, 9)),
        "neg_category_ids": negative,
        "not_exhaustive_category_ids": partial,
        "neg_category_ids_attrs": negative,
        "not_exhaustive_category_ids_attrs": partial,
    }
    annotations: list[dict[str, Any]] = []
    keys: dict[int, tuple[str, list[list[str]]]] = {}
    for view in drawn.objects:
        known = rng.random() < 0.3
        if view.state not in (annotate.ANNOTATED, annotate.WITHOUT_MASK):
            continue
        first = 1 + drawn.job.index * _IDS_PER_PHOTOGRAPH + len(annotations)
        rows = _rows(drawn, view, image_id, first, ids, known)
        written = iter(range(first + 1, first + len(rows)))
        labeled = (annotate.ANNOTATED, annotate.WITHOUT_MASK)
        keys[view.number] = (
            str(first),
            [[str(next(written))] if p.state in labeled else [] for p in view.parts],
        )
        annotations += rows
    return Encoded(
        source="paco",
        split=drawn.job.split,
        truth=truth.line(drawn, file_name, file_name, keys),
        rows={
            "images": [msgspec.json.encode(image)],
            "annotations": [msgspec.json.encode(row) for row in annotations],
        },
        tally={
            "image_id": image_id,
            "negative": negative,
            "instances": Counter(row["category_id"] for row in annotations),
            "described": [
                (row["id"], row["category_id"], row["attribute_ids"])
                for row in annotations
                if row["attribute_ids"] and row["id"] == row["obj_ann_id"]
            ],
            "pairs": sorted({(row["category_id"], a) for row in annotations for a in row["attribute_ids"]}),
        },
        n_objects=len(keys),
        n_parts=len(annotations) - len(keys),
    )


class PacoFiles:
    """Joins the rows of all photographs into the three annotation files."""

    def __init__(self, folder: Path, world_seed: int) -> None:
        self._folder, self._ids = folder, tables(world_seed)
        self._arrays = {split: JsonArrays(("images", "annotations")) for split in SPLITS}
        self._images: dict[str, Counter[int]] = {split: Counter() for split in SPLITS}
        self._instances: dict[str, Counter[int]] = {split: Counter() for split in SPLITS}
        self._pairs: dict[str, set[tuple[int, int]]] = {split: set() for split in SPLITS}
        self._described: list[tuple[int, int, list[int]]] = []
        self._negatives: list[tuple[int, list[int]]] = []

    def add(self, encoded: Encoded) -> None:
        """Takes a photograph's rows."""
        split, tally = encoded.split, encoded.tally
        self._arrays[split].add(encoded.rows)
        self._images[split].update(tally["instances"].keys())
        self._instances[split].update(tally["instances"])
        self._pairs[split].update(tally["pairs"])
        if split == "test":
            self._described += tally["described"]
            self._negatives.append((tally["image_id"], tally["negative"]))

    def _queries(self) -> list[dict[str, Any]]:
        """Queries for objects of a color, the most frequent ones: which boxes answer them and which don't."""
        names = {number: name for name, number in self._ids.objects.items()}
        pairs = Counter((category, ids[0]) for _, category, ids in self._described)
        return [
            {
                "id": number,
                "level": 1,
                "query_string": f"{ATTRIBUTES['color'][color]} {names[category]}",
                "structured_query": [names[category], ATTRIBUTES["color"][color]],
                "pos_ann_ids": [a for a, other, ids in self._described if other == category and color in ids],
                "neg_ann_ids": [a for a, other, ids in self._described if other == category and color not in ids],
                "neg_im_ids": [image for image, absent in self._negatives if category in absent],
            }
            for number, ((category, color), _) in enumerate(sorted(pairs.items(), key=lambda p: (-p[1], p[0]))[:20])
        ]

    def close(self) -> None:
        """Writes the files."""
        for split in SPLITS:
            others = table_rows(self._ids, self._images[split], self._instances[split])
            others["joint_obj_attribute_categories"] = [
                {"obj": category, "attr": attribute, "obj-attr": number}
                for number, (category, attribute) in enumerate(sorted(self._pairs[split]))
            ]
            if split == "test":
                others["queries"] = self._queries()
            self._arrays[split].write(self._folder / "annotations" / f"paco_lvis_v1_{split}.json", others)
