"""Every page of the demo world: it is there, leads on, says what the tables say, and stays itself where there is nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import partonomy_data
from partonomy_data.explore.application import application
from tests.explore.conftest import publish_rows
from tests.explore.crawling import Page

#: Pages of a kind that are followed.
MOST = 6
VIEWS = ("", "categories", "parts", "relations", "graph", "photographs", "questions", "results", "quarantine", "reports",
         "calls", "versions", "sql")  # fmt: skip


def test_every_link_and_picture_leads_to_something(client: TestClient, base: str) -> None:
    waiting, seen, kinds = [base], set(), Counter[str]()
    while waiting:
        address = waiting.pop(0)
        kind = address.split("?")[0].rsplit("/", 1)[-1]
        if address in seen or kinds[kind] >= MOST:
            continue
        seen.add(address)
        kinds[kind] += 1
        answer = client.get(address)
        assert answer.status_code == 200, f"{address}: {answer.text[-500:]}"
        if "html" in answer.headers["content-type"]:
            waiting.extend(Page(answer.text).addresses)
    assert set(kinds) >= {*VIEWS, "category", "part", "photograph", "question", "explain", "result", "picture", "cut"}


@pytest.mark.parametrize("view", VIEWS)
def test_a_page_has_a_title_one_heading_labels_and_names_for_what_it_shows(
    client: TestClient, base: str, view: str
) -> None:
    page = Page(client.get(f"{base}{view}").text)
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    assert page.all("main")[0]["id"] == "content"
    assert next(iter(page.all("a")))["href"] == "#content"
    assert all("alt" in one for one in page.all("img"))
    assert not [
        tag for tag, attributes in page.tags if "style" in attributes or any(one.startswith("on") for one in attributes)
    ]
    labelled = {one.get("for") for one in page.all("label")}
    fields = [
        one for one in page.all("select") + page.all("input") + page.all("textarea") if one.get("type") != "hidden"
    ]
    loose = [one for one in fields if one.get("id") not in labelled]
    assert len(loose) <= len([one for one in page.all("label") if not one.get("for")])


def test_the_first_page_has_the_numbers_of_the_manifest(client: TestClient, base: str, world: Path) -> None:
    text = Page(client.get(base).text).text
    with partonomy_data.open(world) as store:
        for table in ("images", "objects", "parts", "questions", "quarantine"):
            assert f"{store.manifest['tables'][table]:,}" in text


def test_a_category_has_all_of_its_parts_and_a_part_all_of_its_objects(
    client: TestClient, base: str, world: Path
) -> None:
    with partonomy_data.open(world) as store:
        parts = store.sql("SELECT part_category FROM part_graph WHERE object_category = 'car'").fetchall()
        objects = store.sql("SELECT object_category FROM part_graph WHERE part_category = 'wheel'").fetchall()
    shown = client.get(f"{base}category", params={"name": "car"}).text
    assert {f"part?name={one.replace(' ', '+')}" for (one,) in parts} <= {
        one.split("/")[-1] for one in Page(shown).leading_to("part")
    }
    shown = client.get(f"{base}part", params={"name": "wheel"}).text
    assert len(set(Page(shown).leading_to("category"))) == len(objects)


def test_relations_are_told_from_both_sides(client: TestClient, base: str, world: Path) -> None:
    with partonomy_data.open(world) as store:
        wide, narrow = store.sql(
            "SELECT part_a, part_b FROM part_relations WHERE relation = 'broader' ORDER BY ALL LIMIT 1"
        ).fetchall()[0]
    assert "narrower than" in Page(client.get(f"{base}part", params={"name": narrow}).text).text
    assert "broader than" in Page(client.get(f"{base}part", params={"name": wide}).text).text


def test_search_and_source_narrow_the_list_of_categories(client: TestClient, base: str, world: Path) -> None:
    with partonomy_data.open(world) as store:
        named = store.sql(
            "SELECT object_category FROM object_categories WHERE contains(object_category, 'air')"
        ).fetchall()
    page = Page(client.get(f"{base}categories", params={"q": " AIR"}).text)
    assert {one.split("name=")[1].replace("+", " ") for one in page.leading_to("category")} == {one for (one,) in named}
    assert "nothing of that name" in client.get(f"{base}categories", params={"q": "zzz"}).text


def test_the_graph_leads_from_an_object_to_a_part_and_back(client: TestClient, base: str) -> None:
    page = Page(client.get(f"{base}graph", params={"category": "airplane"}).text)
    assert f"{base}graph?part=wing" in page.addresses
    assert f"{base}graph?category=airplane" in Page(client.get(f"{base}graph?part=wing").text).addresses


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("category?name=no+such", 404), ("part?name=no+such", 404), ("photograph?id=paco/none", 404), ("nowhere", 404),
        ("question?id=qst_1", 404), ("question?id=", 404), ("explain?id=qst_1", 404), ("graph?part=no+such", 404),
        ("picture?id=none", 404), ("cut?id=none&x=0&y=0&w=1&h=1", 404), ("question", 400), ("questions?after=x", 400),
        ("questions?balanced=perhaps", 400), ("results?model=none", 404), ("results?outcome=none", 400),
        ("diff?old=0000000000000000", 404), ("diff?old=../../etc", 404),
    ],
)  # fmt: skip
def test_what_is_not_there_or_makes_no_sense_is_a_page_that_says_so(
    client: TestClient, base: str, address: str, status: int
) -> None:
    answer = client.get(f"{base}{address}")
    assert answer.status_code == status
    page = Page(answer.text)
    assert [one for one in page.all("p") if one.get("role") == "alert"]
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("version", ["0000000000000000", "CURRENT", "..%2f..", "%2e%2e", "ffff"])
def test_a_version_that_is_not_there_is_not_looked_for_elsewhere(client: TestClient, version: str) -> None:
    assert client.get(f"/v/{version}/").status_code in (400, 404)


def test_an_older_version_keeps_its_address_and_the_picker_leads_to_the_same_view(
    world: Path, client: TestClient
) -> None:
    version = (world / "CURRENT").read_text().strip()
    answer = client.get("/switch", params={"version": version, "to": "questions?split=test"}, follow_redirects=False)
    assert answer.headers["location"] == f"/v/{version}/questions?split=test"
    for to in ("//evil.example", "/etc", "a/b", "..", "x\r\ny"):
        assert client.get("/switch", params={"version": version, "to": to}).status_code == 400


def test_a_version_without_rows_has_every_page(tmp_path: Path) -> None:
    publish_rows(tmp_path, {"images": []})
    with TestClient(application(tmp_path), base_url="http://localhost") as client:
        base = client.get("/", follow_redirects=True).url.path
        for view in VIEWS:
            answer = client.get(f"{base}{view}")
            assert answer.status_code == 200, view
        for view in ("categories", "photographs", "questions", "results", "quarantine", "graph"):
            assert 'class="empty"' in client.get(f"{base}{view}").text, view
