"""From photographs to rows: nothing lost, links kept, unusable masks replaced, evidence told."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pytest

import partonomy_data
from partonomy_data import BuildConfig, SourceSetting, ids
from partonomy_data.pipeline.runs import BuildReport
from tests.helpers import paco

Built: TypeAlias = tuple[BuildReport, dict[str, pa.Table]]


def build(tmp_path: Path, data: dict[str, Any], **settings: Any) -> Built:
    source = paco.write(tmp_path / "paco", data)
    config = BuildConfig(sources={"paco": SourceSetting(str(source))}, workers=1, **settings)
    done = partonomy_data.build(tmp_path / "store", config)
    with partonomy_data.open(tmp_path / "store") as store:
        names = ("images", "objects", "parts", "part_evidence", "attributes", "quarantine")
        tables = {name: store.table(name) for name in names}
    for table in ("images", "objects", "parts", "attributes"):
        one = done.counts["paco"][table]
        assert one.balanced()
        assert one.out == len(tables[table])
        assert one.quarantined == sum(row == table for row in tables["quarantine"]["table_name"].to_pylist())
    return done, tables


def rows(table: pa.Table, **where: Any) -> list[dict[str, Any]]:
    return [row for row in table.to_pylist() if all(row[key] == value for key, value in where.items())]


@pytest.fixture(scope="module")
def clean_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a source in which nothing is wrong is built."""
    return tmp_path_factory.mktemp("clean")


@pytest.fixture(scope="module")
def clean(clean_root: Path) -> Built:
    """What that source comes to."""
    return build(clean_root, paco.content())


def test_a_clean_source_goes_through_whole(clean: Built) -> None:
    done, tables = clean
    assert [done.total(name).out for name in ("images", "objects", "parts")] == [3, 4, 3]
    assert len(tables["quarantine"]) == 0
    (mug,) = rows(tables["objects"], source_key="1")
    assert mug["object_category"] == "mug"
    assert mug["bbox"] == [10, 10, 40, 30]
    assert (mug["area"], mug["mask_origin"], mug["merged"], mug["n_parts"]) == (1200, "annotated", False, 2)
    (handle,) = rows(tables["parts"], source_key="2")
    assert handle["object_id"] == mug["object_id"]
    assert (handle["part_category"], handle["source_category"]) == ("handle", "mug:handle")
    assert (handle["match_method"], handle["bbox"], handle["area"]) == ("linked", [40, 15, 8, 10], 80)
    assert handle["part_id"][4:10] == mug["object_id"][4:10]


def test_masks_come_out_pixel_for_pixel(clean: Built, clean_root: Path) -> None:
    with partonomy_data.open(clean_root / "store") as store:
        ((part_id,),) = store.sql("SELECT part_id FROM parts WHERE source_key = '3'").fetchall()
        mask = store.mask(part_id)
    expected = np.zeros((paco.HEIGHT, paco.WIDTH), dtype=np.uint8)
    expected[10:14, 12:32] = 1
    assert mask.dtype == np.uint8
    assert np.array_equal(mask, expected)


def test_evidence_tells_present_absent_and_unknown(tmp_path: Path) -> None:
    data = paco.content()
    data["images"][0]["neg_category_ids"] = []
    _, tables = build(tmp_path, data)
    key_of = {row["object_id"]: row["source_key"] for row in tables["objects"].to_pylist()}
    told = {
        (key_of[row["object_id"]], row["part_category"]): (row["status"], row["why"])
        for row in tables["part_evidence"].to_pylist()
    }
    assert told == {
        ("1", "handle"): ("present", "annotated"),
        ("1", "inner rim"): ("present", "annotated"),
        ("4", "handle"): ("absent", "exhaustive_label"),
        ("4", "inner rim"): ("unknown", "unannotated"),
        ("5", "handle"): ("present", "annotated"),
        ("5", "inner rim"): ("unknown", "unannotated"),
    }


BAD_MASKS: list[tuple[Any, str]] = [
    ({"size": [60, 81], "counts": "0"}, "mask_size_mismatch"),
    ({"size": [200_000, 200_000], "counts": "1"}, "mask_size_mismatch"),
    ({"size": [60, 80], "counts": [5, -5, 4800]}, "rle_negative_run"),
    ({"size": [60, 80], "counts": [5, 5]}, "rle_wrong_total"),
    ([[1.0, 2.0, 3.0, 4.0]], "polygon_degenerate"),
    ([[1.0, 2.0, 30.0, 4.0, 5.0, 16.0, 7.0]], "polygon_odd_length"),
    ([[90.0, 70.0, 95.0, 70.0, 95.0, 75.0]], "mask_empty"),
    ([[1e9, 1e9, 1e9 + 9, 1e9, 1e9, 1e9 + 9]], "polygon_out_of_range"),
]


