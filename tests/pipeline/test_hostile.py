"""Hostile input, as a user meets it: a wrong file is refused in one line, a bad row goes to quarantine, no more is lost."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from PIL import Image

import partonomy_data
from tests.helpers import paco
from tests.helpers.command import Outcome, partonomy


def build(tmp_path: Path, source: Path, name: str = "paco", *more: object) -> Outcome:
    return partonomy("build", "--root", tmp_path / "store", "--source", f"{name}={source}", "--workers", 1, *more)


def refused(outcome: Outcome) -> str:
    """The one line of a refusal: status 2, nothing on stdout, no traceback."""
    assert outcome.status == 2
    assert outcome.out == ""
    lines = [line for line in outcome.err.splitlines() if line.startswith("partonomy: ")]
    assert len(lines) == 1
    assert "Traceback" not in outcome.err
    return lines[0]


def quarantined(tmp_path: Path) -> list[tuple[str, str]]:
    with partonomy_data.open(tmp_path / "store") as store:
        rows = store.table("quarantine", columns=["table_name", "rule"]).to_pylist()
    return sorted((row["table_name"], row["rule"]) for row in rows)


def counts(tmp_path: Path) -> tuple[int, ...]:
    with partonomy_data.open(tmp_path / "store") as store:
        return tuple(len(store.table(name)) for name in ("images", "objects", "parts"))


def paco_text(change: Callable[[bytes], bytes], tmp_path: Path) -> Path:
    folder = paco.write(tmp_path / "paco")
    path = folder / "annotations" / "paco_lvis_v1_train.json"
    path.write_bytes(change(path.read_bytes()))
    return folder


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text[: len(text) // 2], "ends early"),
        (lambda text: b"", "is empty"),
        (lambda text: b"\x00" * 100, "not valid JSON"),
        (lambda text: b'{"info":' + b"[" * 500_000, "nested too deeply"),
        (lambda text: text.replace(b'"OBJECT"', b'"animal"'), "is not PACO's"),
    ],
    ids=["truncated", "empty", "binary", "nested", "other dataset"],
)
def test_a_wrong_file_is_refused(tmp_path: Path, change: Callable[[bytes], bytes], says: str) -> None:
    line = refused(build(tmp_path, paco_text(change, tmp_path)))
    assert says in line
    assert "paco_lvis_v1_train.json" in line


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    source = paco_text(lambda text: b"\xef\xbb\xbf" + text, tmp_path)
    assert build(tmp_path, source).status == 0
    assert counts(tmp_path) == (3, 4, 3)


@pytest.mark.parametrize("name", ["paco", "partimagenet", "pascal_part", "partonomy"])
def test_each_reader_refuses_what_is_not_its_dataset(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "coco"
    folder.mkdir()
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 4, "width": 4}],
        "annotations": [],
        "categories": [{"id": 1, "name": "person", "supercategory": "person"}],
    }
    (folder / "instances_train2017.json").write_text(json.dumps(content))
    (folder / "train.json").write_text(json.dumps(content))
    (tmp_path / "nothing").mkdir()
    for wrong in (folder, tmp_path / "nothing", tmp_path / "missing"):
        assert str(wrong) in refused(build(tmp_path, wrong, name))
    assert not (tmp_path / "store" / "CURRENT").exists()


#: What a part's row is changed to → the rule that finds it.
BAD_ROWS: list[tuple[dict[str, Any], str]] = [
    ({"id": 13}, "duplicate_annotation_id"),
    ({"segmentation": {"size": [81, 60], "counts": "0"}}, "mask_size_mismatch"),
    ({"segmentation": {"size": [200_000, 200_000], "counts": "1"}}, "mask_size_mismatch"),  # 37 GiB
    ({"segmentation": {"size": [60, 80], "counts": [10, -3, 4793]}}, "rle_negative_run"),
    ({"segmentation": [[1.0, 1.0, float("nan"), 5.0, 9.0, 9.0]]}, "number_not_finite"),
    ({"segmentation": "no mask"}, "row_malformed"),
    ({"category_id": 10**30}, "category_unknown"),
]


def test_a_bad_row_goes_to_quarantine_alone(tmp_path: Path) -> None:
    data = paco.mugs(len(BAD_ROWS) + 1)
    for row, (change, _) in zip(data["annotations"][1::3], BAD_ROWS, strict=False):
        row.update(change)
    outcome = build(tmp_path, paco.write(tmp_path / "paco", data))
    assert outcome.status == 0, outcome.err
    with partonomy_data.open(tmp_path / "store") as store:
        left = store.sql("SELECT image_id, count(*) FROM parts GROUP BY ALL ORDER BY ALL").fetchall()
    photographs = [f"paco/{n:012d}" for n in range(1, len(BAD_ROWS) + 2)]
    assert sorted(rule for _, rule in quarantined(tmp_path)) == sorted(rule for _, rule in BAD_ROWS)
    assert left == [*((name, 1) for name in photographs[:-1]), (photographs[-1], 2)]
    assert counts(tmp_path)[:2] == (len(photographs), len(photographs))


def test_a_file_name_that_leaves_the_folder_is_not_followed(tmp_path: Path) -> None:
    data = paco.mugs(4)
    names = ["../../secret.jpg", "/etc/passwd", "a\\..\\b.jpg"]
    for row, name in zip(data["images"], names, strict=False):
        row["file_name"] = name
    assert build(tmp_path, paco.write(tmp_path / "paco", data)).status == 0
    assert quarantined(tmp_path).count(("images", "file_name_unsafe")) == len(names)
    assert counts(tmp_path) == (1, 1, 2)


def with_photographs(folder: Path, data: dict[str, Any]) -> Path:
    for row in data["images"]:
        target = folder / row["file_name"]
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (paco.WIDTH, paco.HEIGHT), (200, 30, 30)).save(target)
    return folder


def bomb() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 65_000, 65_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0" * 1000)) + chunk(b"IEND", b"")
    )


def test_a_bad_photograph_takes_its_own_annotations_along(tmp_path: Path) -> None:
    data = paco.mugs(4)
    source = with_photographs(paco.write(tmp_path / "paco", data), data)
    for n, content in enumerate((bomb(), b"", b"GIF89a"), 1):
        (source / "train2017" / f"{n:012d}.jpg").write_bytes(content)
    assert build(tmp_path, source).status == 0
    with partonomy_data.open(tmp_path / "store") as store:
        lost = store.sql("SELECT row_id, rule FROM quarantine WHERE table_name = 'images' ORDER BY ALL").fetchall()
    rules = ["photograph_too_large", "photograph_unreadable", "photograph_unreadable"]
    assert lost == [(f"paco/{n:012d}", rule) for n, rule in enumerate(rules, 1)]
    rest = [found for found in quarantined(tmp_path) if found[0] != "images"]
    assert Counter(rest) == {("objects", "image_quarantined"): 3, ("parts", "image_quarantined"): 6}
    assert counts(tmp_path) == (1, 1, 2)


def test_a_missing_photograph_is_told_and_its_annotations_stay(tmp_path: Path) -> None:
    source = with_photographs(paco.write(tmp_path / "paco"), paco.content())
    (source / "train2017" / "000000000001.jpg").unlink()
    outcome = build(tmp_path, source)
    assert outcome.status == 0
    assert "1 of 3 photographs were not found" in outcome.err
    assert counts(tmp_path) == (3, 4, 3)


def mat(path: Path, objects: np.ndarray) -> None:
    anno = np.zeros((1, 1), dtype=[("imname", object), ("objects", object)])
    anno[0, 0] = (path.stem, objects)
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {"anno": anno})


def test_a_mat_file_without_objects_is_a_photograph_without_objects(tmp_path: Path) -> None:
    kind = [("class", object), ("class_ind", object), ("mask", object), ("parts", object)]
    mat(tmp_path / "voc" / "Annotations_Part" / "2008_000001.mat", np.zeros((1, 0), dtype=kind))
    one = np.zeros((1, 1), dtype=kind)
    one[0, 0] = ("boat", 4, np.ones((5, 6), dtype=np.uint8), np.zeros((0, 0)))
    mat(tmp_path / "voc" / "Annotations_Part" / "2008_000002.mat", one)
    (tmp_path / "voc" / "Annotations_Part" / "2008_000003.mat").write_bytes(b"MATLAB 5.0 MAT-file, cut off")
    outcome = build(tmp_path, tmp_path / "voc", "pascal_part")
    assert outcome.status == 0, outcome.err
    with partonomy_data.open(tmp_path / "store") as store:
        assert store.table("objects")["image_id"].to_pylist() == ["pascal_part/2008_000002"]
        lost = store.table("quarantine").to_pylist()
    assert [
        (row["table_name"], row["row_id"].split(".")[0].split("/")[-1]) for row in lost if "000003" in row["row_id"]
    ] == [("images", "2008_000003")]


def test_wrong_options_are_told_in_one_line(tmp_path: Path) -> None:
    source = paco.write(tmp_path / "paco")
    assert "NAME=PATH" in refused(partonomy("build", "--root", tmp_path / "s", "--source", "paco"))
    assert "Known sources are paco" in refused(
        partonomy("build", "--root", tmp_path / "s", "--source", f"coco={source}")
    )
    assert "no source was given" in refused(partonomy("build", "--root", tmp_path / "s"))
    assert "at least 1" in refused(build(tmp_path, source, "paco", "--limit", 0))
    assert "--exclude" in refused(build(tmp_path, source, "paco", "--exclude", tmp_path / "none"))
    assert "no runner" in refused(build(tmp_path, source, "paco", "--runner", "cloud"))
    assert refused(partonomy("query", "SELECT 1", "--root", tmp_path / "nowhere"))


def test_a_file_name_that_is_not_utf8_is_no_end(tmp_path: Path) -> None:
    source = paco.write(tmp_path / "paco")
    with open(os.path.join(os.fsencode(source), b"f\xfcr mich.txt"), "wb") as file:
        file.write(b"x")
    assert build(tmp_path, source).status == 0
    assert counts(tmp_path) == (3, 4, 3)
    assert "nothing has changed" in partonomy("refresh", "--root", tmp_path / "store").out


def test_annotations_in_a_folder_that_is_a_link_are_read_and_watched(tmp_path: Path) -> None:
    source = paco.write(tmp_path / "paco")
    (source / "annotations").rename(tmp_path / "elsewhere")
    (source / "annotations").symlink_to(tmp_path / "elsewhere")
    (source / "self").symlink_to("self")
    (source / "all").symlink_to("/usr")
    assert build(tmp_path, source).status == 0
    assert "nothing has changed" in partonomy("refresh", "--root", tmp_path / "store").out
    paco.write(tmp_path / "other", paco.mugs(5))
    changed = (tmp_path / "other" / "annotations" / "paco_lvis_v1_train.json").read_bytes()
    (tmp_path / "elsewhere" / "paco_lvis_v1_train.json").write_bytes(changed)
    assert "nothing has changed" not in partonomy("refresh", "--root", tmp_path / "store").out
    assert counts(tmp_path)[0] == 5
