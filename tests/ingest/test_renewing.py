"""Rows of photographs whose files hold other bytes: as a reading of the shard would give them, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from partonomy_data.ingest import renewing, seen
from partonomy_data.ingest.seen import Seen
from partonomy_data.photographs import inspecting
from partonomy_data.sources.records import Photograph
from partonomy_data.store import parquet
from schemas.tables import schema

NAMES = ("a.jpg", "b.jpg", "c.jpg")


def draw(path: Path, seed: int, size: tuple[int, int] = (40, 30), orientation: int = 1, kind: str = "JPEG") -> None:
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, kind, exif=exif)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three photographs, and in `images.parquet` their rows."""
    (tmp_path / "photographs").mkdir()
    rows = []
    for number, name in enumerate(NAMES):
        draw(tmp_path / "photographs" / name, number)
        found = inspected(tmp_path / "photographs", name)
        rows.append(
            {
                "image_id": f"paco/{name[0]}",
                "source": "paco",
                "source_split": "train",
                "uri": name,
                "file_name": name,
                "width": 40,
                "height": 30,
                "sha256": found.sha256,
                "phash": found.phash,
                "license": None,
                "exif_orientation": found.orientation,
                "photograph": f"coco/{name[0]}",
                "repairs": ["url_not_of_the_web"],
            }
        )
    parquet.write(
        schema("images").empty_table().from_pylist(rows, schema("images")), tmp_path / "images.parquet", "images"
    )
    return tmp_path / "photographs"


def inspected(root: Path, name: str) -> inspecting.Inspection:
    return inspecting.inspect(root, Photograph(image_id="", file_name=name, width=40, height=30, path=name))


def looked(root: Path) -> list[Seen]:
    return [seen.look(root, name) for name in NAMES]


def test_digest_and_looks_of_what_changed_are_others_and_all_else_stays(root: Path) -> None:
    before, stored = looked(root), pq.read_table(root.parent / "images.parquet")
    draw(root / "b.jpg", 7)
    found = renewing.images(root.parent / "images.parquet", root, before, looked(root))
    assert found is not None
    new = inspected(root, "b.jpg")
    wanted = stored.to_pylist()
    assert (new.sha256, new.phash) != (wanted[1]["sha256"], wanted[1]["phash"])
    wanted[1] |= {"sha256": new.sha256, "phash": new.phash}
    assert found.to_pylist() == wanted
    assert found.schema == stored.schema


@pytest.mark.parametrize(
    "change",
    [
        lambda path: draw(path, 7, size=(30, 40)),
        lambda path: draw(path, 7, orientation=6),
        lambda path: draw(path, 7, kind="PNG"),
        lambda path: path.write_bytes(b"no photograph"),
        lambda path: path.write_bytes(b""),
    ],
    ids=["another size", "on its side", "another format", "unreadable", "empty"],
)
def test_where_more_would_be_another_the_shard_must_be_read(root: Path, change: Callable[[Path], None]) -> None:
    before = looked(root)
    change(root / "b.jpg")
    assert renewing.images(root.parent / "images.parquet", root, before, looked(root)) is None


def test_a_photograph_without_a_row_has_the_shard_read(root: Path) -> None:
    draw(root / "quarantined.jpg", 1)
    before = [*looked(root), seen.look(root, "quarantined.jpg")]
    draw(root / "quarantined.jpg", 2)
    now = [*looked(root), seen.look(root, "quarantined.jpg")]
    assert renewing.images(root.parent / "images.parquet", root, before, now) is None


def test_a_file_of_several_photographs_has_the_shard_read(root: Path) -> None:
    before = [*looked(root), seen.look(root, "b.jpg")]
    draw(root / "b.jpg", 7)
    assert (
        renewing.images(root.parent / "images.parquet", root, before, [*looked(root), seen.look(root, "b.jpg")]) is None
    )


def test_rows_that_rest_on_other_bytes_than_what_is_known_are_not_renewed(root: Path) -> None:
    draw(root / "b.jpg", 5)
    before = looked(root)
    draw(root / "b.jpg", 7)
    assert renewing.images(root.parent / "images.parquet", root, before, looked(root)) is None
