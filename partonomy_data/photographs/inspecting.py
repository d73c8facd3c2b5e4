"""Photographs on disk: what their header says, checked before any pixel is read, and their fingerprints."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from partonomy_data.photographs import decoding
from partonomy_data.rules import Rule
from partonomy_data.sources.records import Photograph

#: Pixels above which a photograph is taken for a decompression bomb (Pillow warns from here on).
MOST_PIXELS = 178_956_970

RULES = (
    Rule(
        "photograph_missing",
        "kept",
        "The photograph of an annotation is not on disk.",
        "The annotations stand without it; `uri` is the source's URL, or null.",
    ),
    Rule(
        "photograph_unreadable",
        "quarantined",
        "The photograph's file is empty, cut off, or no image of a known format (JPEG, PNG, WEBP, GIF, BMP, TIFF).",
        "It can't be shown or learned from; its annotations go with it.",
    ),
    Rule(
        "photograph_size_mismatch",
        "quarantined",
        "The photograph's size is not the one that its annotations were made for.",
        "The masks would lie elsewhere.",
    ),
    Rule(
        "photograph_too_large",
        "quarantined",
        "The photograph's header promises more pixels than any photograph has (a decompression bomb).",
        "It is not opened; its annotations go with it.",
    ),
    Rule(
        "exif_transposed",
        "kept",
        "The photograph is stored on its side, and says so in its EXIF orientation; the masks are upright.",
        "`exif_orientation` tells; width and height are those of the masks.",
    ),
    Rule(
        "extension_lies",
        "kept",
        "The file is of another format than its extension says (WEBP inside .jpg, PNG inside .JPEG).",
        "Photographs are opened by content.",
    ),
)

_FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".bmp": "BMP", ".gif": "GIF"}


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a photograph's file is, or why it can't be used."""

    sha256: str | None = None
    phash: int | None = None
    orientation: int | None = None
    rule: str | None = None
    """The rule that it breaks; None if it can be used."""
    reason: str = ""
    notes: tuple[str, ...] = ()
    """Rules of outcome `kept` that apply."""


def inspect(root: Path | None, photograph: Photograph) -> Inspection:
    """Checks the header of a photograph against its annotations, then hashes its bytes and its looks.

    `root` is the folder that `photograph.path` is relative to. The size is checked after EXIF transposition where
    `photograph.transposed` says that the masks were made so, else as stored.
    """
    if root is None or photograph.path is None:
        return Inspection(notes=("photograph_missing",))
    path = root / photograph.path
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return _inspect(path, photograph)
    except Image.DecompressionBombError as error:
        return Inspection(rule="photograph_too_large", reason=str(error))
    except decoding.DAMAGE as error:
        return Inspection(rule="photograph_unreadable", reason=f"{photograph.path}: {_reason(error)}")


def _reason(error: Exception) -> str:
    """The error without any path of this machine."""
    if isinstance(error, UnidentifiedImageError):
        return "no image format that is known"
    told = str(error) or type(error).__name__
    return (error.strerror or told) if isinstance(error, OSError) else told


def _inspect(path: Path, photograph: Photograph) -> Inspection:
    with path.open("rb") as file, Image.open(file, formats=decoding.FORMATS) as image:
        if image.width * image.height > MOST_PIXELS:
            reason = f"the header says {image.width}x{image.height} pixels"
            return Inspection(rule="photograph_too_large", reason=reason)
        orientation = decoding.orientation(image)
        sideways = photograph.transposed and orientation >= 5
        size = (image.height, image.width) if sideways else (image.width, image.height)
        if size != (photograph.width, photograph.height):
            reason = f"it is {size[0]}x{size[1]}, its annotations {photograph.width}x{photograph.height}"
            return Inspection(rule="photograph_size_mismatch", reason=reason)
        notes = ["exif_transposed"] if photograph.transposed and orientation > 1 else []
        if _FORMATS.get(path.suffix.lower(), image.format) != image.format:
            notes.append("extension_lies")
        looks = perceptual_hash(image)
        file.seek(0)
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return Inspection(content, looks, orientation, notes=tuple(notes))


def perceptual_hash(image: Image.Image) -> int:
    """A 64-bit hash of an image's looks: signs of its 64 lowest DCT coefficients (32x32 gray) against their median.

    The image is made upright first (EXIF). JPEGs are decoded at an eighth of their size, as no more is needed.
    """
    image.draft("L", (64, 64))
    small = decoding.upright(image).convert("L").resize((32, 32), Image.Resampling.BOX)
    low = _dct_rows() @ np.asarray(small, dtype=np.float64) @ _dct_rows().T
    bits = (low > np.median(low)).ravel()
    return int(np.packbits(bits).view(">u8")[0])


@cache
def _dct_rows() -> NDArray[np.float64]:
    """The first 8 rows of the 32-point DCT-II, shape (8, 32)."""
    k, n = np.arange(8)[:, None], np.arange(32)[None, :]
    rows: NDArray[np.float64] = np.cos(np.pi * k * (2 * n + 1) / 64)
    return rows