def with_bad_masks(place: int) -> dict[str, Any]:
    """A photograph of a mug for each bad mask, which one of its annotations has; and one without."""
    data = paco.mugs(len(BAD_MASKS) + 1)
    for row, (mask, _) in zip(data["annotations"][place::3], BAD_MASKS, strict=False):
        row["segmentation"] = mask
    return data


def test_a_part_with_a_bad_mask_goes_alone_to_quarantine(tmp_path: Path) -> None:
    done, tables = build(tmp_path, with_bad_masks(1))
    lost = {row["row_id"]: row for row in tables["quarantine"].to_pylist()}
    assert len(lost) == len(tables["quarantine"]) == len(BAD_MASKS)
    for n, (_, rule) in enumerate(BAD_MASKS, 1):
        row = lost[f"paco/{n:012d}#{10 * n + 2}"]
        assert (row["table_name"], row["rule"]) == ("parts", rule)
        assert f'"key":"{10 * n + 2}"' in row["row"]
        owner = rows(tables["objects"], source_key=str(10 * n + 1))[0]["object_id"]
        (told,) = rows(tables["part_evidence"], object_id=owner, part_category="handle")
        assert told["status"] == "unknown"
        assert [part["part_category"] for part in rows(tables["parts"], object_id=owner)] == ["inner rim"]
    for rule, n in Counter(rule for _, rule in BAD_MASKS).items():
        assert done.rules["paco"][rule] == n
    assert (len(tables["objects"]), len(tables["parts"])) == (len(BAD_MASKS) + 1, len(BAD_MASKS) + 2)


def test_an_object_with_a_bad_mask_is_made_of_its_parts_again(tmp_path: Path) -> None:
    done, tables = build(tmp_path, with_bad_masks(0))
    lost = {row["row_id"]: (row["table_name"], row["rule"]) for row in tables["quarantine"].to_pylist()}
    assert len(tables["quarantine"]) == len(BAD_MASKS)
    assert lost == {f"paco/{n:012d}#{10 * n + 1}": ("objects", rule) for n, (_, rule) in enumerate(BAD_MASKS, 1)}
    for n in range(1, len(BAD_MASKS) + 1):
        (mug,) = rows(tables["objects"], source_key=str(10 * n + 1))
        assert (mug["mask_origin"], mug["area"], mug["bbox"]) == ("union_of_parts", 160, [12, 10, 36, 15])
        assert len(rows(tables["parts"], object_id=mug["object_id"], match_method="linked")) == 2
    assert done.counts["paco"]["objects"].derived == len(BAD_MASKS)


def test_an_object_with_a_bad_mask_and_no_parts_is_gone_with_its_attributes(tmp_path: Path) -> None:
    data = paco.content()
    data["annotations"][6] |= {"segmentation": [[1.0, 2.0]], "attribute_ids": [0]}
    _, tables = build(tmp_path, data)
    assert [(row["table_name"], row["rule"]) for row in tables["quarantine"].to_pylist()] == [
        ("attributes", "annotation_quarantined"),
        ("objects", "polygon_degenerate"),
    ]
    assert len(tables["objects"]) == 3


def test_an_object_without_mask_gets_the_union_of_its_parts_and_else_keeps_its_box(tmp_path: Path) -> None:
    data = paco.content()
    for row in (data["annotations"][0], data["annotations"][6]):
        row["segmentation"] = []
    _, tables = build(tmp_path, data)
    (mug,) = rows(tables["objects"], source_key="1")
    assert (mug["mask_origin"], mug["area"]) == ("union_of_parts", 160)
    (ball,) = rows(tables["objects"], source_key="7")
    assert (ball["mask_origin"], ball["area"], ball["mask"]) == ("none", None, None)
    assert ball["bbox"] == [10, 10, 40, 30]
    assert {row["match_method"] for row in rows(tables["parts"], object_id=mug["object_id"])} == {"linked"}


def test_a_part_without_link_finds_its_object_by_overlap(tmp_path: Path) -> None:
    data = paco.content()
    data["annotations"][5]["obj_ann_id"] = 12345
    _, tables = build(tmp_path, data)
    (handle,) = rows(tables["parts"], source_key="6")
    (owner,) = rows(tables["objects"], object_id=handle["object_id"])
    assert (owner["source_key"], handle["match_method"], handle["match_overlap"]) == ("5", "overlap", 1.0)


def test_a_part_that_fits_no_object_is_not_given_to_a_wrong_one(tmp_path: Path) -> None:
    data = paco.content()
    data["annotations"][5] |= {"obj_ann_id": 12345, "segmentation": paco.rle(0, 50, 5, 5)}
    _, tables = build(tmp_path, data)
    assert [row["rule"] for row in tables["quarantine"].to_pylist()] == ["part_unplaced"]


