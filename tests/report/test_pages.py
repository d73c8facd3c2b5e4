"""The pages are whole, need nothing else, lead nowhere outside, and can be read without seeing them."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

from PIL import Image

import partonomy_data
from partonomy_data.report.pages import NAVIGATION
from partonomy_data.report.pictures import SIDE
from tests.report.opened import Page, content

Shown = dict[str, Page]


def test_every_page_of_the_navigation_is_there_and_leads_to_all_others(shown: Shown) -> None:
    names = [file for file, _, _ in NAVIGATION]
    assert set(names) <= set(shown)
    for page in shown.values():
        assert [one["href"] for one in page.all("a") if one.get("href") in names][1 : len(names) + 1] == names
        assert [one["href"] for one in page.all("a") if one.get("aria-current") == "page"]


def test_every_address_is_a_file_of_the_folder_or_a_place_of_a_page(written: Path, shown: Shown) -> None:
    files = content(written)
    for name, page in shown.items():
        for address in page.addresses:
            path, _, place = unquote(address).partition("#")
            target = path or name
            assert target in files, f"{name}: {address}"
            if place:
                assert place in {attributes.get("id") for _, attributes in shown[target].tags}, f"{name}: {address}"


def test_nothing_is_asked_of_a_network_and_nothing_runs(written: Path, shown: Shown) -> None:
    for name, page in shown.items():
        assert not page.all("script"), name
        assert not page.all("iframe"), name
        assert not page.all("form"), name
        assert not page.all("base"), name
        assert not [one for _, attributes in page.tags for one in attributes if one.startswith("on")], name
        assert not [one for one in page.addresses if re.match(r"[a-z]+:|//", one)], name
        assert not [attributes for _, attributes in page.tags if "style" in attributes], name
        (policy,) = [one["content"] for one in page.all("meta") if one.get("http-equiv")]
        assert "script-src 'none'" in str(policy)
    for name, data in content(written).items():
        if name.endswith(".css"):
            assert not re.search(rb"url\(|@import|https?:", data)


def test_every_file_is_used_and_listed(written: Path, shown: Shown) -> None:
    files = content(written)
    used = {address.partition("#")[0] for page in shown.values() for address in page.addresses}
    assert set(files) == (used - {""}) | {"report.json"}
    told = json.loads(files["report.json"])
    assert told["files"] == sorted(files)
    assert (told["seed"], told["samples"]) == (3, 12)


def test_small_photographs_are_small_and_tell_nothing_of_their_files(written: Path) -> None:
    found = list((written / "assets" / "photographs").iterdir())
    assert found
    for path in found:
        with Image.open(path) as image:
            assert image.format == "JPEG"
            assert max(image.size) <= SIDE
            assert not {"exif", "comment", "icc_profile", "photoshop"} & set(image.info)


def test_pages_can_be_read_without_seeing_them(shown: Shown) -> None:
    for name, page in shown.items():
        (root,) = page.all("html")
        assert root["lang"] == "en"
        assert page.headings[0] == 1, name
        assert page.headings.count(1) == 1, name
        assert all(after <= before + 1 for before, after in zip(page.headings, page.headings[1:], strict=False)), name
        ids = Counter(attributes["id"] for _, attributes in page.tags if attributes.get("id"))
        assert [one for one, n in ids.items() if n > 1] == [], name
        for one in page.all("svg"):
            assert one.get("aria-hidden") == "true" or (one.get("role") == "img" and one.get("aria-label")), name
        assert all("alt" in one for one in page.all("img"))
        assert all(one.get("scope") for one in page.all("th")), name
        assert page.all("main")
        assert page.all("nav")[0].get("aria-label")


def test_every_plot_has_its_numbers_as_a_table(shown: Shown) -> None:
    source = shown["numbers.html"].source
    figures = re.findall(r"<figure class=\"card chart.*?</figure>", source, re.DOTALL)
    assert len(figures) >= 14
    assert all("<table>" in one and "<summary>" in one for one in figures)


def test_the_version_says_what_it_is(shown: Shown, written: Path) -> None:
    text = " ".join(shown["index.html"].text.split())
    version = json.loads((written / "report.json").read_bytes())["version"]
    assert f"version{version}" in text
    assert "sourcespaco, partimagenet, partonomy, pascal_part" in text
    assert re.search(r"built\d{4}-\d\d-\d\d \d\d:\d\d \(UTC\), by run \d{8}T\d{6}Z-", text)
    assert "questions bypartonomy-data 0.1.0 (856)" in text
    settings = shown["sources.html"].text
    assert '"evaluation_only"' in settings
    assert '"min_part_pixels": 16' in settings


def test_the_taxonomy_has_every_pair_with_its_frequency(shown: Shown, version: partonomy_data.Store) -> None:
    assert len(shown["taxonomy.html"].tables["taxonomy"].rows) == 1 + version.table("object_categories").num_rows
    text = shown["taxonomy.html"].source
    pairs = version.table("part_graph").to_pylist()
    listed = re.findall(r"<li><span>([^<]*)</span>.*?<span class=\"num soft\">([^<]*)</span></li>", text, re.DOTALL)
    said = Counter(
        (row["part_category"], f"{100 * row['frequency']:.1f} %".replace(".0 %", " %") if row["n_objects"] else "–")
        for row in pairs
    )
    assert Counter(listed) == said


def test_checks_are_told_with_their_runs_and_results(shown: Shown) -> None:
    text = " ".join(shown["checks.html"].text.split())
    assert "all kept 206 of 206 rules are kept" in text
    table = shown["checks.html"].tables["audit-table"]
    assert table.rows == [
        ["Attacker", "all"], ["chance", "25 %"], ["most similar", "26 %"], ["learned", "24 %"], ["questions", "215"],
    ]  # fmt: skip
    assert "learned: 61.0 % (56.0 to 66.0)" in text
    assert "within chance" in shown["index.html"].text
    assert "425 of 856 (49.6 %) questions are not verified" in text


def test_results_of_each_model_are_told(shown: Shown) -> None:
    table = shown["results.html"].tables["results-1"]
    assert [row[:2] for row in table.rows[1:]] == [
        ["good-one", "0.7500.20 to 0.80n 60"], ["other_one", "0.2500.20 to 0.80n 60"],
    ]  # fmt: skip
