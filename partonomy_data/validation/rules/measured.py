"""The masks of objects or parts, checked and measured a few thousand at a time, against what their rows say of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from partonomy_data.masks import Rle, measure

#: Rows that are read at a time.
BATCH: Final = 4096
#: What is found in files: the rows of a table that break a rule, and why.
FINDINGS: Final = pa.schema([(name, pa.string()) for name in ("table", "rule", "row", "reason")])


@dataclass(slots=True)
class Findings:
    """What is found, one row at a time."""

    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, table: str, rule: str, row: str, reason: str) -> None:
        """A row of `table` breaks `rule`."""
        self.rows.append((table, rule, row, reason))

    def table(self) -> pa.Table:
        """All of it, as a table of `FINDINGS`."""
        columns = [list(column) for column in zip(*self.rows, strict=True)] or [[]] * len(FINDINGS)
        return pa.Table.from_arrays([pa.array(column, pa.string()) for column in columns], schema=FINDINGS)


@dataclass(frozen=True, slots=True)
class Masks:
    """n masks that were checked, by position."""

    heights: NDArray[np.int64]
    """Heights in pixels, int64 (n,)."""
    widths: NDArray[np.int64]
    """Widths in pixels, int64 (n,)."""
    counts: list[bytes | None]
    """Canonical run lengths; None where there is no mask, or one that can't be decoded."""
    areas: NDArray[np.int64]
    """Pixels, int64 (n,)."""
    boxes: NDArray[np.float32]
    """Boxes xywh, float32 (n, 4)."""
    errors: dict[int, str]
    """What is wrong with those that can't be decoded."""
    changed: dict[int, str]
    """Rules that had to be applied to those that weren't canonical."""

    def rle(self, i: int) -> Rle | None:
        """One of the masks, fit for pycocotools."""
        text = self.counts[i]
        return None if text is None else Rle(int(self.heights[i]), int(self.widths[i]), text)


def flat(rows: pa.RecordBatch | pa.Table) -> pa.Table:
    """`rows` with the columns `height`, `width` and `counts` (binary) in place of `mask`; null where there is none."""
    table = pa.table(rows) if isinstance(rows, pa.Table) else pa.Table.from_batches([rows])
    masks = table["mask"].combine_chunks()
    size, counts = masks.flatten()
    height, width = (pc.list_element(size, i).cast(pa.int64()) for i in (0, 1))
    return (
        table.drop_columns("mask")
        .append_column("height", height)
        .append_column("width", width)
        .append_column("counts", counts.cast(pa.binary()))
    )


def checked(rows: pa.Table) -> Masks:
    """The masks of rows that have `height`, `width` (int64) and `counts` (binary). Nothing is raised for a bad one."""
    counts: list[bytes | None] = rows["counts"].to_pylist()
    heights, widths = (
        np.asarray(pc.fill_null(rows[side], 0).to_numpy(zero_copy_only=False), np.int64) for side in ("height", "width")
    )
    there = [i for i, text in enumerate(counts) if text is not None]
    measured = measure([text for text in counts if text is not None], heights[there], widths[there])
    areas, boxes = np.zeros(len(counts), np.int64), np.zeros((len(counts), 4), np.float32)
    areas[there], boxes[there] = measured.areas, measured.boxes
    for at, (text, _) in measured.canonical.items():
        counts[there[at]] = text
    for at in measured.errors:
        counts[there[at]] = None
    errors = {there[at]: str(error) for at, error in measured.errors.items()}
    changed = {there[at]: ", ".join(rules) for at, (_, rules) in measured.canonical.items()}
    return Masks(heights, widths, counts, areas, boxes, errors, changed)


def judge(table: str, rows: pa.Table, masks: Masks, findings: Findings) -> None:
    """Finds the rows (first column: their key) whose mask is unsound, or isn't what `area` and `bbox` say."""
    keys = rows.column(0)
    for i, reason in masks.errors.items():
        findings.add(table, "mask_decodes", keys[i].as_py(), reason)
    for i, rules in masks.changed.items():
        findings.add(table, "mask_canonical", keys[i].as_py(), rules)
    sound = np.array([text is not None for text in masks.counts], bool)
    for i in np.flatnonzero(sound & (masks.areas == 0)).tolist():
        findings.add(table, "mask_not_empty", keys[i].as_py(), "it covers no pixel")
    areas = rows["area"].to_pylist()
    bare = np.asarray(pc.is_null(rows["counts"]).to_numpy())
    same = np.asarray(pc.fill_null(pc.equal(rows["area"], pa.array(masks.areas)), False).to_numpy())
    for i in np.flatnonzero(sound & ~same).tolist():
        findings.add(table, "area_of_mask", keys[i].as_py(), f"area is {areas[i]}, its mask's {masks.areas[i]}")
    for i in np.flatnonzero(bare & np.asarray(pc.is_valid(rows["area"]).to_numpy())).tolist():
        findings.add(table, "area_of_mask", keys[i].as_py(), f"area is {areas[i]}, there is no mask")
    boxes = box_array(rows["bbox"])
    for i in np.flatnonzero(sound & (boxes != masks.boxes).any(axis=1)).tolist():
        reason = f"bbox is {_numbers(boxes[i])}, its mask's {_numbers(masks.boxes[i])}"
        findings.add(table, "box_of_mask", keys[i].as_py(), reason)


def box_array(column: pa.ChunkedArray) -> NDArray[np.float32]:
    """Boxes as float32 (n, 4), NaN where there is none."""
    array = column.combine_chunks()
    boxes = np.full((len(array), 4), np.nan, np.float32)
    boxes[np.asarray(array.is_valid())] = np.asarray(array.flatten(), np.float32).reshape(-1, 4)
    return boxes


def _numbers(box: NDArray[np.float32]) -> str:
    return "null" if np.isnan(box).all() else " ".join(f"{value:g}" for value in box.tolist())


def batches(path: Path, columns: Iterable[str]) -> Iterator[pa.Table]:
    """The rows of a file, some thousands at a time, their masks laid flat. Raises pa.ArrowException or OSError."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH, columns=list(columns)):
            yield flat(batch)
