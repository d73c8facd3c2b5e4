"""A build's report as the page of its run shows it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from flows import artifacts
from partonomy_data.llm.ledger import Entry
from partonomy_data.pipeline.runs import BuildReport
from partonomy_data.store import manifest
from partonomy_data.validation.report import Failure, Validation


@pytest.fixture
def done(demo_store: Path) -> BuildReport:
    """What the build of the demo world came to."""
    (path,) = (demo_store / "runs").glob("*/run.json")
    return msgspec.convert(json.loads(path.read_bytes())["report"], BuildReport)


def numbers(report: str, *cells: str) -> list[str]:
    """What the row that begins with `cells` says further."""
    (line,) = [line for line in report.splitlines() if line.startswith("| " + " | ".join(cells) + " |")]
    return [cell.strip() for cell in line.strip("|").split("|")][len(cells) :]


def test_the_report_accounts_for_every_row(done: BuildReport, demo_store: Path) -> None:
    report = artifacts.markdown(done, demo_store, manifest.read(demo_store, done.version).content)
    assert report.startswith(f"# Published: version `{done.version}`\n")
    for source, tables in done.counts.items():
        for table, one in tables.items():
            told = [int(cell.replace(",", "")) for cell in numbers(report, source, table)]
            assert told == [one.read, one.derived, one.out, one.quarantined]
    for source, rules in done.rules.items():
        for rule, n in rules.items():
            assert numbers(report, source, f"`{rule}`") == [f"{n:,}"]


def test_the_report_tells_the_coverage_of_the_questions(done: BuildReport, demo_store: Path) -> None:
    said = manifest.read(demo_store, done.version).content
    report = artifacts.markdown(done, demo_store, said)
    rows = said["questions"]["coverage"]
    mine = [row for row in rows if (row["split"], row["question_type"]) == ("train", "identification")]
    askable, _, balanced = numbers(report, "train", "identification")
    assert int(askable.replace(",", "")) == sum(row["askable"] for row in mine) > 0
    assert int(balanced.replace(",", "")) == sum(row["balanced"] for row in mine)
    assert "## Coverage" not in artifacts.markdown(done, demo_store, {})


def test_the_report_names_the_rules_that_are_broken(done: BuildReport, demo_store: Path) -> None:
    broken = Failure("some_rule", "parts", "warning", "It holds.", 1234, ["prt_1"], [None], False)
    checked = Validation(True, [broken], 10, {"parts": 5000}, quarantined=7)
    report = artifacts.markdown(msgspec.structs.replace(done, validation=checked), demo_store, {})
    assert "9 of 10 rules are kept by 5,000 rows. 7 questions went to quarantine." in report
    assert numbers(report, "warning", "`parts.some_rule`") == ["It holds.", "1,234"]
    assert "## Validation" not in artifacts.markdown(msgspec.structs.replace(done, validation=None), demo_store, {})


def test_the_report_tells_what_the_language_model_cost(done: BuildReport, demo_store: Path) -> None:
    spent = {"relations": Entry(items=1500, stored=200, admitted=1400, calls=65, cost_usd=0.12345)}
    report = artifacts.markdown(msgspec.structs.replace(done, language_model=spent), demo_store, {})
    assert numbers(report, "relations") == ["1,500", "200", "1,400", "100", "65", "0.1235"]
    assert "## Language model" not in artifacts.markdown(done, demo_store, {})


def test_rows_are_told_by_table_beside_those_of_the_version_before(done: BuildReport, demo_store: Path) -> None:
    said = manifest.read(demo_store, done.version)
    rows = artifacts.rows(demo_store, said)
    assert {row["table"]: row["rows"] for row in rows} == said.rows()
    assert {row["before"] for row in rows} == {None}
    child = manifest.Manifest("f" * 16, {"parent": done.version}, said.files)
    assert {row["table"]: row["before"] for row in artifacts.rows(demo_store, child)} == said.rows()
    orphan = manifest.Manifest("f" * 16, {"parent": "e" * 16}, said.files)
    assert {row["before"] for row in artifacts.rows(demo_store, orphan)} == {None}


def test_links_lead_to_the_explorer_and_to_the_validation_if_there_is_one(
    done: BuildReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PARTONOMY_EXPLORER_URL", raising=False)
    assert artifacts.links(tmp_path, done) == {"explorer": ("http://127.0.0.1:8321", f"Explore version {done.version}")}
    monkeypatch.setenv("PARTONOMY_EXPLORER_URL", "https://parts.example")
    page = tmp_path / "runs" / done.run_id / "validation" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text("")
    found = artifacts.links(tmp_path, done)
    assert found["explorer"][0] == "https://parts.example"
    assert found["validation"] == (page.resolve().as_uri(), f"How each rule fared: {page.resolve()}")
