"""Small files of other data, with their photographs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from model.data.selection import OtherConfig

#: (width, height) by file name.
SIZES = {"a.jpg": (40, 30), "sub/b.jpg": (25, 50)}


def photographs(folder: Path) -> Path:
    """Writes them; returns their folder."""
    for name, (width, height) in SIZES.items():
        path = folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((height, width, 3), 90, np.uint8)).save(path)
    return folder / "images"


def square(left: int, top: int, side: int) -> list[list[float]]:
    """A polygon."""
    return [[left, top, left + side, top, left + side, top + side, left, top + side]]


def coco(annotations: list[dict[str, Any]], categories: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """COCO's JSON about the photographs, and about one that isn't there."""
    images = [
        {"id": number, "file_name": name, "width": width, "height": height}
        for number, (name, (width, height)) in enumerate(SIZES.items(), 1)
    ]
    images.append({"id": 3, "file_name": "gone.jpg", "width": 10, "height": 10})
    return {"images": images, "annotations": annotations, "categories": categories or [], "info": {"year": 2014}}


def config(folder: Path, kind: str, content: Any) -> OtherConfig:
    """Writes a file, and says where all is."""
    path = folder / f"{kind}.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return OtherConfig(kind, str(path), str(photographs(folder)))  # type: ignore[arg-type]
