"""The demo world as the original Pascal-Part: one MATLAB file for each photograph, and VOC's folders."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partonomy_data.demo import annotate, truth
from partonomy_data.demo.annotate import ObjectView
from partonomy_data.demo.encoded import Encoded, save_photograph
from partonomy_data.demo.photographs import Drawn

#: Classes in VOC's order; `class_ind` counts from 1. The eleventh is "table" in these files.
CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "table", "dog", "horse",
    "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip

_OBJECT = [("class", "O"), ("class_ind", "O"), ("mask", "O"), ("parts", "O")]
_PART = [("part_name", "O"), ("mask", "O")]
_HEADER = b"MATLAB 5.0 MAT-file, Platform: GLNXA64, Created on: Wed Jan  1 00:00:00 2014".ljust(116)
#: The tag of a compressed element (miCOMPRESSED).
_COMPRESSED = 15


def mat_file(variables: dict[str, NDArray[np.void]]) -> bytes:
    """A MATLAB 5.0 file, compressed, whose header names no time of writing: equal content gives equal bytes."""
    from scipy.io import savemat

    plain = io.BytesIO()
    savemat(plain, variables)
    content = plain.getvalue()
    # scipy's own compression is at zlib's level 6; level 1 is several times faster, and the masks are mostly zeros.
    packed = zlib.compress(content[128:], 1)
    return _HEADER + content[116:128] + struct.pack("<II", _COMPRESSED, len(packed)) + packed


def _parts(drawn: Drawn, view: ObjectView) -> NDArray[np.void]:
    """The struct array of parts, (1, P), or (0, 0) where there are none."""
    shown = [part for part in view.parts if part.state == annotate.ANNOTATED]
    if not shown:
        return np.empty((0, 0), dtype=_PART)
    parts = np.empty((1, len(shown)), dtype=_PART)
    for place, part in enumerate(shown):
        parts[0, place] = (part.part.name, drawn.runs.bitmap(part.labels).astype(np.uint8))
    return parts


def _struct(drawn: Drawn, name: str, views: list[ObjectView]) -> NDArray[np.void]:
    objects = np.empty((1, len(views)), dtype=_OBJECT)
    for place, view in enumerate(views):
        assert view.entry is not None
        number = np.array([[CLASSES.index(view.entry.name) + 1]], dtype=np.uint8)
        mask = drawn.runs.bitmap(view.labels).astype(np.uint8)
        objects[0, place] = (view.entry.name, number, mask, _parts(drawn, view))
    anno = np.empty((1, 1), dtype=[("imname", "O"), ("objects", "O")])
    anno[0, 0] = (name, objects)
    return anno


def encode(drawn: Drawn, folder: Path) -> Encoded:
    """Writes the photograph and its annotation below `folder`; the lists of names are still to be joined."""
    index = drawn.job.index
    name = f"{2008 + index % 3}_{900000 + index:06d}"
    path = f"JPEGImages/{name}.jpg"
    save_photograph(drawn, folder / path)
    views = [view for view in drawn.objects if view.entry]
    annotations = folder / "Annotations_Part"
    annotations.mkdir(parents=True, exist_ok=True)
    (annotations / f"{name}.mat").write_bytes(mat_file({"anno": _struct(drawn, name, views)}))
    keys = {
        view.number: (
            str(place),
            [[part.part.name] if part.state == annotate.ANNOTATED else [] for part in view.parts],
        )
        for place, view in enumerate(views)
    }
    return Encoded(
        source="pascal_part",
        split=drawn.job.split,
        truth=truth.line(drawn, f"{name}.jpg", path, keys),
        tally={"name": name},
        n_objects=len(views),
        n_parts=sum(len(view.parts) for view in views),
    )


class PascalPartFiles:
    """Writes the lists of each split's photographs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, list[str]] = {"train": [], "val": []}

    def add(self, encoded: Encoded) -> None:
        """Takes a photograph's name."""
        self._names[encoded.split].append(encoded.tally["name"])

    def close(self) -> None:
        """Writes train.txt and val.txt."""
        lists = self._folder / "ImageSets" / "Main"
        lists.mkdir(parents=True, exist_ok=True)
        for split, names in self._names.items():
            (lists / f"{split}.txt").write_text("".join(f"{name}\n" for name in sorted(names)), encoding="ascii")
