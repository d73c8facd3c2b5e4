"""What a question shows, as a file: its photograph, or a view of it (cut to a region, with a box drawn, or turned upright).

A view is written where the photograph as it lies would mislead: the question asks about a cut or a box, or the EXIF data of the
photograph would make some programs turn it, and others not, while its masks lie on one grid.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from partonomy_data.export.streams import batches
from partonomy_data.photographs.places import Photographs, opened
from partonomy_data.photographs.views import view_of
from partonomy_data.store.files import link_or_copy
from partonomy_data.store.reader import Store

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
            # A source may hold links to its own files, which lead nowhere from here.
            link_or_copy(path.resolve(), target)
    if not row["views"]:
        return
    image = opened(path, row["width"], row["height"], transposed=row["transposed"])
    for one in row["views"]:
        target = folder / one["name"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shown = view_of(image, one["referent"], one["region"], row["image_id"]).image
        # Full resolution of color: a thin part is a few pixels.
        shown.save(target, "JPEG", quality=95, subsampling=0)
