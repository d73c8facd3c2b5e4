"""Photographs as a browser gets them: whole, small, or a cut; upright as the masks are."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from typing import Final

from fastapi import APIRouter
from PIL import Image
from starlette.responses import Response

from partonomy_data.errors import UsageError
from partonomy_data.explore.opening import Opened, Row
from partonomy_data.explore.rendering import PageError, Site
from partonomy_data.photographs import decoding
from partonomy_data.photographs.places import opened as opened_photograph

#: Widths that pictures are made in, in pixels; others are rounded up, so that few are made.
WIDTHS: Final = (96, 160, 240, 320, 480, 640)
#: Bytes of small pictures that are kept.
MOST_KEPT: Final = 24_000_000
#: Pixels above which a photograph isn't decoded for a page.
MOST_PIXELS: Final = 60_000_000
_AS_THEY_ARE: Final = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_ROW: Final = "SELECT image_id, source, uri, width, height, orientation, transposed FROM pictured WHERE image_id = ?"
_CACHE: Final = {"cache-control": "private, max-age=3600"}


class Kept:
    """Small pictures that were made, the last used ones, up to so many bytes."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most, self._bytes = most, 0
        self._kept: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[object, ...]) -> bytes | None:
        """What was kept under the key."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def keep(self, key: tuple[object, ...], content: bytes) -> None:
        """Keeps it, and forgets what was used longest ago if that is too much."""
        with self._lock:
            self._bytes += len(content) - len(self._kept.pop(key, b""))
            self._kept[key] = content
            while self._bytes > self._most:
                self._bytes -= len(self._kept.popitem(last=False)[1])


def router(site: Site) -> APIRouter:
    """`picture`: a photograph, small if a width is given; `cut`: a box of it."""
    made = APIRouter()
    kept = Kept()

    @made.get("/picture")
    def picture(version: str, id: str, width: int = 0) -> Response:
        opened = site.open(version)
        row = _row(opened, id)
        if width <= 0:
            return _whole(opened, row)
        wide = _rounded(width)
        return _small(kept, (version, id, wide), opened, row, (0, 0, row["width"], row["height"]), wide)

    @made.get("/cut")
    def cut(version: str, id: str, x: float, y: float, w: float, h: float, width: int = 160) -> Response:
        opened = site.open(version)
        row = _row(opened, id)
        box = square_around((x, y, w, h), row["width"], row["height"])
        return _small(kept, (version, id, *box, width), opened, row, box, _rounded(width))

    return made


def square_around(box: tuple[float, float, float, float], width: int, height: int) -> tuple[int, int, int, int]:
    """A square with some room around a box (xywh), within the photograph: left, upper, right, lower in pixels.

    Raises PageError for a box that is no box.
    """
    x, y, w, h = box
    if not all(abs(one) < 1e7 for one in box) or w < 0 or h < 0:  # NaN fails the comparison too
        raise PageError(400, "That is no box of a photograph.")
    side = min(max(24.0, 1.3 * max(w, h)), float(min(width, height)))
    left = min(max(0.0, x + w / 2 - side / 2), width - side)
    upper = min(max(0.0, y + h / 2 - side / 2), height - side)
    return int(left), int(upper), max(int(left + side), int(left) + 1), max(int(upper + side), int(upper) + 1)


def _rounded(width: int) -> int:
    return next((one for one in WIDTHS if one >= width), WIDTHS[-1])


def _row(opened: Opened, image_id: str) -> Row:
    row = opened.one(_ROW, [image_id])
    if row is None:
        raise PageError(404, "There is no such photograph.")
    return row


def _whole(opened: Opened, row: Row) -> Response:
    """The file as it lies, where browsers and masks agree on it; else made anew, upright."""
    try:
        path = opened.photographs.path(row["source"], row["uri"], row["image_id"])
        with Image.open(path, formats=decoding.FORMATS) as file:
            kind = _AS_THEY_ARE.get(file.format or "")
        if kind is not None and row["orientation"] == 1:
            return Response(path.read_bytes(), media_type=kind, headers=_CACHE)
        image = _decoded(opened, row)
        written = io.BytesIO()
        image.save(written, "JPEG", quality=92)
        return Response(written.getvalue(), media_type="image/jpeg", headers=_CACHE)
    except (UsageError, *decoding.DAMAGE):
        return _absent(row["width"], row["height"])


def _small(
    kept: Kept, key: tuple[object, ...], opened: Opened, row: Row, box: tuple[int, int, int, int], width: int
) -> Response:
    content = kept.get(key)
    if content is None:
        try:
            image = _decoded(opened, row, width if box[2:] == (row["width"], row["height"]) else 0)
            image = image if image.width < row["width"] else image.crop(box)
        except (UsageError, *decoding.DAMAGE):
            return _absent(box[2] - box[0], box[3] - box[1])
        height = max(1, round(width * image.height / image.width))
        if image.width > width:
            image = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
        written = io.BytesIO()
        image.save(written, "JPEG", quality=82)
        content = written.getvalue()
        kept.keep(key, content)
    return Response(content, media_type="image/jpeg", headers=_CACHE)


def _decoded(opened: Opened, row: Row, width: int = 0) -> Image.Image:
    """The photograph upright, in RGB. For a `width` far below its own, a JPEG is decoded smaller, which is quicker."""
    if row["width"] * row["height"] > MOST_PIXELS:
        raise UsageError("the photograph is too large to be shown", where=row["image_id"])
    path = opened.photographs.path(row["source"], row["uri"], row["image_id"])
    if width and row["orientation"] == 1:
        with Image.open(path, formats=decoding.FORMATS) as file:
            if file.format == "JPEG" and file.size == (row["width"], row["height"]):
                file.draft("RGB", (width, round(width * row["height"] / row["width"])))
                return file.convert("RGB")
    return opened_photograph(path, row["width"], row["height"], transposed=row["transposed"])


def _absent(width: int, height: int) -> Response:
    """A picture that says that the photograph isn't here; masks can be drawn over it all the same."""
    width, height = max(1, int(width)), max(1, int(height))
    size = max(4, min(width, height) // 14)
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f'<rect width="100%" height="100%" fill="#8a8f98"/><text x="50%" y="50%" fill="#fff" font-family="sans-serif" '
        f'font-size="{size}" text-anchor="middle">photograph not on disk</text></svg>'
    )
    return Response(drawn, media_type="image/svg+xml", headers={"cache-control": "no-store"})
