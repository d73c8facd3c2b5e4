"""The annotation of a source that a row was made from, and the files of the source that it may be in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from posixpath import basename, splitext
from typing import Any, Final

#: More files than these are no help: then they are counted, and the manifest has their names.
MOST_FILES: Final = 20
_WORDS: Final = re.compile(r"[a-z0-9]+")

File = Mapping[str, Any]


def annotation(manifest: Mapping[str, Any], row: Mapping[str, Any], image: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the source says that the row was made from: its names for it, and where that is written.

    `files` are those of the source's files that may hold it, as the manifest lists them, if they are at most MOST_FILES;
    `n_files` is how many files the source has.
    """
    files: Sequence[File] = manifest.get("inputs", {}).get(row["source"], {}).get("files", ())
    names = {name: row[name] for name in ("source", "source_category", "source_key") if name in row}
    found = files_of(files, row.get("source_key"), image)
    return {
        **names,
        "files": [{"path": one["path"], "sha256": one["sha256"]} for one in found if len(found) <= MOST_FILES],
        "n_files": len(files),
    }


def files_of(files: Sequence[File], source_key: str | None, image: Mapping[str, Any] | None) -> list[File]:
    """The files that a row may be written in: as narrow a choice as the names allow.

    Those are the files that the source's key names; else those named as the photograph, or with its name before `-`, `_`
    or a point; else those whose path names the source's own split; else all.
    """
    if source_key:
        own = [one for one in files if f"/{one['path']}".endswith(f"/{source_key}")]
        if own:
            return own
    if image is None:
        return list(files)
    stem = splitext(basename(image["file_name"]))[0]
    named = re.compile(rf"{re.escape(stem)}([-_.]|$)")
    own = [one for one in files if named.match(splitext(basename(one["path"]))[0])]
    if own:
        return own
    of_split = [one for one in files if image["source_split"] in _WORDS.findall(one["path"].lower())]
    return of_split or list(files)
