"""Where the photographs of PartImageNet lie, found by listing each folder once.

File names in the annotations have no folder, and the photographs lie in `<wnid>/`, `<split>/<wnid>/`,
`images/<split>/`, `JPEGImages/<any>/`, or beside the annotations. Asking the disk for each of these places and each
of 24,000 files would take many times as long as listing the folders.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from partonomy_data.errors import SourceError
from partonomy_data.sources import files

_EXTENSIONS = frozenset({".jpeg", ".jpg", ".png"})
_FOLDERS = re.compile(r"train|val|test|images|jpegimages|partimagenet.*", re.IGNORECASE)
_DEPTH = 4


@dataclass(slots=True)
class Index:
    """Paths of photographs by file name without extension, relative to the root, `/` between folders."""

    paths: dict[str, list[str]] = field(default_factory=dict)
    outside: int = 0
    """Links that lead out of the root, which are not followed."""

    def find(self, stem: str, split: str) -> str | None:
        """The photograph's path: of several, one in a folder of its split, then the shortest; None if there is none."""

        def preference(path: str) -> tuple[bool, int, str]:
            folders = PurePosixPath(path).parts
            return split not in folders, len(folders), path

        return min(self.paths.get(stem, []), key=preference, default=None)


def index(root: Path, stems: Collection[str]) -> Index:
    """Lists the folders under `root` that can hold photographs, and keeps the wanted ones.

    `stems` are file names without extension; folders of wnids that none of them begins with are not opened, so that
    `root` may be the whole of ImageNet's training set.
    """
    wanted = frozenset(stems)
    wnids = frozenset(stem.split("_")[0] for stem in wanted)
    found = Index()
    _list(root, "", 0, wanted, wnids, root.resolve(), found)
    return found


def _list(
    folder: Path,
    prefix: str,
    depth: int,
    wanted: frozenset[str],
    wnids: frozenset[str],
    root: Path,
    found: Index,
) -> None:
    any_folder = folder.name.lower() == "jpegimages"
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise SourceError(f"can't be listed ({error.strerror})", where=str(folder)) from error
    for entry in listed:
        stem, extension = os.path.splitext(entry.name)
        if extension.lower() in _EXTENSIONS:
            if stem in wanted and entry.is_file() and _within(entry, root, found):
                found.paths.setdefault(stem, []).append(prefix + entry.name)
        elif files.shown(entry.name) != entry.name:
            continue  # a table couldn't hold the paths of what is in it
        elif depth < _DEPTH and (any_folder or entry.name in wnids or _FOLDERS.fullmatch(entry.name)):
            below = Path(entry.path)
            if entry.is_dir() and _within(entry, root, found):
                _list(below, f"{prefix}{entry.name}/", depth + 1, wanted, wnids, root, found)


def _within(entry: os.DirEntry[str], root: Path, found: Index) -> bool:
    """Whether the entry lies within the root; only a link can lie elsewhere."""
    if not entry.is_symlink() or Path(entry.path).resolve().is_relative_to(root):
        return True
    found.outside += 1
    return False
