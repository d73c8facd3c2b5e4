"""Label maps in PNG files: one channel of 8 bits, each value a label. The header is checked before any pixel is read."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partonomy_data.sources import coco_json

#: Pixels of the largest map that is read: far above any photograph of VOC, and 64 MB at most.
MAX_PIXELS = 1 << 26
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY, _PALETTE = 0, 3
_COLOR_TYPES = {2: "in color", 4: "gray with transparency", 6: "in color with transparency"}


class LabelMapError(Exception):
    """A label map that can't be used, and why."""


def read(path: Path) -> NDArray[np.uint8] | None:
    """The labels, uint8 (h, w), or None if there is no such file.

    In a palette image the label is the index, whatever its color. Raises LabelMapError if the file is no PNG, is cut
    off or damaged, has another kind of pixels, or has more than MAX_PIXELS or a side
    above 65,535.
    """
    from PIL import Image

    try:
        with path.open("rb") as file:
            _check(file.read(33))
            file.seek(0)
            with Image.open(file, formats=["PNG"]) as image:
                labels: NDArray[np.uint8] = np.asarray(image)
    except FileNotFoundError:
        return None
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        zlib.error,
        struct.error,
        Image.DecompressionBombError,
    ) as error:
        raise LabelMapError(f"it can't be decoded ({error})") from error
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise LabelMapError(f"its pixels are {labels.dtype}, not 8-bit labels")
    return labels


def _check(header: bytes) -> None:
    """Raises LabelMapError unless a PNG's first 33 bytes announce a label map."""
    if not header:
        raise LabelMapError("it is empty")
    if not header.startswith(_SIGNATURE) or header[12:16] != b"IHDR" or len(header) < 33:
        raise LabelMapError("it is not a PNG file, or its header is cut off")
    width, height, depth, color = struct.unpack(">IIBB", header[16:26])
    if width * height > MAX_PIXELS or max(width, height) > coco_json.LARGEST_SIDE or not width or not height:
        raise LabelMapError(f"it announces {width:,} x {height:,} pixels")
    if color not in (_GRAY, _PALETTE):
        raise LabelMapError(f"it is {_COLOR_TYPES.get(color, 'of an unknown kind')}: its labels can't be told")
    if depth > 8 or (color == _GRAY and depth < 8):
        raise LabelMapError(f"it has {depth} bits a pixel, and labels have 8 (ADE20K-Part-234's have 16)")
