"""Pascal-Part's .mat files read by scipy alone, with a plain table of what its part codes mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io
from numpy.typing import NDArray

#: Classes whose name is written otherwise.
CLASSES: Mapping[str, str] = {
    "aeroplane": "airplane",
    "pottedplant": "potted plant",
    "table": "dining table",
    "tvmonitor": "tv monitor",
}


def _pairs(*codes: str) -> str:
    return " ".join(f"{side}{code}" for code in codes for side in "lr")


def _quarters(code: str) -> str:
    return " ".join(f"{side}{end}{code}" for side in "lr" for end in "fb")


_FACE = {"head": "head", "eye": _pairs("eye"), "ear": _pairs("ear")}
_TRUNK = {"torso": "torso", "neck": "neck", "tail": "tail"}
_CAT = {**_FACE, "nose": "nose", **_TRUNK, "leg": _quarters("leg"), "paw": _quarters("pa")}
_HOOFED = {**_FACE, "muzzle": "muzzle", **_TRUNK, "upper leg": _quarters("uleg"), "lower leg": _quarters("lleg")}
_CAR = {
    "front": "frontside",
    "side": "leftside rightside",
    "back": "backside",
    "roof": "roofside",
    "mirror": "leftmirror rightmirror",
    "license plate": "fliplate bliplate",
    "door": "door",
    "wheel": "wheel",
    "headlight": "headlight",
    "window": "window",
}
_ENDS = ("front", "back", "roof")

#: Class → part → its codes, without the number at their end.
PARTS: Mapping[str, Mapping[str, str]] = {
    "aeroplane": {
        "body": "body",
        "stern": "stern",
        "wing": _pairs("wing"),
        "tail": "tail",
        "engine": "engine",
        "wheel": "wheel",
    },
    "bicycle": {
        "wheel": "fwheel bwheel",
        "saddle": "saddle",
        "handlebar": "handlebar",
        "chainwheel": "chainwheel",
        "headlight": "headlight",
    },
    "bird": {
        "head": "head",
        "eye": _pairs("eye"),
        "beak": "beak",
        "wing": _pairs("wing"),
        "leg": _pairs("leg"),
        "foot": _pairs("foot"),
        **_TRUNK,
    },
    "boat": {},
    "bottle": {"cap": "cap", "body": "body"},
    "bus": _CAR,
    "car": _CAR,
    "cat": _CAT,
    "chair": {},
    "cow": {**_HOOFED, "horn": _pairs("horn")},
    "dog": {**_CAT, "muzzle": "muzzle"},
    "horse": {**_HOOFED, "hoof": _quarters("ho")},
    "motorbike": {"wheel": "fwheel bwheel", "handlebar": "handlebar", "saddle": "saddle", "headlight": "headlight"},
    "person": {
        **_FACE,
        "eyebrow": _pairs("ebrow"),
        "nose": "nose",
        "mouth": "mouth",
        "hair": "hair",
        "torso": "torso",
        "neck": "neck",
        "lower arm": _pairs("larm"),
        "upper arm": _pairs("uarm"),
        "hand": _pairs("hand"),
        "lower leg": _pairs("lleg"),
        "upper leg": _pairs("uleg"),
        "foot": _pairs("foot"),
    },
    "pottedplant": {"pot": "pot", "plant": "plant"},
    "sheep": {**_HOOFED, "horn": _pairs("horn")},
    "sofa": {},
    "table": {},
    "train": {
        "head": "head",
        "headlight": "headlight",
        "coach": "coach",
        **{f"head {end}": f"h{end}side" for end in _ENDS},
        **{f"coach {end}": f"c{end}side" for end in _ENDS},
        "head side": "hleftside hrightside",
        "coach side": "cleftside crightside",
    },
    "tvmonitor": {"screen": "screen"},
}

#: A part that is a kind of another: a list that names one is not a list that lacks the other.
KINDS: Mapping[str, str] = {
    "hoof": "foot",
    "lower arm": "arm",
    "lower leg": "leg",
    "paw": "foot",
    "upper arm": "arm",
    "upper leg": "leg",
}


@dataclass(frozen=True, slots=True)
class Thing:
    """An object of a file."""

    category: str
    class_name: str
    mask: NDArray[np.bool_]
    parts: Mapping[str, list[NDArray[np.bool_]]]
    """Part → the masks (h, w) of its instances."""

    def clear(self, pixels: int) -> set[str]:
        """Parts of which at least so many pixels show."""
        return {part for part, masks in self.parts.items() if sum(int(mask.sum()) for mask in masks) >= pixels}


def category(class_name: str) -> str:
    """The name of a class in plain English."""
    return CLASSES.get(class_name, class_name)


def has(object_category: str, part: str) -> bool:
    """Whether the class has the part, or one that is a kind of it, or of which it is a kind."""
    class_name = next((name for name in PARTS if category(name) == object_category), None)
    assert class_name, object_category
    return any(part == other or KINDS.get(part) == other or KINDS.get(other) == part for other in PARTS[class_name])


def read(folder: Path) -> dict[str, list[Thing]]:
    """Name of the photograph → its objects, in the order of the file."""
    found = {}
    for path in sorted(folder.glob("*.mat")):
        anno = scipy.io.loadmat(path)["anno"][0, 0]
        found[path.stem] = [_thing(thing) for thing in anno["objects"].ravel()]
    return found


def _thing(thing: np.void) -> Thing:
    class_name = str(thing["class"][0])
    names = {code: part for part, codes in PARTS[class_name].items() for code in codes.split()}
    parts: dict[str, list[NDArray[np.bool_]]] = {}
    for part in thing["parts"].ravel():
        name = names[re.sub(r"_\d+$", "", str(part["part_name"][0]))]
        parts.setdefault(name, []).append(part["mask"] != 0)
    return Thing(category(class_name), class_name, thing["mask"] != 0, parts)
