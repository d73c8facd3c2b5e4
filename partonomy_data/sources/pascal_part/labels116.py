"""Pascal-Part-116's labels: which class and part each value of the label maps stands for.

Order and names are those of OV-PARTS (register_pascal_part_116.py): "aeroplane's body" is 0, "tvmonitor's screen" 115.
"""

from __future__ import annotations

from functools import cache

from partonomy_data.sources.pascal_part import codes
from partonomy_data.sources.records import PartName, Vocabulary

#: The value of a pixel that carries no label, in both maps.
IGNORE = 255

_ROAD = "wheel, headlight, front, side, back, roof, mirror, license plate, door, window"
_CATTLE = "tail, head, eye, torso, neck, leg, ear, muzzle, horn"
_CAT = "tail, head, eye, torso, neck, leg, nose, paw, ear"
_PARTS = {
    "aeroplane": "body, stern, wing, tail, engine, wheel",
    "bicycle": "wheel, saddle, handlebar, chainwheel, headlight",
    "bird": "wing, tail, head, eye, beak, torso, neck, leg, foot",
    "bottle": "body, cap",
    "bus": _ROAD,
    "car": _ROAD,
    "cat": _CAT,
    "cow": _CATTLE,
    "dog": f"{_CAT}, muzzle",
    "horse": "tail, head, eye, torso, neck, leg, ear, muzzle, hoof",
    "motorbike": "wheel, saddle, handlebar, headlight",
    "person": "head, eye, torso, neck, leg, foot, nose, ear, eyebrow, mouth, hair, lower arm, upper arm, hand",
    "pottedplant": "pot, plant",
    "sheep": _CATTLE,
    "train": "headlight, head, front, side, back, roof, coach",
    "tvmonitor": "screen",
}


@cache
def parts() -> tuple[PartName, ...]:
    """The parts of the labels 0 to 115, in order."""
    return tuple(
        PartName(key=f"{category}/{part}", object_key=category, source_category=f"{category}'s {part}", name=part)
        for category, listed in _PARTS.items()
        for part in listed.split(", ")
    )


def vocabulary() -> Vocabulary:
    """The 20 classes (labels 0 to 19 of the map of objects, in VOC's order) and the 116 parts."""
    return Vocabulary(objects=tuple(codes.object_name(name, name) for name in codes.CLASSES), parts=parts())
