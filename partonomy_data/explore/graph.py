"""The part graph as a picture that one can walk: a category or part in the middle, its neighbours beside it, each a link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from partonomy_data.explore.formatting import percent
from partonomy_data.explore.opening import Opened
from partonomy_data.explore.rendering import PageError, Site
from partonomy_data.explore.taxonomy import CATEGORIES, PARTS, relations_of

#: Neighbours that are drawn on one side; the lists have all.
MOST: Final = 16
#: Sizes of the drawing, in pixels of its own.
WIDTH, ROW, TOP, NODE, HIGH = 960, 40, 46, 240, 30


@dataclass(frozen=True, slots=True)
class Node:
    """A box of the drawing: what it is, where its middle lies, and how it hangs together with the one in the middle."""

    kind: str
    """`category` or `part`."""
    name: str
    why: str
    x: float
    y: float
    weight: float = 0.5
    """0 to 1: how thick its edge is."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """What the template draws."""

    middle: Node
    left: list[Node]
    right: list[Node]
    height: int
    hidden: int
    """Neighbours that there was no room for."""


Neighbour = tuple[str, str, str, float]


def router(site: Site) -> APIRouter:
    """`graph`."""
    made = APIRouter()

    @made.get("/graph")
    def graph(request: Request, version: str, category: str = "", part: str = "") -> HTMLResponse:
        opened = site.open(version)
        categories = [row["object_category"] for row in opened.kept(CATEGORIES)]
        parts = [row["part_category"] for row in opened.kept(PARTS)]
        drawing = None
        if part:
            drawing = around_part(opened, part)
        elif category or categories:
            drawing = around_category(opened, category or categories[0])
        title = f"Around {drawing.middle.name}" if drawing else "Graph"
        return site.page(
            request, opened, "graph.html", title=title, drawing=drawing, categories=sorted(categories),
            parts=sorted(parts), width=WIDTH, node=NODE, high=HIGH,
        )  # fmt: skip

    return made


def around_category(opened: Opened, name: str) -> Drawing:
    """A category between its kinds (what it is, and what is one) and its parts. Raises PageError if there is none."""
    rows = opened.rows(
        "SELECT * FROM part_graph WHERE object_category = ? ORDER BY frequency DESC, part_category", [name]
    )
    up = opened.rows("SELECT DISTINCT parent AS name FROM category_graph WHERE child = ? ORDER BY 1", [name])
    down = opened.rows("SELECT DISTINCT child AS name FROM category_graph WHERE parent = ? ORDER BY 1", [name])
    known = opened.one("SELECT object_category FROM object_categories WHERE object_category = ?", [name])
    if known is None and not (rows or up or down):
        raise PageError(404, f"There is no object category “{name}” in this version.")
    left = [("category", row["name"], "is a", 0.5) for row in up]
    left += [("category", row["name"], "a kind of it", 0.3) for row in down]
    right = [
        (
            "part",
            row["part_category"],
            percent(row["frequency"]) if row["n_objects"] else row["evidence"],
            row["frequency"],
        )
        for row in rows
    ]
    return _drawn("category", name, left, right)


def around_part(opened: Opened, name: str) -> Drawing:
    """A part between the parts that it is related to and the objects that have it. Raises PageError if there is none."""
    rows = opened.rows(
        "SELECT * FROM part_graph WHERE part_category = ? ORDER BY n_with_part DESC, object_category", [name]
    )
    related = relations_of(opened, name)
    if (
        not rows
        and not related
        and opened.one("SELECT 1 AS n FROM part_categories WHERE part_category = ?", [name]) is None
    ):
        raise PageError(404, f"There is no part “{name}” in this version.")
    words = {"same": "same as", "broader": "broader than", "narrower": "a kind of", "distinct": "not the same as"}
    left = [("part", row["other"], words.get(row["relation"], ""), row["confidence"]) for row in related]
    right = [
        ("category", row["object_category"], percent(row["frequency"]) if row["n_objects"] else row["evidence"],
         row["frequency"])
        for row in rows
    ]  # fmt: skip
    return _drawn("part", name, left, right)


def _drawn(kind: str, name: str, left: Sequence[Neighbour], right: Sequence[Neighbour]) -> Drawing:
    rows = max(1, min(MOST, len(left)), min(MOST, len(right)))
    height = TOP + rows * ROW + 14
    middle = Node(kind, name, "", WIDTH / 2, TOP + rows * ROW / 2)
    sides = [
        _column(left[:MOST], NODE / 2 + 4, middle.y),
        _column(right[:MOST], WIDTH - NODE / 2 - 4, middle.y),
    ]
    hidden = max(0, len(left) - MOST) + max(0, len(right) - MOST)
    return Drawing(middle, sides[0], sides[1], height, hidden)


def _column(neighbours: Sequence[Neighbour], x: float, around: float) -> list[Node]:
    top = around - len(neighbours) * ROW / 2 + ROW / 2
    return [
        Node(kind, name, why, x, top + place * ROW, min(1.0, max(0.0, float(weight))))
        for place, (kind, name, why, weight) in enumerate(neighbours)
    ]
