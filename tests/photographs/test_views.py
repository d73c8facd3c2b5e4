"""The view of a photograph that a question asks about."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from partonomy_data.errors import UsageError
from partonomy_data.photographs.views import view_of


def colored(height: int, width: int) -> Image.Image:
    """A photograph whose pixels all differ."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x % 256, y % 256, (x + y) % 256], -1).astype(np.uint8))


@given(
    st.integers(1, 60), st.integers(1, 60), st.floats(-10, 50), st.floats(-10, 50), st.floats(1, 70), st.floats(1, 70)
)
def test_a_crop_and_its_masks_lie_on_each_other(
    h: int, w: int, x: float, y: float, width: float, height: float
) -> None:
    photograph = colored(h, w)
    mask = np.arange(h * w).reshape(h, w).astype(np.uint8)
    if x >= w or y >= h or x + width <= 0 or y + height <= 0:
        with pytest.raises(UsageError, match="outside of its photograph"):
            view_of(photograph, "crop", (x, y, width, height))
        return
    view = view_of(photograph, "crop", (x, y, width, height))
    cut = view.of(mask)
    assert cut.shape == (view.image.height, view.image.width)
    pixels = np.asarray(photograph)
    assert np.array_equal(np.asarray(view.image), pixels[view.top :, view.left :][: cut.shape[0], : cut.shape[1]])
    assert view.left <= max(0, x) and view.left + cut.shape[1] >= min(w, x + width)  # noqa: PT018


def test_a_drawn_box_is_red_and_outside_of_the_object() -> None:
    photograph = Image.new("RGB", (80, 60), "white")
    view = view_of(photograph, "box", (20, 20, 30, 15))
    pixels = np.asarray(view.image)
    red = (pixels == (255, 0, 0)).all(-1)
    assert (view.left, view.top, view.image.size) == (0, 0, (80, 60))
    assert red.any()
    assert not red[20:35, 20:50].any()
    rows_, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
    assert (rows_[0], rows_[-1], columns[0], columns[-1]) == (15, 40, 15, 55)
    assert np.asarray(photograph).min() == 255, "the photograph itself stays as it was"


def test_the_whole_is_shown_where_the_object_is_the_only_one() -> None:
    view = view_of(colored(20, 30), "unique", None)
    assert (view.image.size, view.left, view.top) == ((30, 20), 0, 0)
