"""Values of rows as the pages say them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

#: Colors of masks; the stylesheet has as many.
HUES: Final = 12


def number(value: Any) -> str:
    """A whole number with commas, another with up to four digits; a dash for none."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def percent(value: float | None) -> str:
    """A share in percent; a dash for none."""
    return "–" if value is None else f"{100 * value:.1f} %".replace(".0 %", " %")


def plain(value: Any) -> str:
    """Any value of a row as text."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value)) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {plain(one)}" for name, one in value.items() if one is not None)
    return str(value)


def day(value: datetime) -> str:
    """A time to the minute (UTC)."""
    return f"{value:%Y-%m-%d %H:%M}"


def spoken(name: str) -> str:
    """A column's or type's name as words: `part_to_whole` → `part to whole`."""
    return name.replace("_", " ")


def hue(place: int) -> str:
    """The class of a mask's color, by the place of its part among those of the page."""
    return f"hue-{place % HUES}"


#: What templates know, by name.
FILTERS: Final[Mapping[str, Callable[[Any], str]]] = {
    "number": number,
    "percent": percent,
    "plain": plain,
    "hue": hue,
    "day": day,
    "spoken": spoken,
}
