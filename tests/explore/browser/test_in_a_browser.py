"""The explorer in a real Chromium: the way from an object to explain, masks that light up, filters, keys, colors."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(world: Path) -> Iterator[str]:
    """Where a server of the demo world listens."""
    command = [sys.executable, "-m", "partonomy_data", "explore", "--root", str(world), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split(" shows")[0]
        finally:
            process.terminate()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """A page. At the end no error was told, and nothing was asked for elsewhere."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    made = context.new_page()
    told: list[str] = []
    asked: list[str] = []
    made.on("console", lambda message: told.append(message.text) if message.type in ("error", "warning") else None)
    made.on("pageerror", lambda error: told.append(str(error)))
    made.on("request", lambda request: asked.append(request.url))
    yield made
    context.close()
    assert told == []
    assert [one for one in asked if not one.startswith(address)] == []


def test_one_walks_from_an_object_to_a_part_a_photograph_a_question_its_sisters_and_explain(
    page: Any, address: str
) -> None:
    page.goto(address)
    page.get_by_role("link", name="Categories").click()
    page.get_by_role("searchbox").fill("car")
    page.get_by_role("searchbox").press("Enter")
    page.locator(".gallery a[href$='category?name=car']").click()
    assert page.get_by_role("heading", level=1).inner_text() == "car"
    page.get_by_role("rowheader", name="wheel", exact=True).get_by_role("link").click()
    assert page.get_by_role("heading", level=1).inner_text() == "wheel"
    page.get_by_role("link", name="Questions that name it").click()
    page.get_by_label("Balanced").select_option("yes")
    page.wait_for_url("**balanced=yes**")
    page.locator("tbody tr a").nth(1).click()
    page.locator("figcaption a").click()
    assert page.locator("svg.photo path.mask").count() > 0
    page.locator("main a[href*='/question?id=']").first.click()
    sisters = page.locator(".gallery a[href*='/question?id=']:not([aria-current])")
    if sisters.count():
        sisters.first.click()
    page.get_by_role("link", name="Where this question comes from").click()
    assert "comes from" in page.get_by_role("heading", level=1).inner_text()


def test_a_name_lights_up_its_mask_and_a_mask_its_name(page: Any, address: str) -> None:
    page.goto(address)
    page.goto(f"{page.url}questions?type=identification&balanced=yes")
    page.locator("tbody tr a").nth(1).click()
    name = page.locator(".choices .named[data-key]").first
    key = name.get_attribute("data-key")
    masks = page.locator(f"path.mask[data-key='{key}']")
    assert "lit" not in (masks.first.get_attribute("class") or "")
    name.hover()
    for number in range(masks.count()):
        assert "lit" in (masks.nth(number).get_attribute("class") or "")
    others = page.locator(f"path.mask:not([data-key='{key}'])")
    assert all("lit" not in (others.nth(number).get_attribute("class") or "") for number in range(others.count()))
    page.mouse.move(2, 2)
    assert "lit" not in (masks.first.get_attribute("class") or "")
    name.focus()  # by the keyboard as well
    assert "lit" in (masks.first.get_attribute("class") or "")
    page.locator("h1").click()
    masks.first.dispatch_event("mouseover")
    assert "lit" in (name.get_attribute("class") or "")


def test_filters_apply_at_once_and_pages_lead_on_by_key(page: Any, address: str) -> None:
    page.goto(address)
    page.goto(f"{page.url}questions")
    first = page.locator("tbody tr").first.inner_html()
    page.keyboard.press("j")
    page.wait_for_url("**after=**")
    assert page.locator("tbody tr").first.inner_html() != first
    page.keyboard.press("k")
    page.wait_for_url("**before=**")
    assert page.locator("tbody tr").first.inner_html() == first
    page.get_by_label("Type").select_option("difference")
    page.wait_for_url("**type=difference**")
    assert set(page.locator("tbody td:nth-child(3)").all_inner_texts()) == {"difference"}
    assert "split=" not in page.url


def test_the_sql_box_answers_and_refuses(page: Any, address: str) -> None:
    page.goto(address)
    page.goto(f"{page.url}sql")
    page.get_by_label("Query").fill("SELECT count(*) AS n FROM parts")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#answer")
    assert page.locator("#answer td").inner_text() == "3770"
    page.get_by_label("Query").fill("COPY parts TO '/tmp/x.csv'")
    page.get_by_role("button", name="Run").click()
    assert "not admitted" in page.get_by_role("alert").inner_text()


def test_colors_follow_the_system_and_then_the_choice(browser: Any, address: str) -> None:
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(address)
    color = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(color)
    page.get_by_role("button", name="Use light colors").click()
    light = page.evaluate(color)
    assert dark != light
    page.reload()
    assert page.evaluate(color) == light
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_that_wcag_asks_for(browser: Any, address: str, scheme: str) -> None:
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(address)
    for selector in ("body", ".lead", ".soft", "nav.views a", "main a", ".crumbs", ".tag"):
        page.goto(f"{address}v/{re.findall('/v/([0-9a-f]{16})/', page.url)[0]}/questions")
        found = page.locator(selector)
        if not found.count():
            continue
        colors = found.first.evaluate(
            """one => { let under = one; let back = '';
            while (under && !back) { const c = getComputedStyle(under).backgroundColor;
              if (c !== 'rgba(0, 0, 0, 0)') back = c; under = under.parentElement; }
            return [getComputedStyle(one).color, back]; }"""
        )
        dim, bright = sorted(_luminance(one) for one in colors)
        assert (bright + 0.05) / (dim + 0.05) >= 4.5, selector
    context.close()


def _luminance(color: str) -> float:
    """Relative luminance of `rgb(r, g, b)` (WCAG 2.2)."""
    channels = [int(one) / 255 for one in re.findall(r"\d+", color)[:3]]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
