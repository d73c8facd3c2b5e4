"""Small versions to damage: the demo world's, or a few of its photographs, in a folder of each test's own."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.validation.damage import damaged, read

#: Photographs of each source in the smaller version, of each split, and with parts matched in each way.
_OF_EACH = 3


@pytest.fixture
def version(demo_store: Path, tmp_path: Path) -> Path:
    """The folder of a private copy of the demo store's version; see `tests.validation.damage`."""
    target = tmp_path / "version"
    shutil.copytree(_folder(demo_store), target)
    return target


@pytest.fixture
def few(few_photographs: Path, tmp_path: Path) -> Path:
    """The same of a few photographs: quick to check, but what tells of all photographs together doesn't hold there."""
    target = tmp_path / "few"
    shutil.copytree(few_photographs, target)
    return target


@pytest.fixture(scope="session")
def few_photographs(demo_store: Path, once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """A few photographs of each source and split, with all that belongs to them. Read only."""
    return once("few-photographs", lambda target: _make_few(_folder(demo_store), target))


def _folder(root: Path) -> Path:
    return root / "versions" / (root / "CURRENT").read_text().strip()


def _make_few(version: Path, target: Path) -> None:
    shutil.copytree(version, target)
    methods: dict[str, set[str]] = defaultdict(set)
    for part in read(version, "parts").select(["image_id", "match_method"]).to_pylist():
        methods[part["image_id"]].add(part["match_method"])
    n: Counter[str] = Counter()
    chosen = []
    for row in read(version, "splits").to_pylist():
        shows = [row["source"], row["split"], *methods[row["image_id"]]]
        if min(n[one] for one in shows) < _OF_EACH:
            chosen.append(row["image_id"])
            n.update(shows)
    for table in ("images", "objects", "parts", "splits", "questions"):
        damaged(target, table, _only("image_id", chosen))
    objects, parts, questions = (
        read(target, table)[key].to_pylist()
        for table, key in (("objects", "object_id"), ("parts", "part_id"), ("questions", "question_id"))
    )
    damaged(target, "part_evidence", _only("object_id", objects))
    damaged(target, "attributes", _only("annotation_id", objects + parts))
    damaged(target, "question_masks", _only("question_id", questions))


def _only(column: str, values: list[str]) -> Callable[[pa.Table], pa.Table]:
    return lambda rows: rows.filter(pc.is_in(rows[column], pa.array(values, pa.string())))
