"""Instances that may be asked about, against plain dicts and sets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.questions.inputs import COLUMNS
from partonomy_data.questions.instances import INSTANCES, ONLY_ONE, SEVERAL, SOLE, instances
from schemas.tables import schema

Row = dict[str, Any]
LEAST = 16


def table(name: str, rows: Sequence[Row]) -> pa.Table:
    """Rows of a published table, with the columns that are read."""
    full = schema(name)
    return pa.Table.from_pylist(list(rows), schema=pa.schema([full.field(column) for column in COLUMNS[name]]))


@dataclass(slots=True)
class Photographs:
    """Tables of photographs under construction."""

    images: list[Row] = field(default_factory=list)
    objects: list[Row] = field(default_factory=list)
    parts: list[Row] = field(default_factory=list)
    evidence: list[Row] = field(default_factory=list)
    relatives: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def image(self, image_id: str, width: int = 100, height: int = 80) -> None:
        """Adds a photograph."""
        self.images.append(
            {"image_id": image_id, "source": "paco", "source_split": "", "width": width, "height": height, "sha256": ""}
        )

    def object(self, object_id: str, image_id: str = "img", category: str = "car", **other: Any) -> None:
        """Adds an object, whose box is within its photograph, and apart from the others', unless `bbox` is given."""
        row = {"object_id": object_id, "image_id": image_id, "source": "paco", "object_category": category}
        column, line = sum(one["image_id"] == image_id for one in self.objects) % 4, len(self.objects) // 4 % 3
        box = [2.0 + 25 * column, 2.0 + 25 * line, 20.0, 20.0]
        self.objects.append({**row, "bbox": box, "area": 400, "merged": False, **other})

    def part(self, object_id: str, part: str, area: int | None = 100, part_id: str = "") -> None:
        """Adds a mask."""
        number = len(self.parts)
        row = {"part_id": part_id or f"part_{number:03}", "object_id": object_id, "part_category": part, "area": area}
        self.parts.append(row)

    def status(self, object_id: str, part: str, status: str) -> None:
        """Adds what a source says of a part."""
        self.evidence.append({"object_id": object_id, "part_category": part, "status": status})

    def instances(self, least: int = LEAST) -> pa.Table:
        """What the module makes of them."""
        return instances(
            table("images", self.images),
            table("objects", self.objects),
            table("parts", self.parts),
            table("part_evidence", self.evidence),
            self.relatives,
            least,
        )

    def rows(self, least: int = LEAST) -> dict[str, Row]:
        """The same, by object_id."""
        return {row["object_id"]: row for row in self.instances(least).to_pylist()}

    def plainly(self, least: int = LEAST) -> list[Row]:
        """The same by the words of the module's docstring, one object after another."""
        found = []
        for one in sorted(self.objects, key=lambda row: str(row["object_id"])):
            own = [row for row in self.parts if row["object_id"] == one["object_id"]]
            pixels: dict[str, int] = {}
            for row in own:
                pixels[row["part_category"]] = pixels.get(row["part_category"], 0) + (row["area"] or 0)
            visible = sorted(part for part, area in pixels.items() if area >= least)
            if (
                not visible
                or one["merged"]
                or one["bbox"] is None
                or "part_in_quarantine" in (one.get("repairs") or ())
                or self._crowded(one)
            ):
                continue
            said = {
                row["part_category"]: row["status"] for row in self.evidence if row["object_id"] == one["object_id"]
            }
            image = next(row for row in self.images if row["image_id"] == one["image_id"])
            beside = [row["object_category"] for row in self.objects if row["image_id"] == one["image_id"]]
            like = {one["object_category"], *self.relatives.get(one["object_category"], ())}
            several = sum(category in like for category in beside) > 1
            x, y, w, h = one["bbox"]
            cut = x <= 1 or y <= 1 or x + w >= image["width"] - 1 or y + h >= image["height"] - 1
            masks = sorted((row["part_category"], row["part_id"]) for row in own if row["part_category"] in visible)
            share = max(one["area"] or 0, 1) / (image["width"] * image["height"])
            found.append(
                {
                    **{name: one[name] for name in ("object_id", "image_id", "source", "object_category", "bbox")},
                    "standing": SEVERAL if several else SOLE if len(beside) == 1 else ONLY_ONE,
                    "present": sorted(set(beside)),
                    "width": image["width"],
                    "height": image["height"],
                    "size": pytest.approx(min(math.log2(share), 0), abs=1e-5),
                    "truncated": cut,
                    "known": all(status in ("present", "absent") for status in said.values()),
                    "visible": visible,
                    "tiny": sorted(pixels.keys() - set(visible)),
                    "absent": sorted(p for p, status in said.items() if status == "absent" and p not in pixels),
                    "mask_parts": [part for part, _ in masks],
                    "mask_ids": [mask for _, mask in masks],
                }
            )
        return found

    def _crowded(self, one: Row) -> bool:
        """Whether the crop of an object shows another: four fifths of its box, and half as large."""
        image = next(row for row in self.images if row["image_id"] == one["image_id"])
        x, y, w, h = one["bbox"]
        left, top = max(0, math.floor(x - w / 10)), max(0, math.floor(y - h / 10))
        right, bottom = min(image["width"], math.ceil(x + w * 1.1)), min(image["height"], math.ceil(y + h * 1.1))
        for other in self.objects:
            if other is one or other["image_id"] != one["image_id"] or other["bbox"] is None:
                continue
            a, b, across, down = other["bbox"]
            common = max(0, min(right, a + across) - max(left, a)) * max(0, min(bottom, b + down) - max(top, b))
            if 0 < across * down <= common / 0.8 and (other["area"] or 0) >= one["area"] / 2:
                return True
        return False


