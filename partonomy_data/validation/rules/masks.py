"""What the run-length masks of objects and parts hold, and how parts lie in their objects.

All rules are judged in one pass over each file, whose findings follow from this file alone, and for parts from the file
of objects of the same shard too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from partonomy_data.validation.rules.inside import LookUp, Unions, Wholes, place
from partonomy_data.validation.rules.measured import FINDINGS, Findings, batches, checked, judge
from partonomy_data.validation.subject import Subject

#: Rules that a row of both tables keeps by itself.
_OF_ROW: Final = ("mask_decodes", "mask_canonical", "mask_not_empty", "area_of_mask", "box_of_mask")
_OF_PARTS: Final = ("inside_its_union", "overlap_of_masks", "mostly_inside_object", "touches_object")


@dataclass(frozen=True, slots=True)
class LookUps:
    """Where to find what isn't in the files at hand."""

    objects: LookUp
    """object_ids → `OBJECT_COLUMNS` of the objects."""
    parts_of: LookUp
    """object_ids → object_id and masks of their parts."""


def file_findings(path: Path, table: str, beside: Path | None, look_up: LookUps) -> pa.Table:
    """What is wrong with the masks in a file of `objects` or `parts`: a table of `FINDINGS`.

    `beside` is the file with most of the objects of a file of parts. As long as it has all of them, and `path` all of
    their parts, nothing is looked up. At most a few thousand masks, two row groups of objects, and the unions of parts
    are in memory. Raises pa.ArrowException or OSError for a file that is damaged.
    """
    findings = Findings()
    if table == "objects":
        for rows in batches(path, ("object_id", "bbox", "area", "mask")):
            judge(table, rows, checked(rows), findings)
        return findings.table()
    unions = Unions()
    with nullcontext() if beside is None else pq.ParquetFile(beside) as file:
        wholes = Wholes(file, look_up.objects)
        for rows in batches(path, ("part_id", "object_id", "bbox", "area", "match_overlap", "mask")):
            masks = checked(rows)
            judge(table, rows, masks, findings)
            place(rows, masks, wholes, unions, findings)
    unions.judge(look_up.parts_of, findings)
    return findings.table()


def findings_of(subject: Subject) -> pa.Table:
    """What is wrong with the masks of a version. Each file is looked at once, and its findings kept."""
    done: dict[Path, pa.Table] = subject.memory.setdefault("masks", {})
    for table in ("objects", "parts"):
        for path in subject.files[table]:
            if path not in done and path not in subject.unreadable:
                beside = _beside(subject, path) if table == "parts" else None
                inputs = [path] if beside is None else [path, beside]
                done[path] = subject.of_files(f"masks of {table}", inputs, partial(_of_file, subject, table, *inputs))
    return pa.concat_tables([FINDINGS.empty_table(), *done.values()])


def _of_file(subject: Subject, table: str, path: Path, beside: Path | None = None) -> tuple[pa.Table, bool]:
    """The findings of a file, and whether they follow from it and the one beside it alone."""
    looked_up: list[str] = []

    def look_up(other: str, more: str) -> LookUp:
        def rows(ids: Sequence[str]) -> pa.Table:
            looked_up.append(other)
            return _look_up(subject, other, more, ids)

        return rows

    found = file_findings(
        path, table, beside, LookUps(look_up("objects", "mask_origin, n_parts"), look_up("parts", "part_id"))
    )
    return found, not looked_up


def _beside(subject: Subject, path: Path) -> Path | None:
    """The readable file of objects that is named as the file of parts."""
    other = subject.folder.joinpath("objects", *path.relative_to(subject.folder).parts[1:])
    return other if other in subject.files["objects"] and other not in subject.unreadable else None


def _look_up(subject: Subject, table: str, more: str, ids: Sequence[str]) -> pa.Table:
    subject.connection.register("wanted", pa.table({"object_id": pa.array(ids, pa.string())}))
    try:
        return subject.found(
            f"""SELECT object_id, {more}, mask.size[1]::BIGINT AS height, mask.size[2]::BIGINT AS width,
                encode(mask.counts) AS counts FROM {table} SEMI JOIN wanted USING (object_id)"""
        )
    finally:
        subject.connection.unregister("wanted")


def _found(subject: Subject, table: str, rule: str) -> pa.Table:
    findings = findings_of(subject)
    of_rule = pc.and_(pc.equal(findings["table"], table), pc.equal(findings["rule"], rule))
    return findings.filter(of_rule).select(["row", "reason"])


def _checks(table: str, rules: Sequence[str]) -> dict[str, Callable[[Subject], pa.Table]]:
    return {rule: partial(_found, table=table, rule=rule) for rule in rules}


CHECKS: Final = {
    "objects": _checks("objects", (*_OF_ROW, "covered_by_parts")),
    "parts": _checks("parts", (*_OF_ROW, *_OF_PARTS)),
}
