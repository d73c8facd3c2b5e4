"""The report in a real Chromium, from the disk and without scripts: nothing is missing, nothing asked for elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from partonomy_data.report.pages import NAVIGATION

pytestmark = pytest.mark.browser


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, browser: Any, written: Path) -> Iterator[Any]:
    """A page of a browser that runs no script. At the end no error was told, and nothing asked for outside of the folder."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, color_scheme=request.param, java_script_enabled=False, offline=True,
        reduced_motion="reduce",
    )  # fmt: skip
    made = context.new_page()
    told: list[str] = []
    asked: list[str] = []
    made.on("console", lambda message: told.append(message.text))
    made.on("requestfailed", lambda one: told.append(one.url))
    made.on("request", lambda one: asked.append(one.url))
    made.goto((written / "index.html").as_uri())
    yield made
    context.close()
    assert told == []
    assert [one for one in asked if not one.startswith(written.as_uri())] == []


def test_every_page_is_reached_and_as_wide_as_the_window(page: Any) -> None:
    for file, name, _ in NAVIGATION:
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
        page.wait_for_url(f"**/{file}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_masks_can_be_hidden_and_a_name_shows_its_own_alone(page: Any) -> None:
    page.get_by_role("link", name="Photographs").first.click()
    mask = page.locator("figure:has(.of-hue-1) path.mask.hue-0").first
    assert mask.is_visible()
    assert mask.evaluate("one => getComputedStyle(one).opacity") == "1"
    page.locator("figure:has(.of-hue-1) .of-hue-1").first.hover()
    assert float(mask.evaluate("one => getComputedStyle(one).opacity")) < 0.2
    page.get_by_label("Show masks").uncheck()
    assert not mask.is_visible()


def test_text_has_the_contrast_that_wcag_asks_for(page: Any, written: Path) -> None:
    for file in ("index.html", "numbers.html", "questions.html", "checks.html"):
        page.goto((written / file).as_uri())
        for selector in (
            "body",
            ".lead",
            ".soft",
            "nav.views a",
            "main a",
            ".tag",
            ".tag.good",
            ".tag.bad",
            "td.total",
            ".edits",
        ):
            found = page.locator(selector)
            if found.count():
                assert _contrast(found.first, "color") >= 4.5, (file, selector)
        for selector, least in (
            ("svg.plot text", 4.5),
            ("svg.plot rect.s0", 3),
            ("svg.plot rect.s1", 3),
            (".dot.bad", 3),
        ):
            found = page.locator(selector)
            if found.count():
                assert _contrast(found.first, "fill") >= least, (file, selector)


def test_printed_it_has_all_numbers_on_light_ground(page: Any, written: Path) -> None:
    page.goto((written / "numbers.html").as_uri())
    page.emulate_media(media="print")
    assert not page.locator("nav.views").is_visible()
    assert page.locator("details table").first.bounding_box()["height"] > 20
    assert _contrast(page.locator("body"), "color") >= 7
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def _contrast(found: Any, name: str) -> float:
    """Of an element's color (or its fill) with the ground that it is on (WCAG 2.2)."""
    colors = found.evaluate(
        f"""one => {{ let under = {"one" if name == "color" else "one.closest('.card')"}; let back = '';
        while (under && !back) {{ const c = getComputedStyle(under).backgroundColor;
          if (c !== 'rgba(0, 0, 0, 0)') back = c; under = under.parentElement; }}
        return [getComputedStyle(one).{name}, back]; }}"""
    )
    dim, bright = sorted(_luminance(one) for one in colors)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(color: str) -> float:
    channels = [int(one) / 255 for one in re.findall(r"\d+", color)[:3]]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
