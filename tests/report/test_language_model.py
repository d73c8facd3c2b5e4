"""What a language model had a part in is told: its calls with their price, its share, what builds and the manifest say of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from partonomy_data.report import write
from partonomy_data.store import files
from tests.explore.conftest import hostile_rows, publish_rows
from tests.report.opened import Page, pages


def call(number: int, status: str, cost: float | None) -> dict[str, Any]:
    """A call as the table has it."""
    asked = {"call_id": f"call_{number:016x}", "purpose": "relations", "model": "small-one", "prompt_sha256": "0" * 64}
    asked |= {"request": "{}", "response": "secret words", "prompt_tokens": 1000, "completion_tokens": 10}
    return asked | {
        "cost_usd": cost,
        "latency_s": 0.5,
        "status": status,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The sources' page of a store with three calls, a judged relation, and one of two questions reworded."""
    root = tmp_path_factory.mktemp("llm")
    rows = hostile_rows("wing")
    rows["llm_calls"] = [call(0, "admitted", 0.1), call(1, "admitted", 0.2), call(2, "refused", None)]
    rows["questions"][0]["wording"] = "identification/named/call_0000000000000000.p1"
    version = publish_rows(root / "store", rows)
    ledger = {"relations": {"items": 4321, "admitted": 2}}
    told = {"report": {"version": version, "language_model": ledger}}
    files.write_json(root / "store" / "runs" / "20260101T000000Z-aaaaaa" / "run.json", told)
    write(root / "store", root / "out", samples=0)
    return pages(root / "out")["sources.html"]


def test_calls_are_told_by_purpose_and_outcome_with_exact_sums(page: Page) -> None:
    assert page.tables["calls"].rows[1:] == [
        ["relations", "small-one", "admitted", "2", "2,000", "20", "0.3"],
        ["relations", "small-one", "refused", "1", "1,000", "10", "–"],
    ]
    assert "secret words" not in page.source


def test_its_share_has_a_denominator(page: Page) -> None:
    assert [row[1:] for row in page.tables["shares"].rows[1:]] == [
        ["1", "1", "100 %"],
        ["0", "0", "–"],
        ["2", "1", "50 %"],
    ]


def test_the_account_of_a_build_is_told(page: Page) -> None:
    assert "Account of run 20260101T000000Z-aaaaaa" in page.text
    assert "4321" in page.text
