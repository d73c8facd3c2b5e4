"""The part codes of Pascal-Part spelled out: `lfleg` is a dog's left front leg, `rear` a right ear.

A code is read by a small grammar, so that no spelling has to be kept twice; which codes a class has is a table
(the authors' `part2ind.m`). `nearest` reads the variants that other people's copies of the files hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from partonomy_data.sources.records import ObjectName, PartName, Vocabulary

#: VOC's classes in the order of `class_ind`, 1 to 20. The `.mat` files call number 11 `table`.
CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip

#: VOC's grouping of the classes. A person is a group of its own.
_GROUPS = {
    "animal": "bird cat cow dog horse sheep",
    "vehicle": "aeroplane bicycle boat bus car motorbike train",
    "household object": "bottle chair diningtable pottedplant sofa tvmonitor",
}
_SPELLED = {"diningtable": "dining table", "pottedplant": "potted plant", "tvmonitor": "tv monitor"}

_LEGS = "lfuleg lflleg rfuleg rflleg lbuleg lblleg rbuleg rblleg"
_CATTLE = f"head leye reye lear rear muzzle lhorn rhorn torso neck {_LEGS} tail"
_CAT = "head leye reye lear rear nose torso neck lfleg lfpa rfleg rfpa lbleg lbpa rbleg rbpa tail"
_ROAD = (
    "frontside leftside rightside backside roofside leftmirror rightmirror fliplate bliplate"
    " door_1-10 wheel_1-10 headlight_1-10 window_1-20"
)
#: The codes of each class, in the authors' order; `wheel_1-10` stands for wheel_1 … wheel_10.
_CODES = {
    "aeroplane": "body stern lwing rwing tail engine_1-10 wheel_1-10",
    "bicycle": "fwheel bwheel saddle handlebar chainwheel headlight_1-10",
    "bird": "head leye reye beak torso neck lwing rwing lleg lfoot rleg rfoot tail",
    "bottle": "cap body",
    "bus": _ROAD,
    "car": _ROAD,
    "cat": _CAT,
    "cow": _CATTLE,
    "dog": f"{_CAT} muzzle",
    "horse": f"head leye reye lear rear muzzle torso neck {_LEGS} tail lfho rfho lbho rbho",
    "motorbike": "fwheel bwheel handlebar saddle headlight_1-10",
    "person": (
        "head leye reye lear rear lebrow rebrow nose mouth hair torso neck"
        " llarm luarm lhand rlarm ruarm rhand llleg luleg lfoot rlleg ruleg rfoot"
    ),
    "pottedplant": "pot plant",
    "sheep": _CATTLE,
    "train": (
        "head hfrontside hleftside hrightside hbackside hroofside headlight_1-10 coach_1-10"
        " cfrontside_1-10 cleftside_1-10 crightside_1-10 cbackside_1-10 croofside_1-10"
    ),
    "tvmonitor": "screen",
}

_WORDS = frozenset({
    "beak", "body", "cap", "chainwheel", "coach", "door", "engine", "hair", "handlebar", "head", "headlight", "mouth",
    "muzzle", "neck", "nose", "plant", "pot", "saddle", "screen", "stern", "tail", "torso", "wheel", "window",
})  # fmt: skip
_LIMBS = {
    "arm": "arm", "ear": "ear", "ebrow": "eyebrow", "eye": "eye", "foot": "foot", "hand": "hand", "ho": "hoof",
    "horn": "horn", "larm": "lower arm", "leg": "leg", "lleg": "lower leg", "pa": "paw", "uarm": "upper arm",
    "uleg": "upper leg", "wing": "wing",
}  # fmt: skip
_SIDES = {"l": "left", "r": "right", "left": "left", "right": "right"}
_POSITIONS = {"f": "front", "b": "back"}
_LIMB = re.compile(rf"(?P<side>[lr])(?P<position>[fb])?(?P<limb>{'|'.join(_LIMBS)})")
_PLACED = re.compile(r"(?P<position>[fb])(?P<what>wheel|liplate)")
_FACE = re.compile(r"(?P<of>[hc])?(?P<face>front|back|roof)side")
_FLANK = re.compile(r"(?P<of>[hc])?(?P<side>left|right)(?P<what>side|mirror)")
_WHOLES = {None: "", "h": "head ", "c": "coach "}


@dataclass(frozen=True, slots=True)
class Spelling:
    """A part code in words: `full` is "left front leg" where `name` is "leg"."""

    full: str
    name: str
    side: str | None = None
    position: str | None = None
    ordinal: int | None = None


def spell(code: str) -> Spelling | None:
    """The words of a part code ("lfleg", "engine_3", "cleftside_2"), or None if the grammar doesn't know it."""
    stem, _, number = code.partition("_")
    if number and not (number.isascii() and number.isdecimal()):
        return None
    words = _stem(stem)
    if words is None or not number:
        return words
    return Spelling(words.full, words.name, words.side, words.position, int(number))


