"""PARTONOMY's label grammar: `category--object` and `category--object--part:name`.

A label is a directory's name, a key of graph.yaml, or a key of a descriptor. The canonical form, on which everything
else in this reader relies, is lower case (Unicode NFC, single blanks), with `/` read as a blank and without the prefix
`object--` that sets converted from COCO put before an object. `dog--part:head` is then a part of the object `dog`.

Format: AnselBlume/partonomy, src/data/part_dataset_descriptor.py.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

PART_SEP = "--part:"
SEP = "--"
#: The category that converted sets put all their objects in; it says nothing.
CONVERTED = "object"
# A source has a few thousand labels, and hundreds of thousands of masks that repeat them.
_REMEMBERED = 1 << 15


@dataclass(frozen=True, slots=True)
class Label:
    """A label in its canonical form, taken to pieces."""

    category: str
    """`airplanes`; empty where the label has none."""
    name: str
    """The object's own name within the category (`agricultural`)."""
    part: str | None
    """The part's name (`wings`), or None in the label of an object."""

    @property
    def object_key(self) -> str:
        """The canonical label of the object (`airplanes--agricultural`)."""
        return f"{self.category}{SEP}{self.name}" if self.category else self.name

    @property
    def part_key(self) -> str:
        """The canonical label of the part (`airplanes--agricultural--part:wings`). The label must be a part's."""
        return part_key(self.object_key, self.part or "")


def part_key(object_key: str, part: str) -> str:
    """The canonical label of an object's part, from two canonical pieces."""
    return f"{object_key}{PART_SEP}{part}"


@lru_cache(maxsize=_REMEMBERED)
def canonical(text: str) -> str:
    """Lower case, NFC, `/` as a blank, single blanks, none beside the separators; `object--` in front removed.

    A separator that a `/` or blanks were put beside is still one: "a -- b" is "a--b".
    """
    text = unicodedata.normalize("NFC", text.lower()).replace("/", " ")
    text = re.sub(r"\s*(--part:|--)\s*", r"\1", " ".join(text.split()))
    while text.startswith(CONVERTED + SEP) and not text.startswith(CONVERTED + PART_SEP):
        text = text.removeprefix(CONVERTED + SEP)
    return text


@lru_cache(maxsize=_REMEMBERED)
def parse(text: str) -> Label | None:
    """The label that `text` is, or None if it is none (an empty object, category or part name).

    The object is what stands before the first `--part:`, the part what stands after the last; the category is what
    stands before the first `--` of the object.
    """
    label = canonical(text)
    whole, separator, rest = label.partition(PART_SEP)
    part = rest.rpartition(PART_SEP)[2] if separator else None
    category, found, name = whole.partition(SEP)
    if not found:
        category, name = "", whole
    if not name or part == "" or (found and not category):
        return None
    return Label(category, name, part)


@lru_cache(maxsize=_REMEMBERED)
def resolve(image_label: str, key: str) -> Label | None:
    """What a key of a descriptor's `segmentations` stands for, in an instance of the object `image_label`.

    Raw descriptors have full labels; cleaned ones the bare names of parts of `image_label` ("wings"). The instance's
    own label, and any other label of an object, stands for the object's mask. None if either is no label.
    """
    whole = parse(image_label)
    if whole is None or whole.part is not None:
        return None
    named = parse(key)
    if named is None or named.part is not None or named.category:
        return named
    if named.object_key == whole.object_key:
        return whole
    # "object--dog" loses its prefix above, but is an object all the same.
    return named if key.lower().startswith(CONVERTED + SEP) else Label(whole.category, whole.name, named.name)


def words(text: str) -> str:
    """A name in plain words: `_` and `/` as blanks, "&" as "and", single blanks."""
    return " ".join(text.replace("_", " ").replace("/", " ").replace("&", " and ").split())


@dataclass(frozen=True, slots=True)
class Category:
    """How the objects of one of the 13 categories are called."""

    word: str
    """The category in the singular, such that "a X is a `word`" is true of its objects."""
    more_general: tuple[str, ...] = ()
    """What it is a kind of, nearest first."""
    qualifies: bool = False
    """True where the objects are kinds of it, named by what sets them apart ("agricultural", of airplanes)."""


CATEGORIES: dict[str, Category] = {
    "airplanes": Category("airplane", ("aircraft", "vehicle"), qualifies=True),
    "boats": Category("boat", ("watercraft", "vehicle")),
    "drones": Category("drone", ("aircraft", "vehicle"), qualifies=True),
    "garden": Category("garden tool"),
    "geography": Category("geographic feature"),
    "geometry": Category("geometric figure"),
    "helicopter": Category("helicopter", ("aircraft", "vehicle"), qualifies=True),
    "kitchen": Category("kitchen item"),
    "office supplies": Category("office supply"),
    "ships": Category("ship", ("watercraft", "vehicle")),
    "tools": Category("tool"),
    "vehicles": Category("vehicle"),
    "weapons": Category("weapon"),
}

