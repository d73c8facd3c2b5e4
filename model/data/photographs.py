"""Where a version's photographs are, and the view of one that a question asks about: whole, cut to a box, or with a box drawn."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from model.plum.errors import ModelError

#: The drawn box: its color and width, and its distance from the object, in pixels, as in the paper's training data.
_RED: Final = (255, 0, 0)
_LINE: Final = 3
_MARGIN: Final = 5


@dataclass(frozen=True)
class View:
    """What of a photograph is shown."""

    image: Image.Image
    """RGB."""
    left: int
    top: int
    """Where its upper left pixel lies in the photograph."""
    size: tuple[int, int]
    """(h, w) of the photograph."""

    def of(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A mask (h, w) of the photograph, cut to the view."""
        return mask[self.top : self.top + self.image.height, self.left : self.left + self.image.width]

    def back(self, mask: NDArray[np.generic]) -> NDArray[np.uint8]:
        """A mask (h, w) of the view as one of the photograph, 0 outside of the view."""
        whole = np.zeros(self.size, np.uint8)
        self.of(whole)[:] = mask != 0
        return whole


class Photographs:
    """Opens photographs by source and `uri`."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        """`folders`: the one of each source that `uri` is relative to."""
        self._folders = dict(folders)

    def open(self, source: str, uri: str, width: int, height: int, *, transposed: bool = False) -> Image.Image:
        """A photograph as RGB, upright where its masks are. Raises ModelError: it is missing, damaged, or of another size."""
        if source not in self._folders:
            raise ModelError(
                f"where are the photographs of {source}?", mend=f"Name their folder: data.photographs.{source}"
            )
        path = self._folders[source] / uri
        try:
            with Image.open(path) as file:
                image = (ImageOps.exif_transpose(file) if transposed else file).convert("RGB")
        except (OSError, SyntaxError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or "it can't be read as an image"
            raise ModelError(reason, where=str(path), mend=f"Is data.photographs.{source} the right folder?") from error
        if image.size != (width, height):
            raise ModelError(
                f"the photograph is {image.width}x{image.height}, its masks {width}x{height}", where=str(path)
            )
        return image


def view_of(photograph: Image.Image, referent: str, region: Sequence[float] | None) -> View:
    """The view that a question asks about. `region` is its box, x, y, width, height in pixels."""
    size = (photograph.height, photograph.width)
    if region is None or referent == "unique":
        return View(photograph, 0, 0, size)
    x, y, width, height = region
    left, top = max(0, int(np.floor(x))), max(0, int(np.floor(y)))
    right, bottom = min(photograph.width, int(np.ceil(x + width))), min(photograph.height, int(np.ceil(y + height)))
    if right <= left or bottom <= top:
        raise ModelError(f"the region {list(region)} is outside of its photograph")
    if referent == "crop":
        return View(photograph.crop((left, top, right, bottom)), left, top, size)
    drawn = photograph.copy()
    around = (left - _MARGIN, top - _MARGIN, right + _MARGIN, bottom + _MARGIN)
    ImageDraw.Draw(drawn).rectangle(around, outline=_RED, width=_LINE)
    return View(drawn, 0, 0, size)


def find(root: Path, manifest: Mapping[str, Any], given: Mapping[str, str], uris: Mapping[str, str]) -> Photographs:
    """Where the photographs of a version are: as `given`, else where its build read them.

    `uris`: for each source, the `uri` of one of its photographs, by which the folder under the source's own is known. Raises
    ModelError where it isn't found.
    """
    configs = _configs(root)
    folders = {}
    for source, uri in uris.items():
        places = (
            [given[source]]
            if source in given
            else [
                place
                for config in configs
                for place in (config.get(source, {}).get("images"), config.get(source, {}).get("path"))
                if place
            ]
        )
        found = next((one for place in places if (one := _folder_with(Path(place), uri)) is not None), None)
        if found is None:
            raise ModelError(
                f"the photographs of {source} are not where they were ({', '.join(places) or 'unknown'})",
                mend=f"Name their folder: data.photographs.{source}",
            )
        folders[source] = found
    return Photographs(folders)


def _configs(root: Path) -> list[dict[str, Any]]:
    """The sources of the store's builds, the latest first."""
    found = []
    for path in sorted((root / "runs").glob("*/run.json"), reverse=True):
        try:
            found.append(json.loads(path.read_text())["config"]["sources"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a run that was killed while it wrote this; an older one will do
    return found


def _folder_with(folder: Path, uri: str) -> Path | None:
    """The folder that has `uri`: this, or one at most two below it."""
    for pattern in ("", "*/", "*/*/"):
        for found in sorted(folder.glob(pattern + uri)) if folder.is_dir() else ():
            return Path(str(found)[: -len(uri)])
    return None
