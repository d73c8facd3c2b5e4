"""Which photograph a mask is of, and what a photograph's header says."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import pytest
from partonomy_world import AUTHORS, Read, World
from PIL import Image

from partonomy_data.sources.partonomy import photographs

PLANE, PHOTOGRAPH = "airplanes--private", "airplanes--private/1.jpg"
WINGS = f"{PLANE}--part:wings"


def png_header(width: int, height: int) -> bytes:
    """A PNG of which hardly a pixel is there."""

    def chunk(content: bytes) -> bytes:
        return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))

    head = chunk(b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT" + zlib.compress(b"\0" * 100))


def test_a_path_on_the_authors_disk_is_found_by_folder_and_file_name(world: World, read: Read) -> None:
    world.plane()
    world.photograph("boats--canoe/1.jpg")
    world.mask("boats--canoe--part:hull/0.json", "boats--canoe/1.jpg")
    reading = read(world.root)
    assert [p.category for p in reading.photographs["boats--canoe/1.jpg"].parts] == ["boats--canoe--part:hull"]
    assert [p.category for p in reading.photographs[PHOTOGRAPH].parts] == [WINGS]
    assert reading.repairs["image_path_absolute"] == 3


def test_a_folder_of_images_with_other_capitals_is_the_same(world: World, read: Read) -> None:
    world.photograph("Airplanes--Private/1.jpg")
    world.mask(f"{WINGS}/0.json", PHOTOGRAPH)
    assert len(read(world.root).photographs["Airplanes--Private/1.jpg"].parts) == 1


def test_a_photograph_that_is_nowhere_takes_its_mask_to_quarantine(world: World, read: Read) -> None:
    world.plane()
    world.mask(f"{WINGS}/1.json", f"{PLANE}/gone.jpg")
    reading = read(world.root)
    assert reading.rules == {f"{WINGS}/1.json": "image_missing"}


def test_a_photograph_in_another_folder_is_the_one_if_its_size_agrees(world: World, read: Read) -> None:
    world.plane()
    world.photograph("moved/other.jpg", (12, 20))
    world.photograph("moved/smaller.jpg", (11, 20))
    world.mask(f"{WINGS}/1.json", f"{PLANE}/other.jpg")
    world.mask(f"{WINGS}/2.json", f"{PLANE}/smaller.jpg")
    reading = read(world.root)
    assert [p.key for p in reading.photographs["moved/other.jpg"].parts] == [f"{WINGS}/1.json"]
    assert reading.repairs["image_moved"] == 1
    assert reading.rules == {f"{WINGS}/2.json": "image_missing"}
    assert reading.photographs["moved/smaller.jpg"].objects == []


@pytest.mark.parametrize("folder", ["boats--canoe", "Boats--Canoe", "old/boats--canoe", "boats--canoe/old"])
def test_the_photograph_of_another_object_is_never_the_one_that_is_missing(
    world: World, read: Read, folder: str
) -> None:
    world.plane()
    world.photograph(f"{folder}/57.jpg", (12, 20))
    world.mask(f"{WINGS}/1.json", f"{PLANE}/57.jpg")
    reading = read(world.root)
    assert reading.rules == {f"{WINGS}/1.json": "image_missing"}
    assert reading.photographs[f"{folder}/57.jpg"].objects == []
    assert reading.repairs["image_moved"] == 0


def test_a_file_name_that_two_other_folders_have_is_not_guessed(world: World, read: Read) -> None:
    world.plane()
    for folder in ("moved", "elsewhere"):
        world.photograph(f"{folder}/twice.jpg")
    world.mask(f"{WINGS}/1.json", f"{PLANE}/twice.jpg")
    assert read(world.root).rules == {f"{WINGS}/1.json": "image_missing"}


@pytest.mark.parametrize(
    "image_path",
    ["../../etc/passwd.jpg", "", "images\\1.jpg", "a/../../1.jpg", "C:/images/1.jpg", "x/1\n.jpg", " "],
)
def test_a_path_that_climbs_or_is_no_path_is_quarantined(world: World, read: Read, image_path: str) -> None:
    world.plane()
    world.mask(f"{WINGS}/1.json", "", image_path=image_path)
    assert read(world.root).rules == {f"{WINGS}/1.json": "image_path_unsafe"}


def test_a_path_is_never_opened_outside_the_folder(world: World, read: Read, tmp_path: Path) -> None:
    world.plane()
    Image.new("RGB", (20, 12)).save(tmp_path / "secret.jpg")
    world.mask(f"{WINGS}/1.json", "", image_path=str(tmp_path / "secret.jpg"))
    assert read(world.root).rules == {f"{WINGS}/1.json": "image_missing"}


def test_links_that_lead_out_or_to_folders_are_not_followed(world: World, read: Read, tmp_path: Path) -> None:
    world.plane()
    Image.new("RGB", (20, 12)).save(tmp_path / "outside.jpg")
    (world.root / "images" / PLANE / "out.jpg").symlink_to(tmp_path / "outside.jpg")
    (world.root / "images" / PLANE / "circle").symlink_to(world.root / "images")
    (world.root / "images" / PLANE / "inside.jpg").symlink_to(world.root / "images" / PHOTOGRAPH)
    (world.root / "masks" / WINGS / "dangling.json").symlink_to(tmp_path / "nothing.json")
    (world.root / "masks" / "folder").symlink_to(tmp_path)
    reading = read(world.root)
    assert set(reading.rules) == {f"{PLANE}/out.jpg", f"{PLANE}/circle", f"{WINGS}/dangling.json", "folder"}
    assert set(reading.rules.values()) == {"link_leads_out"}
    assert f"{PLANE}/inside.jpg" in reading.photographs


def test_a_file_name_that_is_not_utf8_is_quarantined(world: World, read: Read) -> None:
    world.plane()
    source = os.fsencode(world.root / "images" / PHOTOGRAPH)
    try:
        os.link(source, os.path.join(os.path.dirname(source), b"caf\xe9.jpg"))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    reading = read(world.root)
    assert list(reading.rules.values()) == ["file_name_undecodable"]
    assert len(reading.photographs) == 1


@pytest.mark.parametrize(("orientation", "upright"), [(1, (12, 20)), (3, (12, 20)), (6, (20, 12)), (8, (20, 12))])
def test_the_size_is_that_of_the_upright_photograph(
    world: World, read: Read, orientation: int, upright: tuple[int, int]
) -> None:
    world.photograph(PHOTOGRAPH, (12, 20), orientation=orientation)
    world.mask(f"{WINGS}/0.json", PHOTOGRAPH, size=upright)
    reading = read(world.root)
    photograph = reading.photographs[PHOTOGRAPH]
    assert (photograph.height, photograph.width) == upright
    assert photograph.transposed == (orientation != 1)
    assert reading.repairs["exif_transposed"] == (orientation != 1)


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("000000005802.jpg", "coco/000000005802"),
        ("modified_images/000000005802-0.jpg", "coco/000000005802"),
        ("000000005802_1a2b3c4d.jpg", "coco/000000005802"),
        ("modified_images/000000005802-12_1a2b3c4d.jpg", "coco/000000005802"),
        ("2008_000003.png", "voc/2008_000003"),
        ("2008_000003-1.jpg", "voc/2008_000003"),
        ("n02099601_1.JPEG", "imagenet/n02099601_1"),
        ("n02099601_1-0.JPEG", "imagenet/n02099601_1"),
        ("n02099601_12345678.JPEG", "imagenet/n02099601_12345678"),
        ("n02099601_1_1a2b3c4d.JPEG", "imagenet/n02099601_1"),
        ("000000005802-a.jpg", ""),
        ("0000000058021.jpg", ""),
        ("000000005802_1a2b3c4.jpg", ""),
        ("1.jpg", ""),
    ],
)
def test_a_copy_is_known_for_the_photograph_that_it_was_made_of(name: str, identity: str) -> None:
    assert photographs.identity(name) == identity


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
def test_exif_is_found_in_every_kind_of_photograph(world: World, kind: str) -> None:
    path = world.photograph(f"a.{kind.lower()}", (12, 20), kind, orientation=6)
    assert photographs.header(path) == photographs.Header(12, 20, True, False)


def test_webp_in_a_jpg_is_read_for_what_it_is(world: World, read: Read) -> None:
    world.plane()
    world.photograph(f"{PLANE}/2.jpg", (33, 44), "WEBP")
    world.photograph(f"{PLANE}/3.JPG", (33, 44), "JPEG")
    world.photograph(f"{PLANE}/4.jpeg", (33, 44), "JPEG")
    world.photograph(f"{PLANE}/5.webp", (33, 44), "WEBP")
    reading = read(world.root)
    assert len(reading.photographs) == 5
    assert (reading.photographs[f"{PLANE}/2.jpg"].height, reading.photographs[f"{PLANE}/2.jpg"].width) == (
        33,
        44,
    )
    assert reading.repairs["extension_lies"] == 1


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff", b"GIF", b"<svg/>", b"RIFF\x00\x00\x00\x00WEBP"])
def test_a_photograph_that_cannot_be_read_goes_to_quarantine_with_its_masks(
    world: World, read: Read, content: bytes
) -> None:
    world.plane()
    world.write(f"images/{PLANE}/2.jpg", content)
    world.mask(f"{WINGS}/1.json", f"{PLANE}/2.jpg")
    world.mask(f"{PLANE}/1.json", f"{PLANE}/2.jpg")
    reading = read(world.root)
    assert {(row.table, row.row_id, row.rule) for row in reading.rejected} == {
        ("images", f"{PLANE}/2.jpg", "image_unreadable"),
        ("parts", f"{WINGS}/1.json", "image_unreadable"),
        ("objects", f"{PLANE}/1.json", "image_unreadable"),
    }
    assert list(reading.photographs) == [PHOTOGRAPH]


@pytest.mark.parametrize("side", [14_000, 60_000])
def test_a_decompression_bomb_is_not_opened_any_further(world: World, read: Read, side: int) -> None:
    world.plane()
    world.write(f"images/{PLANE}/2.png", png_header(side, side))
    assert read(world.root).rules == {f"{PLANE}/2.png": "image_too_large"}


def test_without_any_photographs_their_size_is_that_of_most_masks(world: World, read: Read) -> None:
    world.mask(f"{WINGS}/0.json", PHOTOGRAPH, size=(12, 20))
    world.mask(f"{WINGS}/1.json", PHOTOGRAPH, (7, 7, 8, 8), size=(12, 20))
    world.mask(f"{WINGS}/2.json", PHOTOGRAPH, size=(30, 30))
    reading = read(world.root)
    photograph = reading.photographs[PHOTOGRAPH]
    assert (photograph.height, photograph.width, photograph.path) == (12, 20, None)
    assert reading.plan.images_root is None
    assert reading.repairs["images_absent"] == 1


@pytest.mark.parametrize("size", [[0, 5], [-3, -4], [400_000, 400_000], [12], []])
def test_a_photograph_of_unknown_size_is_quarantined_with_its_masks(world: World, read: Read, size: list[int]) -> None:
    world.mask(f"{WINGS}/0.json", PHOTOGRAPH, size=(12, 20))
    world.mask(f"{WINGS}/1.json", f"{PLANE}/2.jpg")
    path = world.root / "masks" / WINGS / "1.json"
    path.write_text(path.read_text().replace("[12, 20]", str(size)))
    reading = read(world.root)
    assert reading.rules == {f"{PLANE}/2.jpg": "image_size_unknown", f"{WINGS}/1.json": "image_size_unknown"}


def test_photographs_that_lie_elsewhere_are_found_there(world: World, read: Read, tmp_path: Path) -> None:
    world.plane()
    (world.root / "images").rename(tmp_path / "photos")
    reading = read(world.root, images=tmp_path / "photos")
    assert reading.photographs[PHOTOGRAPH].path == PHOTOGRAPH
    assert reading.plan.images_root == tmp_path / "photos"


@pytest.mark.parametrize(
    ("path", "pieces"),
    [
        (f"{AUTHORS}/a--b/1.jpg", ["shared", "nas2", "someone", "partonomy", "images", "a--b", "1.jpg"]),
        ("/x/../y//./1.jpg", ["y", "1.jpg"]),
        ("1.jpg", ["1.jpg"]),
    ],
)
def test_a_path_is_taken_to_pieces_without_looking_at_the_disk(path: str, pieces: list[str]) -> None:
    assert photographs.pieces_of(path) == pieces


def test_a_folder_of_images_whose_name_is_not_utf8_names_no_category(world: World, read: Read) -> None:
    world.plane()
    folder = os.path.join(os.fsencode(world.root), b"images", b"boats--\xff")
    os.mkdir(folder)
    os.link(os.fsencode(world.root / "images" / PHOTOGRAPH), os.path.join(folder, b"1.jpg"))
    reading = read(world.root)
    assert reading.rules == {"boats--\\xff": "file_name_undecodable"}
    assert [thing.key for thing in reading.plan.vocabulary.objects] == [PLANE]
