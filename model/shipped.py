"""Weights that come with the package: a name that begins with `shipped:` is a path in the folder `weights` beside this file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from model.plum.errors import ModelError

_PREFIX: Final = "shipped:"
_FOLDER: Final = Path(__file__).parent / "weights"


def located(name: str) -> str:
    """A path or a name as settings have it; a shipped one as the path where it lies. Raises ModelError."""
    if not name.startswith(_PREFIX):
        return name
    path = (_FOLDER / name.removeprefix(_PREFIX)).resolve()
    if not path.is_relative_to(_FOLDER.resolve()) or not path.exists():
        there = sorted(_PREFIX + str(one.relative_to(_FOLDER)) for one in _FOLDER.glob("*/*"))
        raise ModelError("no such weights come with the package", where=name, mend=f"Known: {', '.join(there)}")
    return str(path)