@pytest.fixture
def photographs() -> Photographs:
    """One photograph, without objects."""
    made = Photographs()
    made.image("img")
    return made


def test_a_part_is_visible_if_its_masks_cover_the_least_number_of_pixels_together(photographs: Photographs) -> None:
    photographs.object("car")
    for area in (LEAST - 6, 6):
        photographs.part("car", "door", area)
    photographs.part("car", "mirror", LEAST)
    photographs.part("car", "wiper", LEAST - 1)
    photographs.part("car", "antenna", None)
    row = photographs.rows()["car"]
    assert row["visible"] == ["door", "mirror"]
    assert row["tiny"] == ["antenna", "wiper"]
    assert "car" not in photographs.rows(least=LEAST + 1)


def test_masks_are_those_of_visible_parts_in_the_order_of_parts_and_ids(photographs: Photographs) -> None:
    photographs.object("car")
    for part, area, part_id in (("wheel", 9, "p3"), ("door", 90, "p9"), ("wheel", 9, "p1"), ("wiper", 2, "p0")):
        photographs.part("car", part, area, part_id)
    row = photographs.rows()["car"]
    assert row["mask_parts"] == ["door", "wheel", "wheel"]
    assert row["mask_ids"] == ["p9", "p1", "p3"]


def test_a_part_is_absent_only_where_labels_say_so_and_no_mask_says_otherwise(photographs: Photographs) -> None:
    photographs.object("car")
    photographs.part("car", "door")
    photographs.part("car", "wiper", 1)
    for part, status in (("door", "absent"), ("wiper", "absent"), ("horn", "absent"), ("roof", "present")):
        photographs.status("car", part, status)
    row = photographs.rows()["car"]
    assert (row["visible"], row["tiny"], row["absent"]) == (["door"], ["wiper"], ["horn"])


@pytest.mark.parametrize(
    ("statuses", "known"), [([], True), (["present", "absent"], True), (["absent", "unknown"], False)]
)
def test_an_object_is_known_if_no_part_of_the_vocabulary_is_unknown(
    photographs: Photographs, statuses: list[str], known: bool
) -> None:
    for name in ("car", "van"):
        photographs.object(name)
        photographs.part(name, "door")
    for place, status in enumerate(statuses):
        photographs.status("car", f"part {place}", status)
    rows = photographs.rows()
    assert rows["car"]["known"] is known
    assert rows["van"]["known"] is True


def test_objects_without_a_visible_part_or_a_box_or_with_one_in_quarantine_or_that_stand_for_several_are_not_asked_about(
    photographs: Photographs,
) -> None:
    lacking = {"repairs": ["mask_clipped", "part_in_quarantine"]}
    kinds = {"plain": {"repairs": ["mask_clipped"]}, "bare": {}, "boxless": {"bbox": None}, "merged": {"merged": True}}
    for name, other in {**kinds, "lacking": lacking}.items():
        photographs.object(name, **other)
        photographs.part(name, "door", 1 if name == "bare" else 100)
    photographs.part("of another shard", "door")
    assert list(photographs.rows()) == ["plain"]
    # They stand in the photograph all the same.
    assert photographs.rows()["plain"]["standing"] == SEVERAL


@pytest.mark.parametrize(
    ("box", "area", "asked"),
    [
        ([35, 35, 10, 10], 800, False),
        ([28, 30, 40, 40], 800, False),  # within the margin
        ([35, 35, 10, 10], None, False),
        ([35, 35, 10, 10], 49, True),
        ([60, 35, 20, 10], 800, True),  # most of it is outside
        (None, 800, True),
    ],
)
@pytest.mark.parametrize("category", ["car", "dog"])
def test_an_object_whose_crop_shows_another_that_is_half_as_large_is_not_asked_about(
    photographs: Photographs, category: str, box: list[float] | None, area: int | None, asked: bool
) -> None:
    photographs.object("mine", bbox=[30, 30, 40, 40], area=100)
    photographs.part("mine", "door")
    photographs.object("other", category=category, bbox=box, area=area)
    photographs.image("another")
    photographs.object("elsewhere", "another", bbox=[35, 35, 10, 10], area=800)
    assert list(photographs.rows()) == (["mine"] if asked else [])


