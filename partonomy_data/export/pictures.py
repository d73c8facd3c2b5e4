"""What a question shows, as a file: its photograph, or a view of it (cut to a region, with a box drawn, or turned upright).

A view is written where the photograph as it lies would mislead: the question asks about a cut or a box, or the EXIF data of the
photograph would make some programs turn it, and others not, while its masks lie on one grid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageDraw

from partonomy_data.errors import UsageError
from partonomy_data.export.photographs import Photographs, opened
from partonomy_data.export.streams import batches
from partonomy_data.store.files import link_or_copy
from partonomy_data.store.reader import Store

#: The drawn box: its color and width, and its distance from the object, in pixels, as in the PARTONOMY paper's training data.
_RED: Final = (255, 0, 0)
_LINE: Final = 3
_MARGIN: Final = 5

#: In SQL, of a question `q` and its image `i`: whether it shows the photograph's file as it lies.
PLAIN: Final = "(q.referent = 'unique' AND coalesce(i.exif_orientation, 1) = 1)"
#: In SQL: the name of what it shows, relative to the export. Equal views of a photograph have equal names.
PICTURE: Final = f"""(CASE WHEN {PLAIN} THEN concat('images/', i.source, '/', i.uri)
    ELSE concat('images/_views/', md5(concat_ws('|', q.image_id, q.referent, q.region::VARCHAR)), '.jpg') END)"""

_SHOWN: Final = f"""
SELECT i.image_id, i.source, i.uri, i.width, i.height,
    coalesce(list_contains(i.repairs, 'exif_transposed'), false) AS transposed,
    list(DISTINCT {{'name': {PICTURE}, 'referent': q.referent, 'region': q.region}}) FILTER (NOT {PLAIN}) AS views,
    bool_or({PLAIN}) AS plain
FROM questions q JOIN images i USING (image_id) WHERE q.split = $split GROUP BY ALL ORDER BY i.image_id
"""

Box = tuple[int, int, int, int]


def write(store: Store, split: str, photographs: Photographs, folder: Path, progress: Any = None) -> int:
    """Puts all that the questions of `split` show below `folder`, under their names; returns how many photographs that took.

    Photographs are hard links, or copies where there can be none. Raises UsageError for one that is missing or can't be read.
    """
    count = 0
    for batch in batches(store, _SHOWN, {"split": split}):
        for row in batch.to_pylist():
            _write(row, photographs, folder)
        count += len(batch)
        if progress is not None:
            progress.advance(len(batch))
    return count


def _write(row: dict[str, Any], photographs: Photographs, folder: Path) -> None:
    path = photographs.path(row["source"], row["uri"], row["image_id"])
    if row["plain"]:
        target = folder / "images" / row["source"] / row["uri"]
        if not target.exists():
            link_or_copy(path, target)
    if not row["views"]:
        return
    image = opened(path, row["width"], row["height"], transposed=row["transposed"])
    for one in row["views"]:
        target = folder / one["name"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shown = view(image, one["referent"], one["region"], row["image_id"])
        # Full resolution of color: a thin part is a few pixels.
        shown.save(target, "JPEG", quality=95, subsampling=0)


def view(image: Image.Image, referent: str, region: Sequence[float] | None, image_id: str) -> Image.Image:
    """The view of a photograph that a question asks about: whole, cut to its region, or with a box around it."""
    if region is None or referent == "unique":
        return image
    left, top, right, bottom = box_of(region, image.width, image.height, image_id)
    if referent == "crop":
        return image.crop((left, top, right, bottom))
    drawn = image.copy()
    around = (left - _MARGIN, top - _MARGIN, right + _MARGIN, bottom + _MARGIN)
    ImageDraw.Draw(drawn).rectangle(around, outline=_RED, width=_LINE)
    return drawn


def box_of(region: Sequence[float], width: int, height: int, image_id: str) -> Box:
    """A region (x, y, width, height in pixels) as left, top, right, bottom within its photograph, right and bottom exclusive.

    Raises UsageError if nothing of it is within.
    """
    x, y, w, h = region
    left, top = max(0, math.floor(x)), max(0, math.floor(y))
    right, bottom = min(width, math.ceil(x + w)), min(height, math.ceil(y + h))
    if right <= left or bottom <= top:
        raise UsageError(f"the region {list(region)} is outside of its photograph", where=image_id, mend="Build again")
    return left, top, right, bottom
