"""The flat layout for sharing: images/<file> and <stem>_portable.json, whose `image_path` is relative.

What is in the JSON is a descriptor, one instance of one, or questions. Two photographs of one file name were kept apart
by appending `_` and eight hex digits to the name.

Format: AnselBlume/partonomy, collect_images.py.
"""

from __future__ import annotations

from pathlib import Path

from partonomy_data.errors import SourceError
from partonomy_data.sources.partonomy import descriptor
from partonomy_data.sources.partonomy.descriptor import Descriptors

SUFFIX = "_portable.json"
EXPECTED = f"The flat layout holds images/ and <stem>{SUFFIX}"


def files_of(folder: Path) -> list[Path]:
    """The JSON files of the flat layout in `folder`, sorted."""
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if not path.name.startswith("."))


def layout(paths: list[Path], images: Path | None) -> Descriptors:
    """The flat layout of these JSON files; `images` if the photographs aren't in images/ beside them.

    Raises SourceError as `descriptor.load` does, and if there is no folder of photographs.
    """
    base = paths[0].parent
    root = images or base / "images"
    if not root.is_dir():
        raise SourceError("the folder of photographs is missing", where=str(root), mend=EXPECTED)
    chosen = descriptor.best(paths)
    contents = [descriptor.load(path) for path in chosen]
    return Descriptors(base, contents, root, keep_all=True, left_out=len(paths) - len(chosen), expected=EXPECTED)