@pytest.mark.parametrize(
    ("beside", "standing"),
    [
        ([], SOLE),
        (["dog"], ONLY_ONE),
        (["dog", "dog"], ONLY_ONE),
        (["car"], SEVERAL),
        (["dog", "taxi"], SEVERAL),
        (["vehicle"], SEVERAL),
    ],
)
def test_standing_says_whether_the_object_s_name_could_mean_another(
    photographs: Photographs, beside: list[str], standing: int
) -> None:
    photographs.relatives = {"car": frozenset({"taxi", "vehicle"}), "taxi": frozenset({"car", "vehicle"})}
    photographs.image("other")
    photographs.object("a", category="car")
    photographs.part("a", "door")
    photographs.object("elsewhere", "other", category="car")
    for place, category in enumerate(beside):
        photographs.object(f"b{place}", category=category)
    row = photographs.rows()["a"]
    assert row["standing"] == standing
    assert row["present"] == sorted({"car", *beside})


@pytest.mark.parametrize(
    ("box", "truncated"),
    [
        ([2, 2, 96, 76], False),
        ([1, 2, 50, 50], True),
        ([2, 0.5, 50, 50], True),
        ([50, 2, 49, 20], True),
        ([2, 50, 20, 29.5], True),
        ([50, 50, 48.5, 28.5], False),
    ],
)
def test_an_object_that_touches_the_border_is_cut_off(
    photographs: Photographs, box: list[float], truncated: bool
) -> None:
    photographs.object("car", bbox=box)
    photographs.part("car", "door")
    assert photographs.rows()["car"]["truncated"] is truncated


@pytest.mark.parametrize(
    ("area", "size"), [(2000, -2.0), (8000, 0.0), (9000, 0.0), (0, -math.log2(8000)), (None, -math.log2(8000))]
)
def test_size_is_the_octave_of_the_share_of_the_image_and_at_most_the_whole(
    photographs: Photographs, area: int | None, size: float
) -> None:
    photographs.object("car", area=area)
    photographs.part("car", "door")
    assert photographs.rows()["car"]["size"] == pytest.approx(size, abs=1e-5)


def test_without_photographs_there_are_no_instances() -> None:
    found = Photographs().instances()
    assert len(found) == 0
    assert found.schema == INSTANCES


PARTS = ("door", "mirror", "wheel", "wing")
CATEGORIES = ("car", "dog", "taxi")


@st.composite
def some_photographs(draw: st.DrawFn) -> Photographs:
    """Photographs with objects, masks in any order, evidence that may contradict them."""
    made = Photographs(relatives={"car": frozenset({"taxi"}), "taxi": frozenset({"car"})})
    for place in range(draw(st.integers(1, 3))):
        made.image(f"img{place}", draw(st.integers(20, 60)), draw(st.integers(20, 60)))
    names = draw(st.lists(st.text("abc", min_size=1, max_size=3), unique=True, max_size=5))
    for name in names:
        box = [float(draw(st.integers(0, 25))) for _ in range(4)]
        made.object(
            name,
            draw(st.sampled_from([row["image_id"] for row in made.images])),
            draw(st.sampled_from(CATEGORIES)),
            bbox=draw(st.sampled_from([box, box, box, None])),
            area=draw(st.sampled_from([0, 1, 50, 400, 10000])),
            merged=draw(st.integers(0, 4)) == 4,
            repairs=draw(st.sampled_from([[], [], None, ["rle_zero_runs"], ["part_in_quarantine", "rle_zero_runs"]])),
        )
    for _ in range(draw(st.integers(0, 12))):
        owner = draw(st.sampled_from([*names, "elsewhere"]))
        made.part(owner, draw(st.sampled_from(PARTS)), draw(st.sampled_from([None, 1, 8, 15, 16, 99])))
    order = draw(st.permutations(range(len(made.parts))))
    for row, number in zip(made.parts, order, strict=True):
        row["part_id"] = f"part_{number:02}"
    pairs = draw(
        st.sets(st.tuples(st.sampled_from([*names, "elsewhere"]), st.sampled_from((*PARTS, "horn"))), max_size=8)
    )
    for name, part in sorted(pairs):
        made.status(name, part, draw(st.sampled_from(["present", "absent", "unknown"])))
    return made


@given(some_photographs(), st.sampled_from([1, 16, 50]))
def test_instances_are_those_that_plain_rows_give(made: Photographs, least: int) -> None:
    found = made.instances(least)
    assert found.schema == INSTANCES
    assert found.to_pylist() == made.plainly(least)


@given(some_photographs())
def test_what_an_object_shows_hides_and_lacks_are_different_parts(made: Photographs) -> None:
    for row in made.instances().to_pylist():
        visible, tiny, absent = set(row["visible"]), set(row["tiny"]), set(row["absent"])
        assert visible
        assert visible.isdisjoint(tiny)
        assert absent.isdisjoint(visible | tiny)
        assert set(row["mask_parts"]) == visible
        assert len(set(row["mask_ids"])) == len(row["mask_ids"]) == len(row["mask_parts"])


@given(some_photographs(), st.randoms(use_true_random=False))
def test_the_order_of_rows_decides_nothing(made: Photographs, random: Any) -> None:
    before = made.instances()
    for rows in (made.images, made.objects, made.parts, made.evidence):
        random.shuffle(rows)
    assert made.instances() == before
