"""Categories and names as no author of a generator expects them: asked correctly, or left out; never a crash."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

import partonomy_data
from partonomy_data import BuildConfig, SourceSetting
from tests.helpers import paco
from tests.questions import structure

Row = dict[str, Any]

#: Photographs of each category in each of the two files.
PHOTOGRAPHS = 12
#: Parts are cells of a grid, of 6 × 5 pixels.
COLUMNS = 8


def subset(parts: int, photograph: int) -> list[int]:
    """Which parts a photograph shows: all in the first, none in the second, then others every time."""
    if photograph == 0:
        return list(range(parts))
    if photograph == 1:
        return []
    return [part for part in range(parts) if (part + photograph * (part + 3)) % 3 or part == photograph % parts]


def write(folder: Path, categories: Mapping[str, Iterable[str]]) -> Path:
    """A PACO folder with PHOTOGRAPHS training and test photographs of each category, one object in each."""
    rows: list[Row] = []
    numbers: dict[tuple[str, int], int] = {}
    for place, (name, parts) in enumerate(categories.items()):
        rows.append({"id": 1 + place, "name": name, "supercategory": "OBJECT", "synset": f"thing.n.{place:02d}"})
        for number, part in enumerate(parts):
            key = numbers[name, number] = 2000 + len(numbers)
            rows.append({"id": key, "name": f"{name}:{part}", "supercategory": "PART", "synset": part})
    for start, split in ((1, "train"), (100_001, "test")):
        images, annotations = [], []
        for place, (name, parts) in enumerate(categories.items()):
            for photograph in range(PHOTOGRAPHS):
                image = start + 1000 * place + photograph
                images.append({**paco.content()["images"][0], "id": image, "file_name": f"train2017/{image:012d}.jpg"})
                owner = 100 * image
                annotations.append(paco.annotation(owner, image, 1 + place, paco.ring(1, 1, 78, 58)))
                for cell in subset(len(list(parts)), photograph):
                    box = paco.rle(2 + 9 * (cell % COLUMNS), 2 + 11 * (cell // COLUMNS), 6, 5)
                    annotations.append(paco.annotation(owner + 1 + cell, image, numbers[name, cell], box, owner))
        data = {**paco.content(), "images": images, "annotations": annotations, "categories": rows}
        paco.write(folder, data, f"paco_lvis_v1_{split}.json")
    return folder


def built(tmp_path: Path, categories: Mapping[str, Iterable[str]]) -> Path:
    root = tmp_path / "store"
    source = SourceSetting(str(write(tmp_path / "paco", {name: list(parts) for name, parts in categories.items()})))
    partonomy_data.build(root, BuildConfig(sources={"paco": source}, workers=1))
    faults = structure.faults_of(root)
    assert not faults, "\n".join(map(str, faults[:20]))
    return root


def rows_of(root: Path, source_category: str | None = None) -> list[Row]:
    """The questions about objects that the source calls so, or all."""
    with partonomy_data.open(root) as store:
        objects = store.table("objects", ["object_id", "source_category"]).to_pylist()
        category = {row["object_id"]: row["source_category"] for row in objects}
        rows = store.table("questions").to_pylist()
    return [row for row in rows if source_category in (None, category[row["object_id"]])]


PLAIN = {
    "mug": ["handle", "rim", "base", "body"],
    "kettle": ["handle", "spout", "lid", "body", "knob"],
    "jar": ["lid", "body", "label", "rim"],
}


def test_a_category_with_one_part_is_asked_about_in_training_or_not_at_all(tmp_path: Path) -> None:
    root = built(tmp_path, {**PLAIN, "ball": ["surface"], "napkin": []})
    assert rows_of(root, "mug")
    assert rows_of(root, "napkin") == []
    for row in rows_of(root, "ball"):
        # All balls show the same list, so no two of them can be each other's wrong choice.
        assert row["choices"][row["correct_index"]]["parts"] == ["surface"]
        assert not (row["balanced"] and row["names_object"])


def test_an_object_with_all_parts_is_asked_about_and_one_with_none_is_not(tmp_path: Path) -> None:
    root = built(tmp_path, PLAIN)
    with partonomy_data.open(root) as store:
        counts = dict(
            store.sql(
                "SELECT object_id, count(part_id) FROM objects LEFT JOIN parts USING (object_id) GROUP BY ALL"
            ).fetchall()
        )
        category = dict(store.sql("SELECT object_id, object_category FROM objects").fetchall())
    asked = {row["object_id"] for row in rows_of(root)}
    whole = {name for name, n in counts.items() if n == len(PLAIN[category[name]])}
    bare = {name for name, n in counts.items() if n == 0}
    assert len(whole) >= 2 * len(PLAIN)
    assert len(bare) == 2 * len(PLAIN)
    assert asked & whole
    assert not asked & bare
    rights = [
        (row["object_id"], row["choices"][row["correct_index"]]["parts"])
        for row in rows_of(root)
        if row["question_type"] == "identification"
    ]
    assert rights
    assert all(len(parts) == counts[name] for name, parts in rights)


def test_forty_parts_are_all_named_and_all_have_their_span(tmp_path: Path) -> None:
    parts = [
        f"{first}{second}m"
        for first in ("ba", "do", "ge", "ka", "lo", "ra", "te", "vo")
        for second in ("na", "so", "ta", "po", "ro")
    ]
    assert len(parts) == 40
    root = built(tmp_path, {**PLAIN, "machine": parts})
    rows = [row for row in rows_of(root, "machine") if row["question_type"] == "identification"]
    assert rows
    longest = max(rows, key=lambda row: len(row["choices"][row["correct_index"]]["parts"]))
    right = longest["choices"][longest["correct_index"]]
    assert len(right["parts"]) > 20
    assert [right["text"][span["start"] : span["end"]] for span in right["spans"]] == [
        span["part"] for span in right["spans"]
    ]


HOSTILE = {
    "double quotes": 'the "big" one',
    "apostrophe": "driver's lot",
    "braces": "{part}",
    "percent": "%s of %d",
    "jinja": "{{ 7 * 7 }} {% x %}",
    "format": "{0} {name!r} }{",
    "newline": "line one\nline two",
    "tab and bell": "tab\there\x07bell",
    "right to left": "ידית עליונה",
    "mixed directions": "\u202eabc\u202c דלת x",
    "long": "very " * 59 + "long",
    "regular expression": r"(a+)+$ \1 [z]*",
    "html": "<script>alert(1)</script>",
    "sql": "'; DROP TABLE questions; --",
    "combining": "e\u0301tage\u0308re",
    "emoji": "🤖 hand",
    "comma and the word and": "bolt, nut, and washer",
    "the whole answer": "It has the handle and the rim.",
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose parts, in one category, and whose objects, one by one, have hostile names."""
    names = list(HOSTILE.values())
    categories: dict[str, list[str]] = {**PLAIN, "widget": names}
    categories |= {name: ["handle", "rim", "lid", "knob"] for name in names}
    return built(tmp_path_factory.mktemp("hostile"), categories)


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_part_with_a_hostile_name_is_spelled_in_the_answer_or_in_quarantine(hostile: Path, name: str) -> None:
    with partonomy_data.open(hostile) as store:
        canonical = {
            row["part_category"]
            for row in store.table("parts").to_pylist()
            if row["source_category"] == f"widget:{name}"
        }
        refused = [row for row in store.table("quarantine").to_pylist() if name in row["row"] or name in row["reason"]]
    assert canonical or refused, name
    spelled = 0
    for row in rows_of(hostile, "widget"):
        for choice in row["choices"]:
            for span in choice["spans"]:
                if span["part"] in canonical:
                    phrase = choice["text"][span["start"] : span["end"]]
                    assert structure.names(phrase, span["part"])
                    assert not re.search(r"[\x00-\x1f\x7f]", phrase)
                    spelled += 1
    assert spelled or not canonical


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_an_object_with_a_hostile_name_is_named_as_it_is_or_left_out(hostile: Path, name: str) -> None:
    with partonomy_data.open(hostile) as store:
        rows = store.table("objects", ["object_category", "source_category"]).to_pylist()
        canonical = {row["object_category"] for row in rows if row["source_category"] == name}
        refused = [row for row in store.table("quarantine").to_pylist() if name in row["row"] or name in row["reason"]]
    assert canonical or refused, name
    for row in rows_of(hostile, name):
        (shown,) = canonical
        if row["names_object"]:
            assert " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", shown).split()) in row["question"]
        assert not re.search(r"[\x00-\x1f\x7f]", row["question"])
        for choice in row["object_choices"] or ():
            assert not re.search(r"[\x00-\x1f\x7f]", choice["text"])


def test_no_template_was_filled_twice(hostile: Path) -> None:
    """What stands in a name is text: `{{ 7 * 7 }}` isn't 49, and `{part}` isn't replaced."""
    texts = [choice["text"] for row in rows_of(hostile, "widget") for choice in row["choices"]]
    assert texts
    assert not any("49" in text or "None" in text for text in texts)
    with partonomy_data.open(hostile) as store:
        braces = {
            row["part_category"]
            for row in store.table("parts").to_pylist()
            if row["source_category"] == "widget:{part}"
        }
    for name in braces:
        assert any(name in text for text in texts)
