"""Small photographs, and masks drawn over them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from partonomy_data.photographs import overlays


def test_masks_are_drawn_in_their_colors_and_nothing_else_is_touched() -> None:
    mask = np.zeros((10, 12), np.uint8)
    mask[2:7, 3:9] = 1
    drawn = np.asarray(overlays.overlaid(Image.new("RGB", (12, 10), (100, 100, 100)), [((200, 0, 0), mask)]))
    assert (drawn[mask == 0] == 100).all()
    assert tuple(drawn[2, 3]) == (200, 0, 0)
    assert tuple(drawn[4, 5]) == (150, 50, 50)


@pytest.mark.parametrize(("size", "due"), [((800, 400), (96, 48)), ((30, 20), (30, 20)), ((96, 97), (95, 96))])
def test_a_small_one_is_never_larger_than_it_was(size: tuple[int, int], due: tuple[int, int]) -> None:
    assert overlays.small(Image.new("RGB", size), 96).size == due


def test_what_a_camera_wrote_stays_behind() -> None:
    file = io.BytesIO()
    Image.new("RGB", (40, 30)).save(file, "JPEG", comment=b"at home", exif=b"Exif\x00\x00secret")
    image = Image.open(io.BytesIO(file.getvalue()))
    image.load()
    written = overlays.jpeg(overlays.small(image, 20))
    assert b"at home" not in written
    assert b"secret" not in written


def test_a_mask_is_shrunk_with_its_photograph() -> None:
    mask = np.zeros((60, 90), np.uint8)
    mask[20:40, 30:60] = 1
    found = overlays.shrunk(mask, Image.new("RGB", (9, 6)))
    due = np.zeros((6, 9), bool)
    due[2:4, 3:6] = True
    assert (found == due).all()
