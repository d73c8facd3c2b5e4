"""Where a version's photographs lie, and one of them opened, on the grid that its masks live in."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from PIL import Image

from partonomy_data.errors import UsageError
from partonomy_data.photographs import decoding
from partonomy_data.sources.files import inside, unsafe_name
from partonomy_data.store.layout import Layout

#: How many folders below a source's own its photographs are looked for.
_DEPTH: Final = 2
#: How a user says where photographs are: on the command line, and in the settings of a training or an evaluation.
OPTION: Final = "--images {source}={path}"
SETTING: Final = "photographs.{source}: {path}, in the settings"


class Photographs:
    """Finds photographs by source and `uri`."""

    def __init__(self, given: Mapping[str, Path], runs: Path | None = None, told: str = OPTION) -> None:
        """`given`: folders of photographs by source; `runs`: the folder of a store's runs, which say where others lie.

        `told`: how a user says it, for errors.
        """
        self._given, self._runs, self._told = dict(given), runs, told
        self._folders: dict[str, Path | None] = {}

    def open(
        self, source: str, uri: str, width: int, height: int, *, transposed: bool = False, image_id: str = ""
    ) -> Image.Image:
        """A photograph as `opened` has it. Raises UsageError."""
        return opened(self.path(source, uri, image_id or f"{source}/{uri}"), width, height, transposed=transposed)

    def check(self, uris: Mapping[str, str]) -> Photographs:
        """The same. `uris`: for each source, that of one of its photographs. Raises UsageError for one that isn't there."""
        for source, uri in sorted(uris.items()):
            self.path(source, uri, f"{source}/{uri}")
        return self

    def path(self, source: str, uri: str | None, image_id: str) -> Path:
        """The file of a photograph. Raises UsageError if it isn't on disk, or not within its source's folder."""
        mend = f"Give the folder that it is in: {self._told.format(source=source, path='PATH')}"
        if uri is None or uri.startswith(("http://", "https://")):
            what = "this photograph was not on disk when the version was built"
            raise UsageError(what, where=image_id, mend="Put it beside its source's annotations, and build again")
        if unsafe_name(uri):
            raise UsageError(f"its place {uri!r} can't be used: {unsafe_name(uri)}", where=image_id)
        folder = self._folder(source, uri)
        if folder is None:
            places = ", ".join(str(place) for place in self._places(source))
            what = (
                f"the photograph {uri} is not in {places}" if places else f"where the photograph {uri} is isn't known"
            )
            raise UsageError(what, where=image_id, mend=mend)
        found = inside(folder, uri)
        if found is None:
            raise UsageError("the photograph is not here", where=str(folder / uri), mend=mend)
        return found

    def _folder(self, source: str, uri: str) -> Path | None:
        """The folder that this source's `uri`s are relative to: the one in which the first that was asked for is."""
        if self._folders.get(source) is None:
            candidates = (below for place in self._places(source) for below in _below(place, _DEPTH))
            self._folders[source] = next((one for one in candidates if inside(one, uri) is not None), None)
        return self._folders[source]

    def _places(self, source: str) -> list[Path]:
        """Where a source's photographs may lie, the likeliest first."""
        if source in self._given:
            return [self._given[source]]
        places: list[Path] = []
        for setting in _sources(self._runs) if self._runs is not None else ():
            told = setting.get(source)
            named: dict[str, Any] = told if isinstance(told, dict) else {}
            for name in ("images", "path"):
                if named.get(name):
                    place = Path(named[name])
                    places.append(place.parent if place.is_file() else place)
                    # Annotations may be named by their own folder, the photographs' lies beside it.
                    if name == "path" and places[-1].name == "annotations":
                        places.append(places[-1].parent)
        return list(dict.fromkeys(places))


def _sources(runs: Path) -> Iterator[dict[str, Any]]:
    """The settings of the sources of a store's builds, the latest first."""
    for path in sorted(runs.glob("*/run.json"), reverse=True):
        try:
            told = json.loads(path.read_bytes())["config"]["sources"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a run that was killed while it wrote this; an older one will do
        if isinstance(told, dict):
            yield told


def _below(folder: Path, depth: int) -> Iterator[Path]:
    """A folder, and those at most `depth` below it, sorted within each."""
    if not folder.is_dir():
        return
    yield folder
    if depth:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
        for name in names:
            yield from _below(folder / name, depth - 1)


def of_store(root: Path, given: Mapping[str, str], told: str = OPTION) -> Photographs:
    """The photographs of the store that builds in `root`; `given`: folders by source. Raises UsageError for one that isn't."""
    for source, folder in given.items():
        if not Path(folder).is_dir():
            where = told.format(source=source, path=folder)
            raise UsageError("there is no such folder", where=where, mend="Check the path")
    folders = {source: Path(folder).absolute() for source, folder in given.items()}
    return Photographs(folders, Layout(root).runs, told)


def opened(path: Path, width: int, height: int, *, transposed: bool) -> Image.Image:
    """A photograph as RGB, of `width` x `height` pixels, as its masks are; turned as its EXIF says if it is `transposed`.

    Raises UsageError: it can't be read, or is of another size.
    """
    try:
        with Image.open(path, formats=decoding.FORMATS) as file:
            image = (decoding.upright(file) if transposed else file).convert("RGB")
    except decoding.DAMAGE as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "it can't be read as an image"
        raise UsageError(reason, where=str(path), mend="Fetch the photograph again, or build again") from error
    if image.size != (width, height):
        what = f"the photograph is {image.width}x{image.height}, its masks {width}x{height}"
        raise UsageError(what, where=str(path), mend="Build again, or give the folder that the build read: --images")
    return image
