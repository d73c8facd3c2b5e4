"""Label maps: their header is checked before their pixels, and they are read as they were written."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from partonomy_data.sources.partimagenet import label_maps
from partonomy_data.sources.partimagenet.label_maps import UnreadableMap


def test_labels_are_named_in_the_order_of_the_json_files(part_names: list[str]) -> None:
    assert [name for name, _ in label_maps.LABELS] == part_names
    assert len(part_names) == label_maps.BACKGROUND == 40
    unresolved = [part_names[label] for label in sorted(label_maps.UNRESOLVED)]
    assert unresolved == [
        "Bicycle Body",
        "Bicycle Head",
        "Aeroplane Engine",
        "Aeroplane Wing",
        "Bottle Mouth",
        "Bottle Body",
    ]


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=20)), st.booleans())
@settings(deadline=None)
def test_a_map_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, labels: np.ndarray, palette: bool
) -> None:
    path = tmp_path_factory.mktemp("map") / "map.png"
    image = Image.fromarray(labels)
    if palette:
        image.putpalette([7] * 768)
    image.save(path)
    assert label_maps.header(path) == labels.shape
    np.testing.assert_array_equal(label_maps.read(path), labels)
    assert label_maps.counts(labels) == {int(v): int((labels == v).sum()) for v in np.unique(labels)}


def _png(width: int, height: int, depth: int = 8, color: int = 0) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not a PNG file"),
        (b"\xff\xd8\xff\xe0" + bytes(40), "is not a PNG file"),
        (_png(200_000, 200_000), "claims 200000 x 200000 pixels"),
        (_png(1, 1 << 25), "claims 1 x 33554432 pixels"),
        (_png(0, 10), "claims 0 x 10 pixels"),
        (_png(10, 10, color=2), "color type 2"),
        (_png(10, 10, depth=16), "16 bits"),
        (_png(10, 10, depth=4), "4 bits"),
        (_png(10, 10), "is damaged"),
    ],
)
def test_what_is_no_label_map_is_told_from_its_header(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "map.png"
    path.write_bytes(content)
    with pytest.raises(UnreadableMap, match=reason) as refused:
        label_maps.read(path)
    assert str(tmp_path) not in str(refused.value), "the same on every machine"


def test_a_map_that_is_cut_off_is_unreadable(tmp_path: Path, write_map: Callable[..., Path]) -> None:
    path = write_map(tmp_path / "map.png", {(0, 0, 20, 20): 3})
    path.write_bytes(path.read_bytes()[:60])
    assert label_maps.header(path) == (40, 60)
    with pytest.raises(UnreadableMap, match="is damaged"):
        label_maps.read(path)


def test_a_map_that_is_not_there_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMap, match="can't be read"):
        label_maps.header(tmp_path / "none.png")
