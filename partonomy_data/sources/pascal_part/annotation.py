"""What a Pascal-Part `.mat` file says, freed of MATLAB's shapes: objects, their parts, their masks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partonomy_data.sources.pascal_part import matlab
from partonomy_data.sources.pascal_part.matlab import MatFileError

#: 0 and 1, shape (h, w); other values than 0 count as 1.
Bitmap = NDArray[Any]


@dataclass(frozen=True, slots=True)
class MaskCell:
    """The value of a field `mask`: a bitmap, or why it is none."""

    bitmap: Bitmap | None
    fault: str
    """Why there is no bitmap; empty if there is one."""
    other_values: bool
    """True where it holds other values than 0 and 1."""
    described: str
    """Shape and type as the file has them, for messages."""


@dataclass(frozen=True, slots=True)
class AnnotatedPart:
    """One element of `parts`."""

    code: str
    mask: MaskCell


@dataclass(frozen=True, slots=True)
class AnnotatedObject:
    """One element of `objects`."""

    category: str
    class_index: int | None
    """`class_ind`, 1 to 20 in a sound file."""
    mask: MaskCell
    parts: list[AnnotatedPart]


@dataclass(frozen=True, slots=True)
class Annotation:
    """A whole file."""

    image_name: str
    objects: list[AnnotatedObject]
    quirks: list[str] = field(default_factory=list)
    """Names of rules about the file's shape, one entry for each time."""


def read(path: Path) -> Annotation:
    """The annotation in a file.

    Raises MatFileError for what `matlab.variable` refuses, and `anno_malformed` where its `anno` isn't Pascal-Part's.
    """
    quirks: list[str] = []
    found = _rows(matlab.variable(path, "anno"), "anno", quirks, needs=("objects",))
    if len(found) != 1:
        raise MatFileError("anno_malformed", f"its variable anno holds {len(found)} annotations, not one")
    anno = found[0]
    objects = [_object(row, quirks) for row in _rows(anno["objects"], "objects", quirks, needs=("class", "mask"))]
    return Annotation(_text(_field(anno, "imname")), objects, quirks)


def _object(row: np.void, quirks: list[str]) -> AnnotatedObject:
    parts = _rows(_field(row, "parts"), "parts", quirks, needs=("part_name", "mask"))
    return AnnotatedObject(
        category=_text(row["class"]),
        class_index=_integer(_field(row, "class_ind")),
        mask=_mask(row["mask"]),
        parts=[AnnotatedPart(_text(part["part_name"]), _mask(part["mask"])) for part in parts],
    )


def _rows(value: Any, what: str, quirks: list[str], needs: tuple[str, ...] = ()) -> list[np.void]:
    """The elements of a struct array of any shape: (1, n), (n, 1), (), (0, 0), or a cell array of structs."""
    if not isinstance(value, np.ndarray) or not value.size:
        return []
    if value.dtype.names is not None:
        if missing := [name for name in needs if name not in value.dtype.names]:
            raise MatFileError("anno_malformed", f"an element of {what} has no field called {missing[0]}")
        return list(value.ravel(order="F"))
    if value.dtype == object:
        quirks.append("cell_for_struct")
        return [row for cell in value.ravel(order="F") for row in _rows(cell, what, quirks, needs)]
    raise MatFileError("anno_malformed", f"{what} is not a struct array, but {_described(value)}")


def _field(row: np.void, name: str) -> Any:
    return row[name] if name in (row.dtype.names or ()) else None


def _text(value: Any) -> str:
    """The text of a character array of one row; empty for anything else."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "U" and value.size == 1:
        return str(value.ravel()[0]).strip()
    return ""


def _integer(value: Any) -> int | None:
    if not isinstance(value, np.ndarray) or value.size != 1 or value.dtype.kind not in "buif":
        return None
    number = value.ravel()[0]
    return int(number) if np.isfinite(number) and number == int(number) else None


def _mask(value: Any) -> MaskCell:
    described = _described(value)
    if not isinstance(value, np.ndarray) or not value.size:
        return MaskCell(None, "it has no mask", False, described)
    if value.ndim != 2 or value.dtype.kind not in "buif":
        return MaskCell(None, f"it is {described}, not a matrix of numbers", False, described)
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        return MaskCell(None, "it holds numbers that are not finite", False, described)
    # The usual type is told apart by its largest value, which is several times faster than comparing each.
    other = value.max() > 1 if value.dtype.kind in "bu" else ((value != 0) & (value != 1)).any()
    return MaskCell(value, "", bool(other), described)


def _described(value: Any) -> str:
    if not isinstance(value, np.ndarray):
        return "nothing"
    shape = "x".join(map(str, value.shape))
    kind = "struct" if value.dtype.names else "cell" if value.dtype == object else str(value.dtype)
    return f"{shape} {kind}"
