"""Splitting COCO-like JSON: every annotation ends up in one piece, or is rejected, whatever the order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partonomy_data.errors import SourceError
from partonomy_data.sources import coco_json


class Image(msgspec.Struct):
    id: int


class Row(msgspec.Struct):
    id: int
    image_id: int
    text: str = ""


class Header(msgspec.Struct):
    images: list[Image]
    annotations: list[msgspec.Raw]


def write(path: Path, images: list[int], rows: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps({"images": [{"id": key} for key in images], "annotations": rows}))
    return path


def split_and_read(path: Path, shard_of: dict[int, int], unusable: set[int]) -> tuple[dict[int, list[Row]], list[Any]]:
    header = coco_json.load(path, Header)
    pieces, rejected = coco_json.split(
        "x", header.images, header.annotations, shard_of, path.parent / "spool", unusable=unusable
    )
    found = {}
    for shard, piece in pieces.items():
        images, rows, malformed = coco_json.read_piece(piece.path, Image, Row)
        assert len(images) == piece.n_images
        found[shard] = rows
        rejected += malformed
    return found, rejected


@settings(deadline=None)
@given(
    owners=st.lists(st.integers(0, 9), max_size=40),
    shards=st.dictionaries(st.integers(0, 6), st.integers(0, 3)),
    text=st.text(max_size=8),
)
def test_every_annotation_is_in_its_image_s_piece_or_rejected_or_not_wanted(
    tmp_path_factory: pytest.TempPathFactory, owners: list[int], shards: dict[int, int], text: str
) -> None:
    images = list(range(8))
    rows = [{"id": n, "image_id": owner, "text": text} for n, owner in enumerate(owners)]
    path = write(tmp_path_factory.mktemp("split") / "a.json", images, rows)
    found, rejected = split_and_read(path, shards, {7})
    for shard, members in found.items():
        expected = [n for n, owner in enumerate(owners) if shards.get(owner) == shard]
        assert [row.id for row in members] == expected
        assert all(row.text == text for row in members)
    rules = sorted((row.row_id, row.rule) for row in rejected)
    assert rules == sorted(
        (f"#{n}", "image_quarantined" if owner == 7 else "image_unknown")
        for n, owner in enumerate(owners)
        if owner >= 7
    )


def test_the_fingerprint_of_a_piece_changes_with_its_own_annotations_only(tmp_path: Path) -> None:
    rows = [{"id": n, "image_id": n % 4} for n in range(20)]
    shards = {0: 0, 1: 0, 2: 1, 3: 1}
    fingerprints = []
    for changed in (None, 2):
        chosen = [{**row, "text": "new"} if row["id"] == changed else row for row in rows]
        header = coco_json.load(write(tmp_path / "a.json", [0, 1, 2, 3], chosen), Header)
        pieces, _ = coco_json.split("x", header.images, header.annotations, shards, tmp_path / "spool")
        fingerprints.append({shard: piece.fingerprint for shard, piece in pieces.items()})
    assert fingerprints[0][0] == fingerprints[1][0]
    assert fingerprints[0][1] != fingerprints[1][1]


def test_not_a_number_spoils_its_own_row_and_words_in_strings_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(
        '{"images": [{"id": 1}], "annotations": [{"id": NaN, "image_id": 1},'
        ' {"id": 2, "image_id": 1, "text": "is NaN, or \\"-Infinity\\""}]}'
    )
    found, rejected = split_and_read(path, {1: 0}, set())
    assert [(row.id, row.text) for row in found[0]] == [(2, 'is NaN, or "-Infinity"')]
    assert [row.rule for row in rejected] == ["number_not_finite"]


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="can't be read"):
        coco_json.load(tmp_path / "none.json", Header)
