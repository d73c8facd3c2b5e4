"""Questions as LLaVA's conversations and as PARTONOMY's JSON, held against the store's own rows, one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import partonomy_data
from partonomy_data import masks
from partonomy_data.errors import UsageError
from partonomy_data.export import write
from partonomy_data.photographs.places import Photographs
from partonomy_data.photographs.views import view_of
from partonomy_data.questions import audit
from partonomy_data.store import Store
from partonomy_data.taxonomy.words import without_qualifier
from tests.export.conftest import Export, reread
from tests.export.stores import HEIGHT, HOSTILE, WIDTH, Small, bitmap, make, question, rows

TWO_TURNS = ("part_to_whole", "whole_to_part")


def records(folder: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / name).read_bytes())
    return found


def every(folder: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(folder.glob("*.json")) for row in records(folder, path.name)]


@pytest.fixture(scope="module")
def store(demo_store: Path) -> Any:
    with partonomy_data.open(demo_store) as opened:
        yield opened


def asked(store: Store) -> dict[str, dict[str, Any]]:
    return {row["question_id"]: row for row in store.questions().to_pylist()}


def test_each_question_is_a_conversation_that_ends_in_the_right_answers(exported: Export, store: Store) -> None:
    due = asked(store)
    found = {row["id"]: row for row in every(exported("llava").out)}
    assert found.keys() == due.keys()
    for name, row in found.items():
        own = due[name]
        turns = [(own["question"], own["choices"][own["correct_index"]]["text"])]
        if own["question_type"] in TWO_TURNS:
            turns.append((own["object_question"], own["object_choices"][own["correct_object_index"]]["text"]))
        if own["question_type"] == "whole_to_part":
            turns.reverse()
        flat = [text for turn in turns for text in turn]
        assert [turn["value"] for turn in row["conversations"]] == ["<image>\n" + flat[0], *flat[1:]]
        assert [turn["from"] for turn in row["conversations"]] == ["human", "gpt"] * len(turns)
        assert (exported("llava").out / row["image"]).is_file()


def test_each_split_is_a_file_in_the_order_of_the_ids(exported: Export, store: Store) -> None:
    for name in exported("llava").files:
        ids = [row["id"] for row in records(exported("llava").out, name)]
        assert ids == sorted(store.questions(split=Path(name).stem)["question_id"].to_pylist())


@pytest.mark.parametrize("referent", ["crop", "box"])
def test_a_question_about_a_cut_or_a_box_shows_it(exported: Export, store: Store, referent: str) -> None:
    shown = {row["id"]: row["image"] for row in every(exported("llava").out)}
    sql = f"""SELECT q.question_id, q.region, i.source, i.uri, i.width, i.height FROM questions q
        JOIN images i USING (image_id) WHERE referent = '{referent}' ORDER BY 1 LIMIT 12"""
    rows = store.select(sql).rows.to_pylist()
    assert len(rows) == 12
    for row in rows:
        base = next(path for path in (store.root / "demo" / row["source"]).rglob(Path(row["uri"]).name))
        folder = Path(str(base)[: -len(row["uri"])])
        photograph = Photographs({row["source"]: folder}).open(row["source"], row["uri"], row["width"], row["height"])
        due = view_of(photograph, referent, row["region"]).image
        with Image.open(exported("llava").out / shown[row["question_id"]]) as found:
            difference = np.abs(np.asarray(found, np.int16) - np.asarray(due, np.int16))
        assert found.size == due.size
        assert difference.mean() < 3, "but for what JPEG loses"


def test_the_records_of_the_authors_json_say_what_the_store_says(exported: Export, store: Store) -> None:
    done = exported("partonomy")
    theirs = {"intersection": "positive", "difference": "negative", "contrast": "difference"}
    categories = dict(store.sql("SELECT object_id, object_category FROM objects").fetchall())
    for name in done.files:
        split = name.removeprefix("partonomy_data_qa_pairs_").removesuffix(".json")
        due = sorted(store.questions(split=split).to_pylist(), key=lambda row: row["question_id"])
        for row, own in zip(records(done.out, name), due, strict=True):
            kind = theirs.get(own["question_type"], own["question_type"])
            label = "_with_label" * (own["names_object"] and own["question_type"] not in TWO_TURNS)
            objects = own["object_choices"]
            judged = ["correct" if one["is_correct"] else "incorrect" for one in own["choices"]]
            said = {key: value for key, value in row.items() if key not in ("segmentations", "image_path")}
            assert said == {
                "image_label": categories[own["object_id"]],
                "question": own["question"],
                "question_type": kind + label,
                "answer_choices": [one["text"] for one in own["choices"]],
                "answer_types": judged,
                "answer_parts": [one["parts"] for one in own["choices"]],
                "object_question": own["object_question"],
                "object_answer_choices": objects and [one["text"] for one in objects],
                "object_answer_types": objects and ["correct" if one["is_correct"] else "incorrect" for one in objects],
                "object_answer_classes": objects and [one["object_category"] for one in objects],
            }
            assert row["segmentations"].keys() == set(own["choices"][own["correct_index"]]["parts"])


def test_masks_lie_where_the_picture_shows_their_parts(exported: Export, store: Store) -> None:
    done = exported("partonomy")
    rows = {(row["question"], row["image_path"]): row for row in every(done.out)}
    shown = {row["id"]: row["image"] for row in every(exported("llava").out)}
    sql = """SELECT q.question_id, q.question, q.referent, q.region, m.part_category, m.part_ids FROM questions q
        JOIN question_masks m USING (question_id) QUALIFY row_number() OVER (PARTITION BY referent ORDER BY question_id,
        part_category) <= 15 ORDER BY ALL"""
    for own in store.select(sql).rows.to_pylist():
        row = rows[own["question"], shown[own["question_id"]]]
        with Image.open(done.out / row["image_path"]) as image:
            size = [image.height, image.width]
        found = row["segmentations"][own["part_category"]]
        for rle, part_id in zip(found, sorted(own["part_ids"]), strict=True):
            due = store.mask(part_id)
            if own["referent"] == "crop":
                x, y, w, h = (int(number) for number in own["region"])
                due = due[y : y + h, x : x + w]
            assert rle["size"] == size == list(due.shape)
            assert np.array_equal(masks.decode(masks.from_compressed(rle["counts"], rle["size"], *size)), due)


def test_our_audit_reads_the_authors_json(exported: Export, store: Store) -> None:
    done = exported("partonomy")
    for name, count in done.files.items():
        assert len(audit.load(done.out / name).questions.count) == count


def test_our_reader_reads_the_authors_json_with_its_photographs(exported: Export, store: Store, tmp_path: Path) -> None:
    back = reread("partonomy", exported("partonomy").out, tmp_path)
    pictures = {row["image_path"] for row in every(exported("partonomy").out)}
    assert {f"images/{uri}" for uri in back["images"]["uri"].to_pylist()} == pictures
    assert None not in back["images"]["sha256"].to_pylist()
    named = {
        (row["image_path"], without_qualifier(row["image_label"]), part, rle["counts"])
        for row in every(exported("partonomy").out)
        for part, rles in row["segmentations"].items()
        for rle in rles
    }
    uris = dict(zip(back["images"]["image_id"].to_pylist(), back["images"]["uri"].to_pylist(), strict=True))
    # "icebreaker (boat)" is an icebreaker where no other kind of icebreaker is.
    wholes = {row["object_id"]: without_qualifier(row["object_category"]) for row in back["objects"].to_pylist()}
    found = {
        (f"images/{uris[row['image_id']]}", wholes[row["object_id"]], row["part_category"], row["mask"]["counts"])
        for row in back["parts"].to_pylist()
    }
    assert found == named
    assert len(back.get("quarantine", [])) == 0


@pytest.mark.parametrize("form", ["llava", "partonomy"])
def test_hostile_texts_come_back_as_they_are(small: Small, tmp_path: Path, form: str) -> None:
    done = write(small.root, form, tmp_path / "out", images=small.images)
    rows = every(done.out)
    assert len(rows) == len(small.uris)
    for row in rows:
        if form == "partonomy":
            assert (row["question"], row["image_label"]) == (f"What {HOSTILE}?", HOSTILE)
            assert list(row["segmentations"]) == [HOSTILE]
        else:
            texts = [turn["value"] for turn in row["conversations"]]
            assert texts[0] == f"<image>\nWhat {HOSTILE.replace('<image>', 'image')}?"
            assert "".join(texts).count("<image>") == 1, "LLaVA takes each as a photograph of its own"


def test_a_photograph_that_programs_would_turn_is_shown_as_its_masks_lie(small: Small, tmp_path: Path) -> None:
    done = write(small.root, "partonomy", tmp_path / "out", images=small.images)
    for number, row in enumerate(every(done.out)):
        with Image.open(done.out / row["image_path"]) as image:
            assert image.size == (WIDTH, HEIGHT)
            assert image.getexif().get(0x0112, 1) == 1
        assert ("_views" in row["image_path"]) == (number == 1)
        (rle,) = row["segmentations"][HOSTILE]
        assert np.array_equal(
            masks.decode(masks.from_compressed(rle["counts"], (HEIGHT, WIDTH), HEIGHT, WIDTH)), bitmap(number)
        )


def test_a_photograph_that_is_a_link_within_its_source_is_exported_whole(tmp_path: Path) -> None:
    made = make(tmp_path, ("a.jpg",))
    content = (made.photographs / "a.jpg").read_bytes()
    (made.photographs / "real").mkdir()
    (made.photographs / "a.jpg").rename(made.photographs / "real" / "b.jpg")
    (made.photographs / "a.jpg").symlink_to(Path("real") / "b.jpg")
    done = write(made.root, "llava", tmp_path / "out", images=made.images)
    (row,) = every(done.out)
    found = next(done.out.rglob("a.jpg"))
    assert row["image"].endswith("a.jpg")
    assert not found.is_symlink()
    assert found.read_bytes() == content


def test_a_question_whose_region_is_outside_is_one_line(tmp_path: Path) -> None:
    uris = ("a.jpg",)
    listed = rows(uris)["questions"]
    wrong = [question(0, "paco/0", listed[0]["object_id"], referent="crop", region=[90.0, 0.0, 5.0, 5.0])]
    made = make(tmp_path, uris, {"questions": wrong})
    with pytest.raises(
        UsageError, match=r"^paco/0: the region \[90.0, 0.0, 5.0, 5.0\] is outside of its photograph\. "
    ):
        write(made.root, "llava", tmp_path / "out", images=made.images)
    assert not (tmp_path / "out").exists()
