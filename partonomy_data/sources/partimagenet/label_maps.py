"""The PNG label maps of PartImageNet's Seg release: parts (0 to 39, 40 is background), whole objects (0 to 157, 158).

The names of the part labels are not in the release. They are taken in the order of the category ids of the COCO JSON
files. A list in use elsewhere has six of them in another order (27 and 28, 35 and 36, 38 and 39 changed places), and
which of the two the PNG files follow isn't known: rule `label_map_order`.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from partonomy_data.sources import coco_json

BACKGROUND = 40
WHOLE_BACKGROUND = 158

_PARTS_OF = (
    ("Quadruped", ("Head", "Body", "Foot", "Tail")),
    ("Biped", ("Head", "Body", "Hand", "Foot", "Tail")),
    ("Fish", ("Head", "Body", "Fin", "Tail")),
    ("Bird", ("Head", "Body", "Wing", "Foot", "Tail")),
    ("Snake", ("Head", "Body")),
    ("Reptile", ("Head", "Body", "Foot", "Tail")),
    ("Car", ("Body", "Tier", "Side Mirror")),
    ("Bicycle", ("Body", "Head", "Seat", "Tier")),
    ("Boat", ("Body", "Sail")),
    ("Aeroplane", ("Head", "Body", "Engine", "Wing", "Tail")),
    ("Bottle", ("Mouth", "Body")),
)
#: (category, super-category) of each part label, in the order of the COCO JSON files' ids.
LABELS = tuple((f"{owner} {part}", owner) for owner, parts in _PARTS_OF for part in parts)
#: Labels whose order differs from list to list.
UNRESOLVED = frozenset({27, 28, 35, 36, 38, 39})

#: Pixels that a label map may have: far above ImageNet's largest photograph, far below what would fill the memory.
MOST_PIXELS = 1 << 26
_HEADER = struct.Struct(">8sI4sIIBBB")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY, _PALETTE = 0, 3
#: What Pillow raises for a PNG file that is cut off or corrupt.
_DAMAGE = (OSError, EOFError, SyntaxError, ValueError, struct.error, zlib.error)


class UnreadableMap(Exception):
    """A PNG file that is no label map; the message says why."""


def header(path: Path) -> tuple[int, int]:
    """Height and width in pixels as a label map's header has them, its pixels unread.

    Raises UnreadableMap if the file is no PNG, has no pixels or more than `MOST_PIXELS`, or a side above 65,535, or holds
    colors or 16-bit values where it should hold one byte of label (gray, or the index into a palette).
    """
    try:
        with path.open("rb") as file:
            start = file.read(_HEADER.size)
    except OSError as error:
        raise UnreadableMap(f"can't be read ({error.strerror})") from error
    if len(start) < _HEADER.size or not start.startswith(_SIGNATURE):
        raise UnreadableMap("is not a PNG file")
    _, _, chunk, width, height, depth, color = _HEADER.unpack(start)[:7]
    if chunk != b"IHDR" or not 0 < width * height <= MOST_PIXELS or max(width, height) > coco_json.LARGEST_SIDE:
        raise UnreadableMap(f"claims {width} x {height} pixels")
    if not (color == _PALETTE or (color == _GRAY and depth == 8)):
        raise UnreadableMap(f"has color type {color} of {depth} bits, not one byte of label for each pixel")
    return height, width


def read(path: Path) -> NDArray[np.uint8]:
    """The labels of a map, uint8, shape (h, w). Raises UnreadableMap as `header` does, or if the file is damaged."""
    height, width = header(path)
    try:
        with Image.open(path, formats=["PNG"]) as image:
            labels = np.asarray(image)
    except UnidentifiedImageError as error:
        raise UnreadableMap("is damaged (its header)") from error
    except _DAMAGE as error:
        raise UnreadableMap(f"is damaged ({error})") from error
    if labels.shape != (height, width) or labels.dtype != np.uint8:
        raise UnreadableMap(f"decodes to {labels.dtype} of shape {labels.shape}")
    # Masks run down the columns; laid out so, each label's bitmap needs no turning.
    return np.asfortranarray(labels)


def counts(labels: NDArray[np.uint8]) -> dict[int, int]:
    """How many pixels each label that is in the map has."""
    found = np.bincount(labels.ravel(order="K"), minlength=256)
    return {int(label): int(found[label]) for label in np.flatnonzero(found)}
