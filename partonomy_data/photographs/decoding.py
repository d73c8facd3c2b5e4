"""Photographs of unknown make, decoded: which formats they may be of, which way up they are, and what may go wrong.

Pillow turns a photograph with `ImageOps.exif_transpose`, which writes its EXIF anew, and fails where a tag that has nothing
to do with it is of an odd type. Here only the pixels are turned.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

from PIL import Image

#: What Pillow decodes itself, of all that photographs come in. An MPO (a JPEG with further pictures in it) is opened as a
#: JPEG. An EPS is none of them: Pillow hands it to Ghostscript, whatever its file is called.
FORMATS: Final = ("JPEG", "WEBP", "PNG", "GIF", "BMP", "TIFF")
#: What Pillow raises for a file that is damaged, cut off, or says of itself what can't be.
DAMAGE: Final = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    AssertionError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: Where Pillow keeps what may tell an orientation.
_TELLING = ("exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp")


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none, or none that there is. Raises one of DAMAGE."""
    told = image.getexif().get(_ORIENTATION, 1)
    return told if isinstance(told, int) and 1 <= told <= 8 else 1


def upright(image: Image.Image) -> Image.Image:
    """The image turned as its EXIF says, and no longer saying it; itself if there is nothing to turn. Raises one of DAMAGE."""
    # A PNG's EXIF may come after its pixels; and a TIFF is turned by Pillow as it is decoded.
    image.load()
    turn = _TURNS.get(orientation(image))
    if turn is None:
        return image
    turned = image.transpose(turn)
    for key in _TELLING:
        turned.info.pop(key, None)
    return turned