def test_parts_of_a_category_without_any_object_make_one(tmp_path: Path) -> None:
    data = paco.content()
    for key, x in ((8, 10), (9, 50)):
        data["annotations"].append(paco.annotation(key, 3, paco.CUP_HANDLE, paco.rle(x, 5, 4, 4), owner=999))
    done, tables = build(tmp_path, data)
    (cup,) = rows(tables["objects"], object_category="cup")
    assert (cup["merged"], cup["mask_origin"], cup["area"], cup["n_parts"]) == (True, "union_of_parts", 32, 2)
    assert {row["match_method"] for row in rows(tables["parts"], object_id=cup["object_id"])} == {"union"}
    assert done.counts["paco"]["objects"].derived == 1


def test_excluded_ids_go_to_quarantine_with_all_that_is_theirs(clean: Built, tmp_path: Path) -> None:
    _, before = clean
    part = rows(before["parts"], source_key="6")[0]["part_id"]
    listed = tmp_path / "bad.txt"
    listed.write_text(f"# seen by eye\npaco/000000000001\n\n{part}  # wrong mug\n")
    _, tables = build(tmp_path / "b", paco.content(), exclude=str(listed))
    found = sorted((row["table_name"], row["rule"]) for row in tables["quarantine"].to_pylist())
    assert found == [
        ("images", "excluded"),
        ("objects", "image_quarantined"),
        ("parts", "excluded"),
        ("parts", "image_quarantined"),
        ("parts", "image_quarantined"),
    ]
    assert len(tables["images"]) == 2


def test_the_parts_of_an_excluded_object_go_with_it(clean: Built, tmp_path: Path) -> None:
    _, before = clean
    listed = tmp_path / "bad.txt"
    listed.write_text(rows(before["objects"], source_key="5")[0]["object_id"])
    done, tables = build(tmp_path / "b", paco.content(), exclude=str(listed))
    found = sorted((row["table_name"], row["rule"]) for row in tables["quarantine"].to_pylist())
    assert found == [("objects", "excluded"), ("parts", "excluded")]
    assert done.counts["paco"]["objects"].derived == 0


def excluded(folder: Path, data: dict[str, Any], *listed: str) -> tuple[BuildReport, list[tuple[str, str, str]]]:
    """The build, and (table, source's key, rule) of what is in quarantine."""
    folder.mkdir()
    bad = folder / "bad.txt"
    bad.write_text("\n".join(listed))
    done, tables = build(folder, data, exclude=str(bad))
    return done, sorted(
        (row["table_name"], row["row_id"].partition("#")[2], row["rule"]) for row in tables["quarantine"].to_pylist()
    )


def test_parts_that_no_link_gives_to_an_excluded_object_go_with_it(tmp_path: Path) -> None:
    data = paco.content()
    for row in data["annotations"][1:3]:
        row["obj_ann_id"] = 12345
    # Half of the handle lies in the other mug of the second photograph, and more of it in its own.
    data["annotations"][3]["segmentation"] = paco.ring(5, 5, 40, 20)
    data["annotations"][5]["obj_ann_id"] = 12345
    listed = [ids.object_id("paco/000000000001", "1"), ids.object_id("paco/000000000002", "5")]
    done, found = excluded(tmp_path / "a", data, *listed)
    assert found == [
        ("objects", "1", "excluded"),
        ("objects", "5", "excluded"),
        ("parts", "2", "excluded"),
        ("parts", "3", "excluded"),
        ("parts", "6", "excluded"),
    ]
    assert done.counts["paco"]["objects"].derived == 0


def test_an_excluded_object_that_is_made_of_parts_or_has_a_bad_mask_goes_once(tmp_path: Path) -> None:
    data = paco.content()
    data["annotations"].append(paco.annotation(8, 3, paco.CUP_HANDLE, paco.rle(10, 5, 4, 4), owner=999))
    data["annotations"][0]["segmentation"] = [[1.0, 2.0]]
    cup = ids.object_id("paco/000000000003", "parts of cup_(drink_container)")
    done, found = excluded(tmp_path / "a", data, cup, ids.object_id("paco/000000000001", "1"))
    assert found == [
        ("objects", "1", "excluded"),
        ("objects", "parts of cup_(drink_container)", "excluded"),
        ("parts", "2", "excluded"),
        ("parts", "3", "excluded"),
        ("parts", "8", "excluded"),
    ]
    assert done.counts["paco"]["objects"].derived == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "box", [[-50, -50, 1e6, 1e300], [-1e308, -1e308, 1e308, 1e308], [1e308, 0, 1e308, 5], [0, 0, 1e-60, 5]]
)
def test_a_box_that_no_table_can_hold_is_none(tmp_path: Path, box: list[float]) -> None:
    data = paco.content()
    mug, ball = data["annotations"][0], data["annotations"][6]
    for row in (mug, ball):
        row["segmentation"], row["bbox"] = [], box
    data["annotations"][1]["obj_ann_id"] = 999
    _, tables = build(tmp_path, data)
    (ball,) = rows(tables["objects"], source_key="7")
    assert (ball["mask_origin"], ball["bbox"]) == ("none", None)
    assert len(tables["parts"]) == 3
