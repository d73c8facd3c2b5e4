"""What a version hasn't is said, and how to make it: no rows, no questions, no runs, no audit, reports that can't be read."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

import partonomy_data
from partonomy_data.report import write
from partonomy_data.store import files
from tests.explore.conftest import hostile_rows, publish_rows
from tests.helpers.command import partonomy
from tests.helpers.stores import linked
from tests.report.conftest import add_audit, audit
from tests.report.opened import Page, pages


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Page]:
    """The report of a version without a single row."""
    root = tmp_path_factory.mktemp("empty")
    publish_rows(root / "store", {"images": []})
    write(root / "store", root / "out")
    return pages(root / "out")


def test_a_version_without_rows_has_all_pages_and_says_so(empty: dict[str, Page]) -> None:
    said = {
        "index.html": "No photograph with parts is shown.",
        "numbers.html": "This version has no questions.",
        "taxonomy.html": "This version has no object categories.",
        "photographs.html": "No photograph with parts is shown.",
        "questions.html": "This version has no questions.",
        "results.html": "`partonomy evaluate` does so.",
        "sources.html": "This version has no photographs.",
    }
    for page, line in said.items():
        assert line in empty[page].text, page
    checks = empty["checks.html"].text
    assert "`partonomy validate` makes one." in checks
    assert "`partonomy audit` makes one." in checks
    assert "Nothing is in quarantine" in checks
    rows = empty["numbers.html"].tables["tables"].rows[1:]
    assert {row[2] for row in rows} == {"0"}


def test_a_version_without_questions_shows_the_rest(tmp_path: Path) -> None:
    rows = hostile_rows("wing")
    for name in ("questions", "question_masks", "splits"):
        rows[name] = []
    publish_rows(tmp_path / "store", rows)
    write(tmp_path / "store", tmp_path / "out")
    made = pages(tmp_path / "out")
    assert "This version has no questions." in made["questions.html"].text
    assert "No photograph has a split." in made["numbers.html"].text
    assert made["photographs.html"].all("path")


def test_without_runs_it_says_what_isnt_known(demo_store: Path, tmp_path: Path) -> None:
    root = linked(demo_store, tmp_path / "store")
    shutil.rmtree(root / "runs")
    write(root, tmp_path / "out", samples=0)
    made = pages(tmp_path / "out")
    assert "not known: no run of the store tells of it" in made["index.html"].text
    assert "`partonomy audit` makes one." in made["checks.html"].text
    assert "`partonomy evaluate` does so." in made["results.html"].text
    assert "No question is shown." in made["questions.html"].text


def test_a_report_of_a_run_that_cant_be_read_gives_way_to_an_older_one(demo_store: Path, tmp_path: Path) -> None:
    root = linked(demo_store, tmp_path / "store")
    add_audit(root, "29990101T000000Z-aaaaaa")
    version = (root / "CURRENT").read_text().strip()
    for run, told in (
        ("29990102T000000Z-bbbbbb", b"{"),
        ("29990103T000000Z-cccccc", files.json_text({"source": f"x, version {version}", "rows": "none"}).encode()),
        (
            "29990104T000000Z-dddddd",
            files.json_text(msgspec.to_builtins(audit("x, version 0123456789abcdef"))).encode(),
        ),
    ):
        (root / "runs" / run / "audit").mkdir(parents=True)
        (root / "runs" / run / "audit" / "audit.json").write_bytes(told)
    write(root, tmp_path / "out", samples=0)
    assert "29990101T000000Z-aaaaaa" in pages(tmp_path / "out")["checks.html"].text


def test_broken_rules_and_leaks_are_told_as_such(demo_store: Path, tmp_path: Path) -> None:
    root = linked(demo_store, tmp_path / "store")
    with partonomy_data.open(root) as store:
        rows = dict(store.manifest["tables"])
    failure = {
        "rule": "area_right",
        "table": "parts",
        "level": "critical",
        "says": "areas are right",
        "n": 7,
        "rows": ["a"],
    }
    failure |= {"reasons": [None], "tolerated": False}
    told = {"success": False, "failures": [failure], "rules": 206, "rows": rows}
    files.write_json(root / "runs" / "29990101T000000Z-aaaaaa" / "validation" / "validation.json", told)
    write(root, tmp_path / "out", samples=0)
    made = pages(tmp_path / "out")
    assert "broken rules" in made["checks.html"].text
    assert "area right" in made["checks.html"].text
    assert "205 of 206 rules are kept" in made["index.html"].text


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--samples", "-1"], "--samples: -1 samples can't be shown. Say 0 to 1000."),
        (["--samples", "1001"], "--samples: 1001 samples can't be shown. Say 0 to 1000."),
        (["--plain", "paca"], "--plain: there is no source 'paca'"),
        (["--images", "paco=/nowhere"], "--images paco=/nowhere: there is no such folder."),
        (["--version", "0123456789abcdef"], "there is no version 0123456789abcdef"),
        (["--root", "/nowhere"], "/nowhere"),
    ],
)
def test_wrong_use_is_one_line_and_leaves_nothing(
    options: list[str], line: str, demo_store: Path, tmp_path: Path
) -> None:
    done = partonomy("report", "--root", demo_store, "--out", tmp_path / "out", *options)
    assert (done.status, done.err.count("\n")) == (2, 1), done.err
    assert line in done.err
    assert list(tmp_path.iterdir()) == []


def test_without_jinja2_it_says_which_extra_to_install(
    demo_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.delitem(sys.modules, "partonomy_data.report.pages", raising=False)
    done = partonomy("report", "--root", demo_store, "--out", tmp_path / "out")
    assert done.status == 2
    assert "the report needs jinja2. pip install 'partonomy-data[explore]', or `make setup`." in done.err
