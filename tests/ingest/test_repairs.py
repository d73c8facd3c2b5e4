"""Which rule was applied to which row: told in the row, and each application in exactly one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

import partonomy_data
from partonomy_data import BuildConfig, SourceSetting
from partonomy_data.sources.base import SourceRequest, reader
from tests.helpers import paco

TABLES = ("images", "objects", "parts", "quarantine")
#: Told of the source, not of a row: the ball's category has no parts.
OF_THE_SOURCE = Counter({"category_without_parts": 1})


def built(tmp_path: Path, data: dict[str, Any], **settings: Any) -> tuple[dict[str, int], dict[str, pa.Table]]:
    """The manifest's counts of rules that are told of rows, and the tables, after building PACO with this content."""
    source = paco.write(tmp_path / "paco", data)
    config = BuildConfig(sources={"paco": SourceSetting(str(source))}, workers=1, **settings)
    partonomy_data.build(tmp_path / "store", config)
    with partonomy_data.open(tmp_path / "store") as store:
        rules = Counter(store.manifest["rules"]["paco"])
        return dict(rules - OF_THE_SOURCE), {name: store.table(name) for name in TABLES}


def told(tables: dict[str, pa.Table], source: str) -> Counter[str]:
    """How often each rule was applied to rows of a source, as the rows say, quarantine's own rules included."""
    counts: Counter[str] = Counter()
    for name in TABLES:
        for row in tables[name].select([*(["rule"] if name == "quarantine" else []), "source", "repairs"]).to_pylist():
            if row["source"] == source:
                assert row["repairs"] == sorted(row["repairs"]), "a build writes down all repairs, sorted"
                counts.update(row["repairs"])
                counts.update([row["rule"]] if name == "quarantine" else [])
    return counts


def repairs(table: pa.Table, key: str = "source_key") -> dict[str, list[str]]:
    """Key → repairs, of the rows that have any."""
    return {row[key]: row["repairs"] for row in table.to_pylist() if row["repairs"]}


def zero_runs(x: int, y: int, w: int, h: int) -> dict[str, Any]:
    """A rectangle as a list of runs, with an empty run in its midst."""
    before, column = x * paco.HEIGHT + y, [h, paco.HEIGHT - h]
    runs = [before, *(column * w)]
    runs[-1] = paco.HEIGHT * paco.WIDTH - sum(runs[:-1])
    half = runs[1] // 2
    return {"size": [paco.HEIGHT, paco.WIDTH], "counts": [runs[0], half, 0, runs[1] - half, *runs[2:]]}


def test_repairs_of_masks_are_told_in_the_rows_that_have_them(tmp_path: Path) -> None:
    data = paco.content()
    data["annotations"][0]["segmentation"] = [[1.0, 2.0, 3.0, 4.0], *paco.ring(10, 10, 40, 30)]
    data["annotations"][1]["segmentation"] = zero_runs(40, 15, 8, 10)
    rules, tables = built(tmp_path, data)
    assert repairs(tables["objects"]) == {"1": ["degenerate_ring"]}
    assert repairs(tables["parts"]) == {"2": ["rle_zero_runs"]}
    assert told(tables, "paco") == rules
    assert rules["degenerate_ring"] == rules["rle_zero_runs"] == 1


def test_two_applications_are_two_entries(tmp_path: Path) -> None:
    data = paco.content()
    thin = [1.0, 2.0, 3.0, 4.0]
    data["annotations"][0]["segmentation"] = [thin, *paco.ring(10, 10, 40, 30), thin]
    rules, tables = built(tmp_path, data)
    assert repairs(tables["objects"]) == {"1": ["degenerate_ring", "degenerate_ring"]}
    assert told(tables, "paco") == rules


def test_an_object_made_of_parts_says_so(tmp_path: Path) -> None:
    data = paco.content()
    for key, x in ((8, 10), (9, 50)):
        data["annotations"].append(paco.annotation(key, 3, paco.CUP_HANDLE, paco.rle(x, 5, 4, 4), owner=999))
    rules, tables = built(tmp_path, data)
    (made,) = [row for row in tables["objects"].to_pylist() if row["object_category"] == "cup"]
    assert made["repairs"] == ["object_from_parts"]
    assert told(tables, "paco") == rules


def test_repairs_of_a_part_that_is_rejected_later_go_with_it(tmp_path: Path) -> None:
    data = paco.content()
    data["annotations"][5] |= {"obj_ann_id": 12345, "segmentation": zero_runs(0, 50, 5, 5)}
    rules, tables = built(tmp_path, data)
    (lost,) = tables["quarantine"].to_pylist()
    assert (lost["rule"], lost["repairs"]) == ("part_unplaced", ["rle_zero_runs"])
    assert told(tables, "paco") == rules


def test_what_is_noted_of_a_photograph_goes_with_it_to_its_row_or_to_quarantine(tmp_path: Path) -> None:
    for number in (1, 2):
        path = tmp_path / "paco" / "train2017" / f"{number:012d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (paco.WIDTH, paco.HEIGHT), (90, 20 * number, 200)).save(path, "PNG")
    listed = tmp_path / "bad.txt"
    listed.write_text("paco/000000000002\n")
    rules, tables = built(tmp_path, paco.content(), exclude=str(listed))
    assert repairs(tables["images"], "image_id") == {
        "paco/000000000001": ["extension_lies"],
        "paco/000000000003": ["photograph_missing"],
    }
    assert repairs(tables["quarantine"], "row_id") == {"paco/000000000002": ["extension_lies"]}
    assert told(tables, "paco") == rules


@pytest.mark.parametrize("source", ["paco", "partimagenet", "partonomy", "pascal_part"])
def test_rows_and_plan_together_give_the_counts_of_the_manifest(source: str, demo_store: Path, tmp_path: Path) -> None:
    with partonomy_data.open(demo_store) as store:
        tables = {name: store.table(name) for name in TABLES}
        rules = Counter(store.manifest["rules"][source])
    path = (demo_store / "demo" / source).resolve()
    plan = reader(source).plan(SourceRequest(source, path), tmp_path)
    assert told(tables, source) + Counter(plan.repairs) == rules
    assert rules
