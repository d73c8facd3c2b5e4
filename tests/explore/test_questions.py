"""A question's page: choices, key, masks and sisters are those of the tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import partonomy_data
from partonomy_data import masks
from tests.explore.crawling import Page


@pytest.fixture(scope="module")
def balanced(world: Path) -> dict[str, Any]:
    """A balanced question about a car, and its block."""
    with partonomy_data.open(world) as store:
        sql = "SELECT q.* FROM questions q WHERE balanced AND question_type = 'identification' ORDER BY question_id LIMIT 1"
        row: dict[str, Any] = store.sql(sql).to_arrow_table().to_pylist()[0]
        block = store.sql(
            "SELECT question_id FROM questions WHERE block_id = ? ORDER BY 1", [row["block_id"]]
        ).fetchall()
        parts = store.sql("SELECT part_id, mask FROM parts WHERE object_id = ?", [row["object_id"]]).fetchall()
    return row | {"block": [one for (one,) in block], "parts": dict(parts)}


def test_the_choices_are_spelled_and_the_key_is_closed(client: TestClient, base: str, balanced: dict[str, Any]) -> None:
    text = client.get(f"{base}question", params={"id": balanced["question_id"]}).text
    page = Page(text)
    for choice in balanced["choices"]:
        assert choice["text"] in page.text
    assert "open" not in next(one for one in page.all("details") if one.get("id") == "key")
    key = Page(text.split('<details id="key">')[1].split("</details>")[0]).text
    assert f"right {'ABCDE'[balanced['correct_index']]}" in " ".join(key.split())


def test_the_masks_are_the_outlines_of_the_object_s_parts(
    client: TestClient, base: str, balanced: dict[str, Any]
) -> None:
    page = Page(client.get(f"{base}question", params={"id": balanced["question_id"]}).text)
    drawn = {one["data-id"]: one["d"] for one in page.all("path") if one.get("data-id")}
    assert set(drawn) == set(balanced["parts"])
    for part_id, mask in balanced["parts"].items():
        size = mask["size"]
        assert drawn[part_id] == masks.to_svg_path(masks.from_compressed(mask["counts"], size, *size))


def test_names_and_masks_that_light_up_together_share_a_key(
    client: TestClient, base: str, balanced: dict[str, Any]
) -> None:
    page = Page(client.get(f"{base}question", params={"id": balanced["question_id"]}).text)
    of_masks = {one["data-key"] for one in page.all("path") if one.get("data-id")}
    of_names = {one["data-key"] for one in page.all("span") if one.get("data-key")}
    assert of_names
    assert of_names <= of_masks


def test_all_questions_of_the_block_stand_side_by_side(client: TestClient, base: str, balanced: dict[str, Any]) -> None:
    page = Page(client.get(f"{base}question", params={"id": balanced["question_id"]}).text)
    shown = [one.split("id=")[1] for one in page.leading_to("question")]
    assert shown == balanced["block"]
    current = [one for one in page.all("a") if one.get("aria-current") == "true"]
    assert [one["href"].split("id=")[1] for one in current if one["href"]] == [balanced["question_id"]]


def test_explain_is_what_the_command_tells(
    client: TestClient, base: str, world: Path, balanced: dict[str, Any]
) -> None:
    from partonomy_data import provenance

    text = Page(client.get(f"{base}explain", params={"id": balanced["question_id"]}).text).text
    with partonomy_data.open(world) as store:
        told = provenance.explain(store, balanced["question_id"]).told
    assert told["image"]["sha256"] in text
    assert told["wording"]["template"] in text
    for choice in told["choices"]:
        assert choice["text"] in text


def test_a_photograph_has_all_its_questions_and_parts(client: TestClient, base: str, world: Path) -> None:
    with partonomy_data.open(world) as store:
        image_id, n = store.sql(
            "SELECT image_id, count(*) FROM questions GROUP BY ALL ORDER BY 2 DESC, 1 LIMIT 1"
        ).fetchall()[0]
        parts = store.sql("SELECT part_id FROM parts WHERE image_id = ?", [image_id]).fetchall()
    page = Page(client.get(f"{base}photograph", params={"id": image_id}).text)
    assert len(page.leading_to("question")) == n
    assert {one["data-id"] for one in page.all("path") if (one.get("data-id") or "").startswith("prt_")} == {
        one for (one,) in parts
    }
