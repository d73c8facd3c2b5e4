"""Writes PARTONOMY's layouts to disk, and reads them with the reader."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

from partonomy_data.sources.base import Plan, SourceRequest
from partonomy_data.sources.partonomy import PartonomyReader
from partonomy_data.sources.records import Photograph, Rejected

#: Where the authors' photographs lay, for `image_path`.
AUTHORS = "/shared/nas2/someone/partonomy/images"


def rectangle(height: int, width: int, top: int, left: int, bottom: int, right: int) -> NDArray[np.uint8]:
    """An (h, w) bitmap with a filled rectangle."""
    bitmap = np.zeros((height, width), np.uint8)
    bitmap[top:bottom, left:right] = 1
    return bitmap


def rle(bitmap: NDArray[np.uint8]) -> dict[str, Any]:
    """COCO's compressed run lengths, as JSON has them."""
    encoded = coco_mask.encode(np.asfortranarray(bitmap))
    return {"size": list(encoded["size"]), "counts": encoded["counts"].decode()}


@dataclass
class World:
    """A source under `root` in the layout of folders; descriptors are written by `write_json`."""

    root: Path

    def photograph(
        self, name: str, size: tuple[int, int] = (12, 20), kind: str = "JPEG", orientation: int | None = None
    ) -> Path:
        """Writes images/`name`, `size` (height, width) as stored."""
        path = self.root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        if orientation is not None:
            exif[0x0112] = orientation
        Image.new("RGB", (size[1], size[0]), (90, 120, 30)).save(path, format=kind, exif=exif)
        return path

    def mask(
        self,
        name: str,
        image: str,
        box: tuple[int, int, int, int] = (1, 1, 6, 9),
        size: tuple[int, int] = (12, 20),
        drop: str | None = None,
        **fields: Any,
    ) -> Path:
        """Writes masks/`name` for the photograph `image`; `fields` replace or add to the JSON's."""
        content = {
            **rle(rectangle(*size, *box)),
            "image_path": f"{AUTHORS}/{image}",
            "is_root_concept": "--part:" not in name,
            **fields,
        }
        content.pop(drop or "", None)
        return self.write_json(f"masks/{name}", content)

    def write_json(self, name: str, content: Any) -> Path:
        """Writes any JSON under the root."""
        return self.write(name, json.dumps(content).encode())

    def write(self, name: str, content: bytes) -> Path:
        """Writes a file under the root."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def graph(self, components: dict[str, list[str]]) -> Path:
        """Writes graph.yaml as the authors do."""
        categories: dict[str, list[str]] = {}
        for label in components:
            categories.setdefault(label.split("--")[0], []).append(label)
        content = {"concepts": list(components), "instance_graph": categories, "component_graph": components}
        return self.write("graph.yaml", yaml.dump(content, indent=4).encode())

    def plane(self) -> None:
        """One photograph of an airplane, with masks of the airplane and its wings, and a graph."""
        self.photograph("airplanes--private/1.jpg")
        self.mask("airplanes--private/0.json", "airplanes--private/1.jpg", (0, 0, 11, 19))
        self.mask("airplanes--private--part:wings/0.json", "airplanes--private/1.jpg")
        self.graph({"airplanes--private": ["airplanes--private--part:wings", "airplanes--private--part:nose"]})


@dataclass
class Reading:
    """All that the reader made of a source."""

    plan: Plan
    photographs: dict[str, Photograph]
    """By file name."""
    rejected: list[Rejected]
    """Of the plan, of the shards, and of the photographs."""
    repairs: Counter[str]

    @property
    def rules(self) -> dict[str, str]:
        """Row → the rule that it was rejected for."""
        return {row.row_id: row.rule for row in self.rejected}


Read = Callable[..., Reading]


def read_source(path: Path, work: Path, **asked: Any) -> Reading:
    """Plans and reads a source, each shard as a worker would have it."""
    reader = PartonomyReader()
    plan = reader.plan(SourceRequest("partonomy", path, **asked), work)
    photographs: dict[str, Photograph] = {}
    rejected, repairs = list(plan.rejected), Counter(plan.repairs)
    for shard in pickle.loads(pickle.dumps(plan.shards)):  # noqa: S301
        records = list(reader.read(shard))
        assert len({record.image_id for record in records if isinstance(record, Photograph)}) <= shard.n_images
        for record in records:
            if isinstance(record, Rejected):
                rejected.append(record)
                continue
            assert record.file_name not in photographs
            photographs[record.file_name] = record
            rejected += record.rejected
            repairs.update(record.repairs)
    declared = {rule.name: rule.outcome for rule in reader.rules}
    assert {row.rule for row in rejected} <= {name for name, how in declared.items() if how == "quarantined"}
    assert set(repairs) <= {name for name, how in declared.items() if how in ("repaired", "kept")}
    assert {part.category for p in photographs.values() for part in p.parts} <= {
        part.key for part in plan.vocabulary.parts
    }
    assert {whole.category for p in photographs.values() for whole in p.objects} <= {
        whole.key for whole in plan.vocabulary.objects
    }
    return Reading(plan, photographs, rejected, repairs)
