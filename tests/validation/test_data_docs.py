"""The report through Great Expectations: it counts as the rules do, names the rows, and is read without a network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from partonomy_data.errors import UsageError
from partonomy_data.validation import data_docs
from partonomy_data.validation.documents import shown
from partonomy_data.validation.frames import frame
from partonomy_data.validation.running import FOUND, Outcome
from partonomy_data.validation.suites import suites
from tests.validation.reported import BROKEN, HOSTILE, Page, outcome


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> data_docs.GxReport:
    """The report of `BROKEN`."""
    return data_docs.write(BROKEN, tmp_path_factory.mktemp("broken") / "validation", title="run <1> & 2")


def test_good_outcomes_succeed(tmp_path: Path) -> None:
    good = [
        outcome("parts", "object_exists", 12),
        outcome("parts", "box_of_mask", 12),
        outcome("version", "files_readable", 1),
    ]
    report = data_docs.write(good, tmp_path, title="run 1")
    assert [(one.success, one.rows, one.failed) for one in report.verdicts.values()] == [
        (True, 12, 0),
        (True, 12, 0),
        (True, 1, 0),
    ]
    assert data_docs.disagreements(good, report) == []
    page = Page(report.index)
    assert "No row breaks a rule." in page.text
    assert page.lines.count("Succeeded") == 3  # the whole, and two suites
    assert "Failed" not in page.text


def test_great_expectations_counts_what_the_rules_found(broken: data_docs.GxReport) -> None:
    assert data_docs.disagreements(BROKEN, broken) == []
    found = {rule: (one.success, one.failed) for (_, rule), one in broken.verdicts.items()}
    assert found == {
        "object_exists": (True, 0),
        "spans_resolve": (True, 3),
        "options_differ": (False, 345),
        "answer_is_true": (False, 5),
        "wording_varies": (False, 1),
        "parts_exist": (True, 0),
        "files_readable": (False, 2),
        "splits_disjoint": (True, 0),
    }
    assert broken.verdicts["questions", "spans_resolve"].named == ("qst_3", "qst_7", None)
    assert broken.verdicts["version", "files_readable"].named == ("objects/a.parquet", "parts/b.parquet")


@pytest.mark.parametrize("checked", [10, 200, 300])
def test_great_expectations_tolerates_the_same_share(tmp_path: Path, checked: int) -> None:
    outcomes = [
        outcome(
            "parts", f"rule_{failed}_{place}", checked, [f"row {i}" for i in range(failed)], level="row", mostly=mostly
        )
        for place, mostly in enumerate((0.9, 0.95, 0.99, 0.995, 0.7, 0.0))
        for edge in [round(checked * (1 - mostly))]
        for failed in {max(edge - 1, 0), edge, min(edge + 1, checked)}
    ]
    report = data_docs.write(outcomes, tmp_path, title="run 1")
    assert data_docs.disagreements(outcomes, report) == []
    edges = {one.rule: one.within for one in outcomes if one.expectation.kwargs.mostly == 0.9}
    assert list(edges.values()).count(False) == 1, "one more than a tenth is too many; a tenth is not"


def test_a_disagreement_is_told(broken: data_docs.GxReport) -> None:
    others = [
        outcome("questions", "object_exists", 1000, ["qst_1"]),
        outcome("questions", "never_asked", 1000),
        outcome("questions", "options_differ", 1000, [f"qst_{i:03}" for i in range(345)], level="row", mostly=0.5),
    ]
    assert data_docs.disagreements(others, broken) == [
        "questions.object_exists: 1 rows break it, 0 by Great Expectations",
        "questions.never_asked: Great Expectations says nothing of it",
        "questions.options_differ: it is kept, but broken by Great Expectations",
    ]


def test_a_page_names_rows_reasons_and_severity(broken: data_docs.GxReport) -> None:
    text = Page(broken.index.parent / "validations" / "questions.html").text
    for line in (
        "qst_7",
        "no such part",
        "3 rows break it",
        "(a row without a name)",
        "qst_019",
        "345 rows break it; the first 20",
    ):
        assert line in text
    assert "qst_020" not in text
    assert "critical: nothing is published if a row breaks it" in text
    assert (
        "warning: a row that breaks it goes to quarantine, and nothing is published unless 99% of the rows keep it"
        in text
    )
    assert "info: it is told unless all rows keep it" in text
    assert "Each question's object exists & its mask is <= its image." in text
    order = ["answer_is_true", "options_differ", "wording_varies", "spans_resolve", "object_exists"]
    assert [line for line in text.splitlines() if line in order][:5] == order, (
        "broken rules come first, critical ones before"
    )


def test_the_index_leads_to_every_broken_rule(broken: data_docs.GxReport) -> None:
    page = Page(broken.index)
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a" and "#" in (attrs["href"] or "")]
    assert len(links) == 5
    for link in links:
        file, anchor = str(link).split("#")
        assert f'id="{anchor}"' in (broken.index.parent / file).read_text()
    assert page.lines.index("questions.answer_is_true") < page.lines.index("questions.wording_varies")
    assert {"Failed", "Succeeded", "tolerated", "broken"} <= set(page.lines)


def test_only_warnings_do_not_fail_a_suite(tmp_path: Path) -> None:
    report = data_docs.write([outcome("parts", "names_vary", 3, ["part_1"], level="warning")], tmp_path, title="run 1")
    assert Page(report.index).lines.count("Succeeded, with warnings") == 2
    assert not report.verdicts["parts", "names_vary"].success


def test_every_rule_of_the_real_suites_is_on_its_pages(tmp_path: Path) -> None:
    outcomes = [
        Outcome(name, one, 3, FOUND.empty_table(), 0.1) for name, of in suites().items() for one in of.expectations
    ]
    report = data_docs.write(outcomes, tmp_path, title="run 1")
    assert data_docs.disagreements(outcomes, report) == []
    for name, of in suites().items():
        for folder in ("validations", "expectations"):
            text = Page(tmp_path / folder / f"{name}.html").text
            for one in of.expectations:
                assert one.rule in text.splitlines()
                assert " ".join(one.description.split()) in text
                assert f"{one.severity}: " in text


def test_hostile_names_are_shown_and_never_obeyed(broken: data_docs.GxReport) -> None:
    page = Page(broken.index.parent / "validations" / "questions.html")
    for name in HOSTILE:
        assert shown(name) in page.text
    assert "<b>not</b> 'so'\\n" in page.text
    assert "run <1> & 2" in page.text
    assert not {"script", "img", "b"} & {tag for tag, _ in page.tags}


def test_nothing_is_loaded_from_elsewhere(broken: data_docs.GxReport) -> None:
    pages = sorted(broken.index.parent.rglob("*"))
    assert [str(page.relative_to(broken.index.parent)) for page in pages if page.is_file()] == [
        "expectations/attributes.html",
        "expectations/questions.html",
        "expectations/version.html",
        "index.html",
        "validations/attributes.html",
        "validations/questions.html",
        "validations/version.html",
    ]
    for path in pages:
        if path.is_dir():
            continue
        page = Page(path)
        assert not {tag for tag, _ in page.tags} & {
            "script",
            "link",
            "img",
            "iframe",
            "object",
            "embed",
            "audio",
            "video",
            "base",
        }
        assert not {name for _, attrs in page.tags for name in attrs} & {
            "src",
            "srcset",
            "onclick",
            "onload",
            "background",
        }
        style = "".join(re.findall(r"<style>(.*?)</style>", page.source, re.DOTALL))
        assert len(style) < 10_000
        assert "url(" not in style
        assert "@import" not in style
        for tag, attrs in page.tags:
            if "href" in attrs:
                link, _, anchor = str(attrs["href"]).partition("#")
                target = (path.parent / link).resolve() if link else path
                assert tag == "a"
                assert target.is_file()
                assert not anchor or f'id="{anchor}"' in target.read_text()


def test_pages_tell_nothing_of_the_machine(broken: data_docs.GxReport) -> None:
    for path in broken.index.parent.rglob("*.html"):
        text = path.read_text()
        for place in (broken.index.parent, Path.home(), Path.cwd(), Path(sys.prefix)):
            assert str(place) + "/" not in text
        assert os.uname().nodename not in text


def test_equal_outcomes_give_equal_pages(tmp_path: Path, broken: data_docs.GxReport) -> None:
    data_docs.write(BROKEN, tmp_path, title="run <1> & 2")
    for path in tmp_path.rglob("*.html"):
        mine, other = path.read_text(), (broken.index.parent / path.relative_to(tmp_path)).read_text()
        time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
        assert re.sub(time, "", mine) == re.sub(time, "", other)


def test_what_fails_inside_great_expectations_is_no_broken_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(table: str, outcomes: Sequence[Outcome]) -> pd.DataFrame:
        return frame(table, outcomes).drop(columns="box_of_mask")

    monkeypatch.setattr(data_docs, "frame", without)
    with pytest.raises(RuntimeError, match=r"could not evaluate parts\.box_of_mask: .*box_of_mask"):
        data_docs.write([outcome("parts", "box_of_mask", 12)], tmp_path, title="run 1")
    assert not (tmp_path / "index.html").exists()


def test_where_it_is_not_installed_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_docs.available()
    monkeypatch.setitem(sys.modules, "great_expectations", None)
    assert not data_docs.available()
    with pytest.raises(UsageError, match=r"not installed\. Run: pip install 'partonomy-data\[validation\]'"):
        data_docs.write([outcome("parts", "box_of_mask", 12)], tmp_path, title="run 1")
    assert list(tmp_path.iterdir()) == []


QUIET = """
import os, socket, sys
from pathlib import Path
from partonomy_data.validation import data_docs
from tests.validation.reported import BROKEN

def refuse(*args):
    raise AssertionError("it asked the network")

socket.socket.connect = socket.getaddrinfo = refuse
before = dict(os.environ)
data_docs.write(BROKEN, Path(sys.argv[1]), title="run 1")
assert dict(os.environ) == before
"""


def test_it_runs_quietly_and_leaves_nothing_elsewhere(tmp_path: Path) -> None:
    home, cwd = tmp_path / "home", tmp_path / "cwd"
    home.mkdir()
    cwd.mkdir()
    root = Path(__file__).resolve().parents[2]
    env = {
        **os.environ,
        "HOME": str(home),
        "PYTHONPATH": str(root),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "1",
    }
    env.pop("GX_ANALYTICS_ENABLED", None)
    command = [sys.executable, "-W", "error", "-c", QUIET, str(tmp_path / "out")]
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [*home.rglob("*"), *cwd.rglob("*")] == []


def test_great_expectations_is_imported_only_when_it_is_needed() -> None:
    late = {"great_expectations", "pandas", "jinja2"}
    code = f"import sys; from partonomy_data.validation import data_docs; print({late} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
