"""The sheet in a real Chromium: answered by mouse and by keys, kept over a reload, saved as a file that can be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model.evaluation.people import answers, sheet
from model.evaluation.people import job as people
from model.evaluation.predicting import PredictionConfig
from partonomy_data.store.layout import Layout
from partonomy_data.store.reader import open as open_store

pytestmark = pytest.mark.browser


def test_a_sheet_is_answered_and_saved(browser: Any, own_store: Path, tmp_path: Path) -> None:
    with open_store(own_store) as store:
        posed, about = people.pose(store, Layout(own_store), PredictionConfig(split="train", limit=3))
        sheet.write(tmp_path / "sheet.html", about, posed)
        asked = [turn for one in posed.read(0, len(posed))[0] for turn in sheet.turns(one)]
    context = browser.new_context(accept_downloads=True, viewport={"width": 1100, "height": 900})
    page = context.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.goto(f"file://{tmp_path}/sheet.html")
    here = page.locator("article.here")
    assert not here.locator(".key").is_visible()
    page.keyboard.press("2")
    assert here.locator(".right").inner_text() == asked[0][1].choices[asked[0][2]]
    assert here.locator("input.choice").nth(0).is_disabled()
    page.keyboard.press("2")
    assert here.locator("input.judged").nth(1).is_checked()
    page.keyboard.press("ArrowRight")
    here.locator("input.choice").first.click()
    page.get_by_role("button", name="Save").click()
    assert "name first" in page.get_by_role("status").inner_text()
    page.get_by_label("Your name").fill("Anna B.")
    page.reload()
    assert page.get_by_role("status").inner_text() == f"2 of {len(asked)}; 1 done"
    page.screenshot(path=tmp_path / "sheet.png")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save").click()
    download.value.save_as(tmp_path / "anna-b.json")
    found = answers.read(tmp_path / "anna-b.json")
    assert (found.rater, found.sheet) == ("anna-b", about)
    assert [(one.choice, one.key) for one in found.answers] == [(1, "wrong"), (0, None)]
    assert told == []
    context.close()
