"""A part that was annotated, and went to quarantine, is unknown in the object whose it may be, and in no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import pytest

import partonomy_data
from partonomy_data import BuildConfig, SourceSetting, ids
from tests.helpers import paco

#: What becomes of the row of the first mug's handle, and the rule that it breaks.
DAMAGES: list[tuple[dict[str, Any], str]] = [
    ({"id": 23}, "duplicate_annotation_id"),
    ({"bbox": [float("nan")] * 4}, "number_not_finite"),
    ({"attribute_ids": ["7"]}, "row_malformed"),
    ({"category_id": "2000"}, "row_malformed"),
    ({"category_id": 999}, "category_unknown"),
    ({"segmentation": {"size": [60, 80], "counts": "zz"}}, "rle_alphabet"),
    ({"segmentation": {"size": [60, 80], "counts": [4800]}}, "mask_empty"),
    ({}, "excluded"),
]
Told: TypeAlias = dict[tuple[int, str, str], tuple[str, str]]
Built: TypeAlias = tuple[dict[str, int], Told, set[tuple[int, str]]]


def three_mugs(count: int) -> dict[str, Any]:
    """`count` photographs of mugs 11, 12 and 13 (1 to 3 of the first photograph): two with a handle, the third without."""
    data = paco.content()
    first, rows = data["images"][0], []
    data["images"] = [{**first, "id": n, "file_name": f"train2017/{n:012d}.jpg"} for n in range(1, count + 1)]
    for n in range(1, count + 1):
        start = 100 * n
        rows += [
            *(
                paco.annotation(start + key, n, paco.MUG, paco.ring(x, 5, 15, 30))
                for key, x in ((11, 5), (12, 30), (13, 55))
            ),
            *(
                paco.annotation(start + key, n, paco.MUG_HANDLE, paco.rle(x, 8, 6, 6), owner=start + owner)
                for key, x, owner in ((23, 32, 12), (24, 7, 11))
            ),
        ]
    data["annotations"] = rows
    return data


def told(root: Path) -> Told:
    """(photograph, mug, part) → status and why."""
    with partonomy_data.open(root) as store:
        sql = "SELECT o.image_id, o.source_key, e.* FROM part_evidence e JOIN objects o USING (object_id)"
        rows = store.sql(sql).to_arrow_table().to_pylist()
    return {
        (int(row["image_id"][-12:]), f"mug {int(row['source_key']) % 100}", row["part_category"]): (
            row["status"],
            row["why"],
        )
        for row in rows
    }


def lacking(root: Path) -> set[tuple[int, str]]:
    """(photograph, mug) that are said to lack a part which is in quarantine."""
    with partonomy_data.open(root) as store:
        sql = "SELECT image_id, source_key FROM objects WHERE list_contains(repairs, 'part_in_quarantine')"
        rows = store.sql(sql).fetchall()
    return {(int(image_id[-12:]), f"mug {int(key) % 100}") for image_id, key in rows}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """How often each rule was applied, the evidence, and who lacks a part, of a photograph for each damage."""
    folder = tmp_path_factory.mktemp("refused")
    data = three_mugs(len(DAMAGES))
    for n, (row, (damage, _)) in enumerate(zip(data["annotations"][4::5], DAMAGES, strict=True), 1):
        row |= damage | ({"id": 100 * n + damage["id"]} if "id" in damage else {})
    listed = folder / "bad.txt"
    listed.write_text(ids.part_id(f"paco/{len(DAMAGES):012d}", f"{len(DAMAGES)}24"))
    config = BuildConfig(
        sources={"paco": SourceSetting(str(paco.write(folder / "paco", data)))}, exclude=str(listed), workers=1
    )
    done = partonomy_data.build(folder / "store", config)
    counts = done.counts["paco"]
    assert counts["objects"].quarantined + counts["parts"].quarantined == len(DAMAGES)
    return dict(done.rules["paco"]), told(folder / "store"), lacking(folder / "store")


@pytest.mark.parametrize("n", range(1, len(DAMAGES) + 1))
def test_a_part_in_quarantine_is_unknown_in_its_own_object_alone(built: Built, n: int) -> None:
    rules, found, without = built
    assert {mug for photograph, mug in without if photograph == n} == {"mug 11"}
    assert rules["part_in_quarantine"] == len(DAMAGES)
    assert DAMAGES[n - 1][1] in rules
    assert found[n, "mug 11", "handle"][0] == "unknown"
    assert found[n, "mug 12", "handle"] == ("present", "annotated")
    assert found[n, "mug 13", "handle"] == ("absent", "exhaustive_label")


def test_without_a_link_it_is_unknown_in_each_object_that_may_have_it(tmp_path: Path) -> None:
    data = three_mugs(1)
    data["annotations"][4] |= {"obj_ann_id": 77, "segmentation": paco.rle(0, 50, 3, 3)}
    config = BuildConfig(sources={"paco": SourceSetting(str(paco.write(tmp_path / "paco", data)))}, workers=1)
    partonomy_data.build(tmp_path / "store", config)
    found = told(tmp_path / "store")
    assert {mug: found[1, mug, "handle"][0] for mug in ("mug 11", "mug 12", "mug 13")} == {
        "mug 11": "unknown",
        "mug 12": "present",
        "mug 13": "unknown",
    }
    assert lacking(tmp_path / "store") == {(1, "mug 11"), (1, "mug 13")}


def test_of_an_object_that_lacks_a_part_in_quarantine_no_question_is_asked(tmp_path: Path) -> None:
    data = three_mugs(12)
    for n, mug in ((n, mug) for n in range(12) for mug in range(2)):
        # Every mug with a handle shows its rim too; that of each third photograph's second mug has no mask.
        key = 100 * (n + 1)
        mask = [] if n % 3 == 0 and mug else paco.rle(6 + 25 * mug, 6, 10, 4)
        data["annotations"].append(paco.annotation(key + 31 + mug, n + 1, paco.MUG_RIM, mask, owner=key + 11 + mug))
    config = BuildConfig(sources={"paco": SourceSetting(str(paco.write(tmp_path / "paco", data)))}, workers=1)
    partonomy_data.build(tmp_path / "store", config)
    without = {(n, "mug 12") for n in (1, 4, 7, 10)}
    assert lacking(tmp_path / "store") == without
    with partonomy_data.open(tmp_path / "store") as store:
        sql = "SELECT DISTINCT o.image_id, o.source_key FROM questions JOIN objects o USING (object_id)"
        asked = {(int(image_id[-12:]), f"mug {int(key) % 100}") for image_id, key in store.sql(sql).fetchall()}
    assert asked
    assert not asked & without
