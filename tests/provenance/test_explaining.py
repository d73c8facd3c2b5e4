"""From an id back to what the source says: every link as the tables have it, nothing left out, one line for unknown ids."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import partonomy_data
from partonomy_data import BuildConfig, SourceSetting, Store
from partonomy_data.errors import StoreError
from partonomy_data.provenance import as_json, as_text, explain
from partonomy_data.rulebook import rules_of
from partonomy_data.store import publish
from tests.helpers import paco
from tests.helpers.command import partonomy
from tests.store.conftest import stage, tables
from tests.store.older import publish_older


@pytest.fixture(scope="module")
def demo(demo_store: Path) -> Iterator[Store]:
    with partonomy_data.open(demo_store) as store:
        yield store


def ids(store: Store, table: str, column: str, n: int, where: str = "true") -> list[str]:
    """n ids of a table, drawn with a fixed seed."""
    found = store.select(f"SELECT {column} AS id FROM {table} WHERE {where} ORDER BY id").rows["id"].to_pylist()
    assert found
    return random.Random(7).sample(found, min(n, len(found)))


def rows(store: Store, sql: str, *parameters: Any) -> list[dict[str, Any]]:
    return store.select(sql, list(parameters)).rows.to_pylist()


def check_part(store: Store, told: dict[str, Any]) -> None:
    (row,) = rows(store, "SELECT * FROM parts WHERE part_id = ?", told["part_id"])
    assert (told["object_id"], told["part_category"]) == (row["object_id"], row["part_category"])
    mask = store.mask(row["part_id"])
    assert (told["mask"]["height"], told["mask"]["width"]) == mask.shape
    assert told["mask"]["area"] == int(mask.sum()) == row["area"]
    assert told["mask"]["share_of_image"] == pytest.approx(mask.mean())
    assert told["mask"]["bbox"] == list(row["bbox"])
    assert told["mask"]["bytes"] == len(row["mask"]["counts"].encode())
    check_annotation(store, told, row)


def check_annotation(store: Store, told: dict[str, Any], row: dict[str, Any]) -> None:
    said = told["annotation"]
    assert [said[name] for name in ("source", "source_category", "source_key")] == [
        row[name] for name in ("source", "source_category", "source_key")
    ]
    listed = {one["path"]: one["sha256"] for one in store.manifest["inputs"][row["source"]]["files"]}
    assert said["files"]
    assert {one["path"]: one["sha256"] for one in said["files"]}.items() <= listed.items()
    applied = sorted(name for one in told["repairs"] for name in [one["rule"]] * one["times"])
    assert applied == row["repairs"]
    for one in told["repairs"]:
        rule = rules_of(row["source"])[one["rule"]]
        assert (one["outcome"], one["found"], one["done"]) == (rule.outcome, rule.quirk, rule.how)


def check_object(store: Store, told: dict[str, Any]) -> None:
    (row,) = rows(store, "SELECT * FROM objects WHERE object_id = ?", told["object_id"])
    assert (told["object_category"], told["mask"]["mask_origin"]) == (row["object_category"], row["mask_origin"])
    known = "SELECT part_category, status, why FROM part_evidence WHERE object_id = ? ORDER BY part_category"
    assert told["part_evidence"] == rows(store, known, told["object_id"])
    check_annotation(store, told, row)


def check_image(store: Store, told: dict[str, Any], image_id: str) -> None:
    (row,) = rows(store, "SELECT * FROM images WHERE image_id = ?", image_id)
    for name in ("image_id", "uri", "sha256", "width", "height", "license"):
        assert told[name] == row[name]
    (split,) = rows(store, "SELECT split FROM splits WHERE image_id = ?", image_id)
    assert told["split"]["split"] == split["split"]
    assert sorted(name for one in told["repairs"] for name in [one["rule"]] * one["times"]) == row["repairs"]


@pytest.mark.parametrize(
    "kind", ["identification", "intersection", "difference", "contrast", "part_to_whole", "whole_to_part"]
)
def test_a_question_leads_back_to_its_photograph_and_annotations(kind: str, demo: Store) -> None:
    for question_id in ids(demo, "questions", "question_id", 6, f"question_type = '{kind}'"):
        found = explain(demo, question_id)
        assert (found.id, found.kind, found.version) == (question_id, "question", demo.version)
        told = dict(found.told)
        (row,) = rows(demo, "SELECT * FROM questions WHERE question_id = ?", question_id)
        assert (told["question"], told["split"]) == (row["question"], row["split"])
        keys = ("text", "parts", "is_correct", "edits")
        assert told["choices"] == [{key: choice[key] for key in keys} for choice in row["choices"]]
        sisters = "SELECT question_id FROM questions WHERE {0}_id = ? AND question_id <> ? ORDER BY question_id"
        of_block = [r["question_id"] for r in rows(demo, sisters.format("block"), row["block_id"], question_id)]
        of_group = [r["question_id"] for r in rows(demo, sisters.format("group"), row["group_id"], question_id)]
        assert told["asked_together"]["same_block"] == of_block
        assert told["asked_together"]["same_group"] == [one for one in of_group if one not in of_block]
        assert (told["object_question"] or {}).get("question") == row["object_question"]
        named = rows(demo, "SELECT * FROM question_masks WHERE question_id = ? ORDER BY part_category", question_id)
        assert [one["part_category"] for one in told["named_parts"]] == [one["part_category"] for one in named]
        for one, mask in zip(told["named_parts"], named, strict=True):
            assert (one["phrase"], one["contrast_part"]) == (mask["phrase"], mask["contrast_part"])
            assert [part["part_id"] for part in one["parts"]] == mask["part_ids"] != []
            for part in one["parts"]:
                check_part(demo, part)
        check_object(demo, told["object"])
        check_image(demo, told["image"], row["image_id"])
        offered = {part for choice in row["choices"] for part in choice["parts"]}
        both = {one["part_a"] for one in told["part_relations"]} | {one["part_b"] for one in told["part_relations"]}
        assert both <= offered | {one["contrast_part"] for one in named}
        asked = (
            f"SELECT count(*) AS n FROM part_relations WHERE part_a IN {(*offered, '')} AND part_b IN {(*offered, '')}"
        )
        assert len(told["part_relations"]) >= rows(demo, asked)[0]["n"]


@pytest.mark.parametrize("source", ["paco", "partimagenet", "partonomy", "pascal_part"])
def test_a_part_leads_back_to_its_object_photograph_and_file(source: str, demo: Store) -> None:
    for part_id in ids(demo, "parts", "part_id", 8, f"source = '{source}'"):
        found = explain(demo, part_id)
        assert found.kind == "part"
        check_part(demo, dict(found.told))
        check_object(demo, found.told["object"])
        check_image(demo, found.told["image"], found.told["image"]["image_id"])
        assert found.told["object"]["object_id"] == found.told["object_id"]
        attributes = "SELECT attribute_type, attribute FROM attributes WHERE annotation_id = ? ORDER BY ALL"
        assert found.told["attributes"] == rows(demo, attributes, part_id)


def test_an_object_and_a_photograph_list_what_is_in_them(demo: Store) -> None:
    for object_id in ids(demo, "objects", "object_id", 12):
        found = explain(demo, object_id)
        check_object(demo, dict(found.told))
        listed = "SELECT part_id FROM parts WHERE object_id = ? ORDER BY part_id"
        assert [{"part_id": one["part_id"]} for one in found.told["parts"]] == rows(demo, listed, object_id)
    for image_id in ids(demo, "images", "image_id", 12):
        found = explain(demo, image_id)
        assert found.kind == "image"
        check_image(demo, dict(found.told), image_id)
        listed = "SELECT object_id FROM objects WHERE image_id = ? ORDER BY object_id"
        assert [{"object_id": one["object_id"]} for one in found.told["objects"]] == rows(demo, listed, image_id)
        lost = "SELECT count(*) AS n FROM quarantine WHERE row_id = ? OR starts_with(row_id, ?)"
        assert len(found.told["quarantine"]) == rows(demo, lost, image_id, f"{image_id}#")[0]["n"]


def test_the_file_is_the_one_that_the_key_the_photograph_or_the_split_names(demo: Store) -> None:
    places = {"paco": "_{split}.json", "partimagenet": "{split}.json", "pascal_part": "/{stem}.mat"}
    for source, place in places.items():
        for part_id in ids(demo, "parts", "part_id", 5, f"source = '{source}'"):
            told = explain(demo, part_id).told
            stem, split = told["image"]["image_id"].rpartition("/")[2], told["image"]["source_split"]
            (file,) = told["annotation"]["files"]
            assert f"/{file['path']}".endswith(place.format(stem=stem, split=split))
    for part_id in ids(demo, "parts", "part_id", 5, "source = 'partonomy'"):
        said = explain(demo, part_id).told["annotation"]
        (file,) = said["files"]
        assert file["path"].endswith(said["source_key"])


def test_a_row_of_quarantine_says_which_rule_it_broke_and_how(demo: Store) -> None:
    for row_id in ids(demo, "quarantine", "row_id", 12):
        found = explain(demo, row_id)
        assert found.kind == "quarantined"
        listed = rows(demo, "SELECT * FROM quarantine WHERE row_id = ? ORDER BY ALL", row_id)
        for one, row in zip(found.told["rows"], listed, strict=True):
            assert [one[name] for name in ("table_name", "source", "reason", "row")] == [
                row[name] for name in ("table_name", "source", "reason", "row")
            ]
            assert (one["rule"]["rule"], one["rule"]["outcome"]) == (row["rule"], "quarantined")


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, name)
    else:
        yield name, value


def test_the_text_leaves_nothing_out_and_json_is_the_same(demo: Store) -> None:
    some = [
        *ids(demo, "questions", "question_id", 6),
        *ids(demo, "parts", "part_id", 6),
        *ids(demo, "objects", "object_id", 3),
        *ids(demo, "images", "image_id", 3),
        *ids(demo, "quarantine", "row_id", 3),
    ]
    for one in some:
        found = explain(demo, one)
        text, parsed = as_text(found), json.loads(as_json(found))
        assert {key: parsed[key] for key in found.told} == found.told
        assert (parsed["id"], parsed["kind"], parsed["version"]) == (one, found.kind, demo.version)
        for name, value in leaves(found.told):
            if isinstance(value, bool) or value is None or name in ("n_files", "times"):
                continue
            shown = f"{value:.6g}" if isinstance(value, float) else str(value)
            assert shown in text, (one, name, value)
        assert all(line == line.rstrip() or line.endswith(": ") for line in text.splitlines())


def test_calls_of_a_language_model_that_bear_on_a_question_are_told(root: Path) -> None:
    calls = [f"call_{i:016x}" for i in range(4)]
    content = tables()
    relation = {"part_a": "leg", "part_b": "tail", "relation": "distinct", "method": "llm", "confidence": 0.9}
    verdict = {"object_category": "chair", "verdict": "implausible", "method": "llm", "confidence": 0.75}
    asked = {"purpose": "relations", "model": "m", "prompt_sha256": "0" * 64, "status": "admitted", "latency_s": 1.5}
    asked |= {
        "request": '{"leg": "tail"}' * 50,
        "response": "no\n" * 300,
        "created_at": datetime(2026, 1, 2, tzinfo=UTC),
    }
    questions = content["questions"].to_pylist()
    choice = questions[0]["choices"][0]
    other = choice | {"text": "a tail", "parts": ["tail"], "is_correct": False}
    questions[0] |= {"choices": [choice, other], "wording": f"difference/named/{calls[2]}.3"}
    made = {
        "questions": questions,
        "part_relations": [relation | {"call_id": calls[0]}, relation | {"part_a": "back", "call_id": calls[3]}],
        "plausibility": [verdict | {"part_category": "tail", "call_id": calls[1]}],
        "llm_calls": [asked | {"call_id": call} for call in calls],
    }
    staged = stage(root, content | {name: pa.Table.from_pylist(listed) for name, listed in made.items()})
    publish(root, staged, {}, readme="")
    with partonomy_data.open(root) as store:
        found = explain(store, questions[0]["question_id"])
    assert [one["call_id"] for one in found.told["llm_calls"]] == calls[:3]
    assert [one["call_id"] for one in found.told["part_relations"]] == calls[:1]
    assert [one["call_id"] for one in found.told["plausibility"]] == calls[1:2]
    assert found.told["wording"]["call_id"] == calls[2]
    assert found.told["llm_calls"][0]["request"] == '{"leg": "tail"}' * 50
    text = as_text(found)
    assert (
        f"response: 900 characters (partonomy query \"SELECT response FROM llm_calls WHERE call_id = '{calls[0]}'\")"
        in text
    )
    assert json.loads(as_json(found))["llm_calls"][0]["created_at"] == "2026-01-02T00:00:00+00:00"
    assert "files: not recorded in this version" in text
    assert found.told["named_parts"] == []


def test_what_is_missing_or_was_not_written_down_is_said(demo_store: Path, published: Path) -> None:
    publish_older(published, 2)
    with partonomy_data.open(published) as store:
        part = store.table("parts", ["part_id"])["part_id"][0].as_py()
        found = explain(store, part)
    assert found.told["repairs"] is None
    assert as_text(found).count("repairs: not recorded in this version") == 3


def test_an_object_whose_own_mask_was_rejected_says_why_and_an_excluded_part_is_found_by_its_id(tmp_path: Path) -> None:
    data = paco.content()
    data["annotations"][0]["segmentation"] = [[1.0, 2.0, 3.0, 4.0]]
    source = paco.write(tmp_path / "paco", data)
    config = BuildConfig(sources={"paco": SourceSetting(str(source))}, workers=1)
    partonomy_data.build(tmp_path / "store", config)
    with partonomy_data.open(tmp_path / "store") as store:
        by_key = {row["source_key"]: row for row in store.table("objects").to_pylist()}
        told = explain(store, by_key["1"]["object_id"]).told
        assert told["mask"]["mask_origin"] == "union_of_parts"
        assert [(one["table_name"], one["rule"]) for one in told["quarantine"]] == [("objects", "polygon_degenerate")]
        part_id = store.table("parts", filters=[("source_key", "=", "6")])["part_id"][0].as_py()
    listed = tmp_path / "bad.txt"
    listed.write_text(part_id)
    partonomy_data.build(tmp_path / "store", BuildConfig(sources=config.sources, exclude=str(listed), workers=1))
    with partonomy_data.open(tmp_path / "store") as store:
        found = explain(store, part_id)
        assert found.kind == "quarantined"
        (row,) = found.told["rows"]
        assert (row["row_id"], row["rule"]["rule"]) == ("paco/000000000002#6", "excluded")
        assert found.told["image"]["image_id"] == "paco/000000000002"
        assert json.loads(row["row"])["key"] == "6"
        with pytest.raises(StoreError, match="no part has the id"):
            explain(store, "prt_0123456789abcdef")


def test_an_unknown_id_is_one_line_with_those_that_begin_like_it(demo: Store) -> None:
    whole = {kind: ids(demo, table, key, 1)[0] for kind, table, key in (
        ("part", "parts", "part_id"), ("object", "objects", "object_id"), ("question", "questions", "question_id"))}  # fmt: skip
    for kind, one in whole.items():
        with pytest.raises(StoreError, match=rf"no {kind} has the id {one[:-2]}\. Did you mean .*{one}") as error:
            explain(demo, one[:-2])
        assert "\n" not in str(error.value)
    image_id = ids(demo, "images", "image_id", 1)[0]
    for some in (image_id[:-1], image_id.partition("/")[2]):
        with pytest.raises(StoreError, match=rf"no row has the id {some}\. Did you mean .*{image_id}"):
            explain(demo, some)
    with pytest.raises(StoreError, match="and others"):
        explain(demo, "prt_")
    for some in ("", "nothing", "prt_zzz", "qst_\x1b[31m", "x" * 5000, "'; DROP TABLE parts; --", "\U0010ffff"):
        with pytest.raises(StoreError, match="ids of questions begin with qst_") as error:
            explain(demo, some)
        assert str(error.value).isprintable()


def test_the_command_prints_text_or_json(demo_store: Path, demo: Store) -> None:
    (question_id,) = ids(demo, "questions", "question_id", 1)
    found = explain(demo, question_id)
    done = partonomy("explain", question_id, "--root", demo_store)
    assert (done.status, done.out) == (0, as_text(found))
    done = partonomy("explain", question_id, "--root", demo_store, "--version", demo.version, "--format", "json")
    assert (done.status, done.out) == (0, as_json(found))


@pytest.mark.parametrize(
    "arguments", [["nothing"], ["prt_00"], ["nothing", "--format", "xml"], ["nothing", "--version", "0" * 16]]
)
def test_wrong_use_of_the_command_is_one_line_and_status_2(arguments: list[str], demo_store: Path) -> None:
    done = partonomy("explain", *arguments, "--root", demo_store)
    assert (done.status, done.out, len(done.err.splitlines())) == (2, "", 1)
