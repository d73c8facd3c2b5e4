"""Masks as checked run lengths, on pycocotools.

They are made from whatever sources write, checked and measured in bulk, and combined without going dense.
"""

from partonomy_data.masks.algebra import area, areas, box, containment, equal, intersection, iou, union
from partonomy_data.masks.encoding import Encoded, encode, encode_many
from partonomy_data.masks.guard import Measured, as_bytes, from_compressed, measure
from partonomy_data.masks.outlines import to_svg_path
from partonomy_data.masks.polygons import from_polygons
from partonomy_data.masks.rle import Rle, RleJson, Segmentation, decode, from_bitmap, from_counts, to_json
from partonomy_data.masks.rules import RULES

__all__ = [
    "RULES",
    "Encoded",
    "Measured",
    "Rle",
    "RleJson",
    "Segmentation",
    "area",
    "areas",
    "as_bytes",
    "box",
    "containment",
    "decode",
    "encode",
    "encode_many",
    "equal",
    "from_bitmap",
    "from_compressed",
    "from_counts",
    "from_polygons",
    "intersection",
    "iou",
    "measure",
    "to_json",
    "to_svg_path",
    "union",
]
