"""Two models, question by question."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import partonomy_data
from partonomy_data.explore.opening import Versions
from partonomy_data.explore.results import OUTCOMES
from tests.explore.conftest import MODELS, write_answers
from tests.explore.crawling import Page

GIVEN = {"model": MODELS[0], "other": MODELS[1]}


def counted(page: Page) -> int:
    found = re.search(r"(\d+) questions that both", page.text)
    return int(found[1]) if found else 0


@pytest.mark.parametrize("outcome", ["", *OUTCOMES])
def test_each_outcome_has_the_questions_that_a_plain_query_finds(
    client: TestClient, base: str, world: Path, outcome: str
) -> None:
    page = Page(client.get(f"{base}results", params=GIVEN | {"outcome": outcome}).text)
    plain = {"": "true", "first": "a.correct > b.correct", "second": "a.correct < b.correct", "both": "a.correct AND b.correct",
             "neither": "NOT (a.correct OR b.correct)", "differ": "a.choice <> b.choice"}[outcome]  # fmt: skip
    with partonomy_data.open(world) as store:
        wanted = store.sql(
            f"SELECT count(*) FROM predictions a JOIN predictions b USING (question_id) "
            f"WHERE a.model_id = '{MODELS[0]}' AND b.model_id = '{MODELS[1]}' AND {plain}"
        ).fetchall()[0][0]
    assert counted(page) == wanted
    assert len(set(page.leading_to("result"))) == min(wanted, 24)


def test_all_pages_of_a_comparison_are_all_of_its_questions(client: TestClient, base: str) -> None:
    seen: list[str] = []
    address: str | None = f"{base}results?model={MODELS[0]}&other={MODELS[1]}"
    while address:
        page = Page(client.get(address).text)
        seen += dict.fromkeys(page.leading_to("result"))
        address = next((one["href"] for one in page.all("a") if one.get("rel") == "next"), None)
    assert len(seen) == len(set(seen)) == counted(page)


def test_a_question_shows_true_and_predicted_masks_beside_each_other(client: TestClient, base: str) -> None:
    first = Page(client.get(f"{base}results", params=GIVEN).text).leading_to("result")[0]
    text = client.get(first).text
    figures = [Page(one) for one in text.split("<figure>")[1:]]
    true, good, other = [[path["d"] for path in one.all("path") if path.get("data-key")] for one in figures]
    assert true
    assert set(good) <= set(true)
    assert len(other) == 1
    for model in MODELS:
        assert f"taken by {model}" in text


def test_metrics_have_their_intervals(client: TestClient, base: str) -> None:
    text = " ".join(Page(client.get(f"{base}results").text).text.split())
    assert "0.750.2 to 0.8, n 60" in text


def test_answers_that_come_later_are_seen_without_a_new_start(tmp_path: Path) -> None:
    from tests.explore.conftest import hostile_rows, publish_rows

    version = publish_rows(tmp_path, hostile_rows("a"))
    versions = Versions(tmp_path, {})
    try:
        assert versions.get(version).models == []
        write_answers(tmp_path)
        assert versions.get(version).models == sorted(MODELS)
        assert versions.get(version).rows("SELECT count(*) AS n FROM answered")[0]["n"] == 2
    finally:
        versions.close()
