"""Damage to the files of a version, and to what its manifest counts."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

import pyarrow.parquet as pq

from tests.validation.damage import damaged, dropping, first, read, setting
from tests.validation.mutation import Mutations
from tests.validation.staged import column, overwritten

OF_FILES = Mutations()
_SHARD = "source=paco/000-of-001.parquet"


def _removed(folder: Path, name: str) -> set[str]:
    (folder / name).unlink()
    return {name}


@OF_FILES.breaks("version.shards_complete")
def a_file_of_images_is_missing(folder: Path) -> Collection[str]:
    return _removed(folder, f"images/{_SHARD}")


@OF_FILES.breaks("version.counts_conserved")
def a_file_of_parts_is_missing(folder: Path) -> Collection[str]:
    _removed(folder, f"parts/{_SHARD}")
    return {"parts of paco"}


@OF_FILES.breaks("version.questions_counted")
def a_file_of_questions_is_missing(folder: Path) -> Collection[str]:
    next((folder / "questions").rglob("*.parquet")).unlink()
    return {"questions"}


@OF_FILES.breaks("questions.named_parts_have_masks", "blocked")
def the_masks_of_the_questions_are_missing(folder: Path) -> Collection[str]:
    shutil.rmtree(folder / "question_masks")
    return set(column(folder, "questions", "question_id"))


@OF_FILES.breaks("version.files_readable")
def a_file_is_cut_short(folder: Path) -> Collection[str]:
    name = f"objects/{_SHARD}"
    content = (folder / name).read_bytes()
    overwritten(folder / name, content[: len(content) // 2])
    return {name}


def _flipped(folder: Path, name: str, column_name: str) -> set[str]:
    """Turns bits of the data that a column begins with, behind its page's head."""
    path = folder / name
    with pq.ParquetFile(path) as file:
        group = file.metadata.row_group(0)
        (chunk,) = (group.column(i) for i in range(group.num_columns) if group.column(i).path_in_schema == column_name)
    content = bytearray(path.read_bytes())
    frame = content.index(b"\x28\xb5\x2f\xfd", chunk.data_page_offset)  # with which what zstd compressed begins
    content[frame : frame + 4] = bytes(byte ^ 0xFF for byte in content[frame : frame + 4])
    overwritten(path, bytes(content))
    return {name}


@OF_FILES.breaks("version.files_readable")
def bytes_of_a_page_are_flipped(folder: Path) -> Collection[str]:
    return _flipped(folder, f"parts/{_SHARD}", "area")


@OF_FILES.breaks("version.files_readable")
def bytes_of_a_page_are_flipped_that_no_rule_reads(folder: Path) -> Collection[str]:
    return _flipped(folder, f"images/{_SHARD}", "file_name")


@OF_FILES.breaks("version.files_readable")
def a_column_is_missing(folder: Path) -> Collection[str]:
    name = f"attributes/{_SHARD}"
    rows = read(folder, "attributes")
    (folder / name).unlink()
    pq.write_table(rows.drop_columns("attribute_type"), folder / name)
    return {name}


@OF_FILES.breaks("version.files_readable")
def a_column_has_another_name(folder: Path) -> Collection[str]:
    name = "part_graph/part_graph.parquet"
    rows = read(folder, "part_graph").rename_columns({"frequency": "share"})
    (folder / name).unlink()
    pq.write_table(rows, folder / name)
    return {name}


@OF_FILES.breaks("version.files_belong")
def a_file_was_put_beside_them(folder: Path) -> Collection[str]:
    (folder / "parts" / "notes.txt").write_text("to do")
    return {"parts/notes.txt"}


@OF_FILES.breaks("version.numbers_finite")
def a_number_is_none(folder: Path) -> Collection[str]:
    row = first(folder, "parts", source="paco")
    damaged(folder, "parts", setting(row, bbox=[float("nan"), *row["bbox"][1:]]))
    return {f"parts/{_SHARD}"}


@OF_FILES.breaks("version.files_sorted")
def rows_are_out_of_order(folder: Path) -> Collection[str]:
    damaged(folder, "plausibility", lambda rows: rows.take([1, 0, *range(2, len(rows))]))
    return {"plausibility/plausibility.parquet"}


@OF_FILES.breaks("version.counts_conserved")
def a_row_of_quarantine_is_lost(folder: Path) -> Collection[str]:
    damaged(folder, "quarantine", dropping(first(folder, "quarantine", table_name="parts")))
    return {"parts of paco"}
