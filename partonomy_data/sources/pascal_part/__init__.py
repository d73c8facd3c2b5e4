"""Pascal-Part: VOC2010's photographs with the parts of their objects, in the three layouts that it is found in.

    mat          Annotations_Part/*.mat, the original: instances, with their parts nested in them
    vlpart       train.json and val.json of VLPart: COCO's shape, parts only
    label_maps   Pascal-Part-116 of OV-PARTS: PNG maps of classes and parts

Where a folder holds several, the first in this order is read, since it says the most. Format of the original:
Chen et al., "Detect What You Can: Detecting and Representing Objects using Holistic Models and Body Parts", CVPR 2014.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from partonomy_data.errors import SourceError
from partonomy_data.sources import files
from partonomy_data.sources.base import Plan, Shard, SourceRequest
from partonomy_data.sources.pascal_part import label_maps, mat, photographs, vlpart
from partonomy_data.sources.pascal_part.rules import RULES
from partonomy_data.sources.records import Photograph, Rejected

_EXPECTED = (
    "Pascal-Part is a folder with Annotations_Part/*.mat, VLPart's train.json and val.json,"
    f" or OV-PARTS's {label_maps.PARTS}/{{train,val}}/*.png"
)
#: What is found in other datasets, under the folder that was given, and what it says of them.
_OTHERS = (
    ("annotations/paco_*.json", "PACO"),
    ("paco_*.json", "PACO"),
    ("graph.yaml", "PARTONOMY"),
    ("*descriptor*.json", "PARTONOMY"),
    ("*/n[0-9]*_*.JPEG", "PartImageNet"),
    ("*/*/n[0-9]*_*.JPEG", "PartImageNet"),
    ("Annotations/*.xml", "VOC's boxes without Pascal-Part"),
    ("annotations/instances_*.json", "COCO"),
    ("instances*.json", "COCO"),
    ("annotations_detectron2_obj/*", "Pascal-Part-116 without its maps of parts"),
    ("VOCdevkit/*/Annotations/*.xml", "VOC's boxes without Pascal-Part"),
)


class PascalPartReader:
    """The reader called `pascal_part`; see `sources.base.Reader`."""

    name = "pascal_part"
    rules = RULES

    def plan(self, request: SourceRequest, work: Path) -> Plan:
        """Finds out which layout this is, and lists its photographs. Raises SourceError if it is none of the three."""
        layout = layout_of(request.path)
        if layout == mat.LAYOUT:
            return mat.plan(request)
        if layout == vlpart.LAYOUT:
            return vlpart.plan(request, work)
        return label_maps.plan(request)

    def read(self, shard: Shard) -> Iterator[Photograph | Rejected]:
        """The photographs of one shard."""
        if shard.payload["layout"] == mat.LAYOUT:
            return mat.read(shard)
        if shard.payload["layout"] == vlpart.LAYOUT:
            return vlpart.read(shard)
        return label_maps.read(shard)


def layout_of(path: Path) -> str:
    """`mat`, `vlpart` or `label_maps`. Raises SourceError, with what it looks like instead, if it is none of them."""
    if not path.exists():
        raise SourceError("there is no such file or folder", where=str(path), mend=_EXPECTED)
    if mat.folder_of(path) is not None:
        return mat.LAYOUT
    if vlpart.annotation_files(path):
        return vlpart.LAYOUT
    if label_maps.is_here(path):
        return label_maps.LAYOUT
    raise SourceError(f"this is not Pascal-Part: {_looks_like(path)}", where=str(path), mend=_EXPECTED)


def _looks_like(path: Path) -> str:
    """What a file or folder holds that is none of the layouts, in a clause."""
    if path.is_file():
        return "it is neither a .mat nor a .json file"
    for pattern, dataset in _OTHERS:
        if next(path.glob(pattern), None) is not None:
            return f"it looks like {dataset}"
    if (path / mat.FOLDER).is_dir():
        return f"its folder {mat.FOLDER} holds no .mat file"
    if found := photographs.listing(path):
        return f"it holds {files.shown(found[0])}" + (
            f" and {len(found) - 1:,} more files" if len(found) > 1 else " only"
        )
    return "it is empty" if next(path.iterdir(), None) is None else "its folders are not those of any layout"
