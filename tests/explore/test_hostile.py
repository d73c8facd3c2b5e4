"""Names and texts with markup, quotes, script and templates are shown as text, on every page; paths stay in their folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from partonomy_data.explore.application import application
from tests.explore.conftest import HOSTILE, hostile_rows, publish_rows
from tests.explore.crawling import Page


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The explorer of a store whose every name is hostile."""
    root = tmp_path_factory.mktemp("hostile")
    publish_rows(root, hostile_rows())
    with TestClient(application(root), base_url="http://localhost") as made:
        yield made


def test_no_page_has_a_tag_or_attribute_that_a_name_brought(hostile: TestClient) -> None:
    base = hostile.get("/", follow_redirects=True).url.path
    waiting, seen = [base], set()
    while waiting:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        answer = hostile.get(address)
        assert answer.status_code == 200, address
        if "html" not in answer.headers["content-type"]:
            continue
        page = Page(answer.text)
        assert list(page.all("script")) == [{"src": "/static/explorer.js", "defer": None}], address
        assert not [one for one in page.all("img") if one.get("src") == "x"], address
        assert not [one for _, attributes in page.tags for one in attributes if one.startswith("on")], address
        assert all(one.startswith(("/v/", "/static/")) for one in page.addresses), address
        assert "49" not in page.text.replace(base, "").split("Version")[0] or address.endswith("sql"), address
        waiting.extend(one for one in page.addresses if one.startswith("/v/"))
    views = {one.split("?")[0].rsplit("/", 1)[-1] for one in seen}
    assert views >= {"category", "part", "photograph", "question", "explain", "quarantine", "graph", "picture", "cut"}


@pytest.mark.parametrize("view", ["category?name=", "part?name=", "photograph?id=paco/", "graph?part="])
def test_they_are_found_and_shown_as_they_are(hostile: TestClient, view: str) -> None:
    base = hostile.get("/", follow_redirects=True).url.path
    name, _, start = view.partition("?")[2].partition("=")
    answer = hostile.get(f"{base}{view.split('?')[0]}", params={name: start + HOSTILE})
    assert answer.status_code == 200
    assert HOSTILE[:20] in Page(answer.text).text


@pytest.mark.parametrize(
    "what", ["category?name={}", "question?id={}", "sql?q={}", "questions?type={}", "categories?q={}"]
)
def test_what_an_address_holds_is_shown_as_text(client: TestClient, base: str, what: str) -> None:
    for text in (HOSTILE, "'; DROP TABLE asked; --", "\x00", "%s%d{0}", "é" * 500):
        address, _, name = what.format("").rstrip("=").partition("?")
        answer = client.get(f"{base}{address}", params={name: text})
        assert answer.status_code in (200, 400, 404)
        assert len(Page(answer.text).all("script")) == 1


@pytest.mark.parametrize("uri", ["../secret.jpg", "/etc/passwd", "sub/../../secret.jpg", "link.jpg", "..\\secret.jpg", None,
                                 "http://127.0.0.1:9/x.jpg"])  # fmt: skip
def test_no_photograph_is_read_from_outside_its_folder(tmp_path: Path, uri: str | None) -> None:
    root, photographs = tmp_path / "store", tmp_path / "photographs"
    photographs.mkdir()
    Image.new("RGB", (60, 40), "red").save(tmp_path / "secret.jpg")
    Image.new("RGB", (60, 40)).save(photographs / "0.jpg")
    (photographs / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    publish_rows(root, hostile_rows("a", uri))
    run = root / "runs" / "20260101T000000Z-000000"
    run.mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"config": {"sources": {"paco": {"path": str(photographs)}}}}))
    with TestClient(application(root), base_url="http://localhost") as client:
        base = client.get("/", follow_redirects=True).url.path
        for address in ("picture?id=paco/a", "picture?id=paco/a&width=96", "cut?id=paco/a&x=0&y=0&w=9&h=9"):
            answer = client.get(base + address)
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "image/svg+xml"
            assert b"not on disk" in answer.content