def _stem(stem: str) -> Spelling | None:
    if stem in _WORDS:
        return Spelling(stem, stem)
    if match := _LIMB.fullmatch(stem):
        side, name = _SIDES[match["side"]], _LIMBS[match["limb"]]
        position = _POSITIONS.get(match["position"] or "")
        full = " ".join(word for word in (side, position, name) if word)
        return Spelling(full, name, side, position)
    if match := _PLACED.fullmatch(stem):
        position = _POSITIONS[match["position"]]
        name = "license plate" if match["what"] == "liplate" else match["what"]
        return Spelling(f"{position} {name}", name, None, position)
    if match := _FACE.fullmatch(stem):
        name = _WHOLES[match["of"]] + match["face"]
        return Spelling(name, name)
    if match := _FLANK.fullmatch(stem):
        whole, side, what = _WHOLES[match["of"]], match["side"], match["what"]
        return Spelling(f"{whole}{side} {what}", whole + what, side)
    return None


def codes(category: str) -> tuple[str, ...]:
    """The codes that the authors define for a class, in their order; none for boat, chair, dining table and sofa."""
    found: list[str] = []
    for item in _CODES.get(category, "").split():
        stem, _, numbers = item.partition("_")
        if not numbers:
            found.append(stem)
            continue
        first, last = numbers.split("-")
        found.extend(f"{stem}_{number}" for number in range(int(first), int(last) + 1))
    return tuple(found)


@cache
def _known(category: str) -> Mapping[str, PartName]:
    """Code → part name, for the authors' codes of a class."""
    names = {}
    for code in codes(category):
        words = spell(code)
        assert words is not None, f"{category}/{code} is in the table and not in the grammar"
        names[code] = PartName(
            key=f"{category}/{code}",
            object_key=category,
            source_category=code,
            name=words.name,
            full_name=words.full if words.full != words.name else "",
            side=words.side,
            position=words.position,
            ordinal=words.ordinal,
        )
    return MappingProxyType(names)


@cache
def _plain(category: str) -> Mapping[str, PartName]:
    """Plain word, blanks removed → part name without side and number, where no code of the class says that.

    Only words that some code of the class comes to ("wing", for `lwing` and `rwing`) are admitted: a further word
    would be a part that no object of the class is labeled with.
    """
    known = _known(category)
    words = {part.name for part in known.values()} - set(known)
    names = {
        word.replace(" ", ""): PartName(key=f"{category}/{word}", object_key=category, source_category=word, name=word)
        for word in sorted(words)
    }
    if "licenseplate" in names:
        names["liplate"] = names["licenseplate"]
    return MappingProxyType(names)


def part_name(category: str, code: str) -> PartName | None:
    """The part that one of the authors' codes names in a class, or None."""
    return _known(category).get(code)


def nearest(category: str, code: str) -> PartName | None:
    """The part that a code unknown to the authors surely names, or None.

    Case, a number at the end and the name of the class are taken off ("head_bird", "body_4", "Tail_2"); what is left
    must be a code of the class, or the plain word of one ("wing_1": a wing, whose side isn't told).
    """
    word = code.strip().casefold()
    while True:
        if part := _known(category).get(word) or _plain(category).get(word.replace("_", "").replace(" ", "")):
            return part
        shorter = re.sub(r"[_ ]?[0-9]+$", "", word)
        shorter = shorter.removesuffix(f"_{category}").removeprefix(f"{category}_")
        if shorter in (word, ""):
            return None
        word = shorter


def category_of(name: str) -> str | None:
    """The class (one of `CLASSES`) that a source's spelling means: "table", "potted plant", "tvmonitor"; or None."""
    squeezed = name.replace(" ", "").replace("_", "").casefold()
    if squeezed == "table":
        return "diningtable"
    return squeezed if squeezed in CLASSES else None


def object_name(category: str, source_category: str) -> ObjectName:
    """The entry of a class in a vocabulary, under the spelling that a layout gives it."""
    parents = tuple(group for group, members in _GROUPS.items() if category in members.split())
    name = _SPELLED.get(category, category)
    return ObjectName(key=category, source_category=source_category, name=name, parents=parents)


def vocabulary() -> Vocabulary:
    """The 20 classes and all parts that their codes name, for the `.mat` files."""
    objects = tuple(object_name(c, "table" if c == "diningtable" else c) for c in CLASSES)
    parts = {part.key: part for c in CLASSES for part in (*_known(c).values(), *_plain(c).values())}
    return Vocabulary(objects=objects, parts=tuple(parts.values()))