#: Labels whose bare name doesn't name the thing, and what it is called.
SPELLED_OUT: dict[str, str] = {
    "boats--ambulance": "ambulance boat",
    "boats--amphibian": "amphibian boat",
    "boats--amphibious": "amphibious boat",
    "boats--ice sailing": "ice sailing boat",
    "boats--missile": "missile boat",
    "boats--navigation": "navigation boat",
    "boats--patrol torpedo": "patrol torpedo boat",
    "geography--rocky": "rocky terrain",
    "helicopter--fuel system": "helicopter fuel system",
    "helicopter--fuselage": "helicopter fuselage",
    "helicopter--powerplant": "helicopter powerplant",
    "ships--amphibious": "amphibious ship",
    "ships--coastal defense": "coastal defense ship",
    "vehicles--all terrain": "all terrain vehicle",
    "vehicles--dump": "dump truck",
    "vehicles--fire": "fire truck",
    "vehicles--off road": "off road vehicle",
    "vehicles--pick up": "pickup truck",
    "vehicles--refrigerator": "refrigerator vehicle",
}

#: Names that the authors' map of labels to names gives to two labels each, with those labels.
SHARED_DISPLAY_NAMES: dict[str, tuple[str, str]] = {
    "amphibious boat": ("boats--amphibian", "boats--amphibious"),
    "destroyer": ("boats--destroyer", "ships--destroyer"),
    "garden hose": ("garden--garden hose", "garden--hose"),
    "icebreaker": ("boats--icebreaker ship", "ships--ice breaker"),
    "letter opener": ("office supplies--letter opener", "tools--letter opener"),
    "submarine": ("boats--submarine", "ships--submarine"),
    "tape measure": ("office supplies--tape measure", "tools--tape measure"),
}

_ALREADY_A_NOUN = ("aircraft", "jet", "jets")


def category_word(category: str) -> str:
    """A category in plain words, in the singular where it is one of the 13."""
    known = CATEGORIES.get(category)
    return known.word if known else words(category)


def _bare_name(label: Label) -> str:
    key, name = label.object_key, words(label.name)
    if key in SPELLED_OUT:
        return SPELLED_OUT[key]
    category = CATEGORIES.get(label.category)
    if category is None or not category.qualifies or name.split()[-1] in (*_ALREADY_A_NOUN, category.word):
        return name
    # "bombers" of airplanes are bomber airplanes; other plurals ("special ops") stay as they are.
    return f"{re.sub('ers$', 'er', name)} {category.word}"


def _folded(name: str) -> str:
    """What two names share if making them canonical could make them one: hyphens and a final s don't count."""
    return " ".join(re.split(r"[\s-]+", name.casefold())).rstrip("s")


def object_names(object_keys: Iterable[str]) -> dict[str, str]:
    """Canonical object label → its name in plain words; no two labels get one name.

    The name is what the object is called within its category ("air fryer"), with the category's noun where the objects
    are kinds of it ("agricultural airplane"). Where the names of two labels, or of a label and of a category, would be
    one, those that have a category keep it in parentheses ("submarine (boat)"); if that doesn't tell them apart, the
    whole label is put there.
    """
    labels = {key: label for key in sorted(set(object_keys)) if (label := parse(key)) is not None}
    taken = {_folded(word) for c in CATEGORIES.values() for word in (c.word, *c.more_general)}
    names = {key: _bare_name(label) for key, label in labels.items()}
    for suffix in (
        lambda label: category_word(label.category),
        lambda label: label.object_key.replace("--", ": "),
    ):
        sharing: dict[str, list[str]] = {}
        for key, name in names.items():
            sharing.setdefault(_folded(name), []).append(key)
        for name, keys in sharing.items():
            if len(keys) == 1 and (name not in taken or "(" in name):
                continue
            for key in keys:
                if labels[key].category:
                    names[key] = f"{_bare_name(labels[key])} ({suffix(labels[key])})"
    return names


def shared_display_name(name: str, places: Iterable[str]) -> str | None:
    """Which of the two labels that share a display name is meant, from the folders and file names of a photograph.

    `places` are pieces of the photograph's path: a folder called as the label, or a file called `<label>-<number>`.
    None if the name is shared by no labels, or nothing tells which is meant.
    """
    pieces = [canonical(place) for place in places]
    for label in SHARED_DISPLAY_NAMES.get(canonical(name), ()):
        if any(piece == label or re.fullmatch(re.escape(label) + r"[-_]\d+(\.\w+)?", piece) for piece in pieces):
            return label
    return None
