"""Photographs as browsers get them: upright as the masks are, small, or cut."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

from partonomy_data.explore.application import application
from partonomy_data.explore.pictures import Kept, square_around
from partonomy_data.explore.rendering import PageError
from tests.explore.conftest import hostile_rows, publish_rows


def looked_at(tmp_path: Path, orientation: int, *, transposed: bool, address: str) -> Image.Image:
    """A picture of a photograph of 60 x 40 whose left half is red, stored with an EXIF orientation."""
    photographs, root = tmp_path / "photographs", tmp_path / "store"
    photographs.mkdir()
    image = Image.new("RGB", (60, 40), "blue")
    image.paste((255, 0, 0), (0, 0, 30, 40))
    if transposed:  # the file lies on its side, its masks are upright
        image = image.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(photographs / "0.jpg", exif=exif, quality=95)
    rows = hostile_rows("a")
    rows["images"][0] |= {"exif_orientation": orientation, "repairs": ["exif_transposed"] if transposed else []}
    publish_rows(root, rows)
    run = root / "runs" / "20260101T000000Z-000000"
    run.mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"config": {"sources": {"paco": {"path": str(photographs)}}}}))
    with TestClient(application(root), base_url="http://localhost") as client:
        base = client.get("/", follow_redirects=True).url.path
        answer = client.get(base + address)
        assert answer.headers["content-type"] == "image/jpeg"
        return Image.open(io.BytesIO(answer.content))


@pytest.mark.parametrize("address", ["picture?id=paco/a", "picture?id=paco/a&width=480"])
@pytest.mark.parametrize(("orientation", "transposed"), [(1, False), (6, True), (3, False), (8, False)])
def test_a_browser_sees_the_grid_that_the_masks_live_on(
    tmp_path: Path, orientation: int, transposed: bool, address: str
) -> None:
    image = looked_at(tmp_path, orientation, transposed=transposed, address=address)
    assert image.getexif().get(0x0112, 1) == 1  # nothing that a browser would turn it by
    assert image.size == (60, 40)
    left, right = image.convert("RGB").getpixel((8, 20)), image.convert("RGB").getpixel((52, 20))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    assert left[0] > 200 > 60 > left[2]
    assert right[2] > 200 > 60 > right[0]


def test_a_small_picture_is_small_and_the_same_one(client: TestClient, base: str) -> None:
    address = next(
        one for one in client.get(f"{base}photographs").text.split('src="') if one.startswith("/v/")
    ).split('"')[0].replace("&amp;", "&")  # fmt: skip
    whole = Image.open(io.BytesIO(client.get(address.split("&width")[0]).content)).convert("L").resize((16, 16))
    small = Image.open(io.BytesIO(client.get(address).content))
    assert small.width <= 480
    pairs = zip(whole.tobytes(), small.convert("L").resize((16, 16)).tobytes(), strict=True)
    assert sum(abs(one - other) for one, other in pairs) / 256 < 12


@given(
    st.floats(-50, 700),
    st.floats(-50, 500),
    st.floats(0, 700),
    st.floats(0, 500),
    st.integers(1, 640),
    st.integers(1, 480),
)
def test_a_cut_stays_within_its_photograph(x: float, y: float, w: float, h: float, width: int, height: int) -> None:
    left, upper, right, lower = square_around((x, y, w, h), width, height)
    assert 0 <= left < right <= width
    assert 0 <= upper < lower <= height


def test_a_cut_has_the_whole_part_where_that_fits() -> None:
    left, upper, right, lower = square_around((100.0, 50.0, 80.0, 20.0), 640, 480)
    assert left <= 100
    assert right >= 180
    assert upper <= 50
    assert lower >= 70


@pytest.mark.parametrize("box", [(float("nan"), 0.0, 1.0, 1.0), (0.0, 0.0, float("inf"), 1.0), (0.0, 0.0, -1.0, 1.0)])
def test_what_is_no_box_is_refused(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(PageError):
        square_around(box, 640, 480)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40)), max_size=40))
def test_no_more_bytes_are_kept_than_said(steps: list[tuple[int, int]]) -> None:
    kept = Kept(100)
    for key, size in steps:
        kept.keep((key,), bytes(size))
        assert kept.get((key,)) == bytes(size)
        assert sum(len(kept.get((one,)) or b"") for one in range(6)) <= 100
