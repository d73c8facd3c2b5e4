"""Photographs: a list with filters, and one with its masks."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from partonomy_data.explore import drawing
from partonomy_data.explore.opening import Opened, Row
from partonomy_data.explore.paging import Where, count, page
from partonomy_data.explore.rendering import PageError, Site
from partonomy_data.explore.taxonomy import CATEGORIES, PARTS
from partonomy_data.ids import image_prefix

SOURCES: Final = "SELECT DISTINCT source FROM pictured ORDER BY 1"
SPLITS: Final = "SELECT DISTINCT split FROM pictured WHERE split IS NOT NULL ORDER BY 1"
_QUESTIONS: Final = (
    "SELECT question_id, object_id, question_type, question, object_category, split, balanced, verified FROM asked "
    "WHERE prefix = ? AND image_id = ? ORDER BY n LIMIT 200"
)
_ATTRIBUTES: Final = (
    "SELECT annotation_id, string_agg(attribute, ', ' ORDER BY attribute_type, attribute) AS attributes FROM attributes "
    "WHERE annotation_id >= ? AND annotation_id < ? GROUP BY annotation_id"
)


def router(site: Site) -> APIRouter:
    """`photographs`, `photograph`."""
    made = APIRouter()

    @made.get("/photographs")
    def photographs(
        request: Request, version: str, source: str = "", split: str = "", category: str = "", part: str = "",
        after: int = 0, before: int = 0,
    ) -> HTMLResponse:  # fmt: skip
        opened = site.open(version)
        where = Where()
        where.equal("source", source)
        where.equal("split", split)
        if category:
            where.add("n IN (SELECT n FROM pictured_object WHERE object_category = ?)", category)
        if part:
            where.add("n IN (SELECT n FROM pictured_part WHERE part_category = ?)", part)
        listed = page(
            opened, "n, image_id, source, split, width, height", "pictured", where, before=before, after=after
        )
        return site.page(
            request, opened, "photographs.html", title="Photographs", listed=listed,
            total=count(opened, "pictured", where), sources=opened.names(SOURCES), splits=opened.names(SPLITS),
            categories=names_of(opened, CATEGORIES), parts=names_of(opened, PARTS),
            given={"source": source, "split": split, "category": category, "part": part},
        )  # fmt: skip

    @made.get("/photograph")
    def photograph(request: Request, version: str, id: str, object: str = "", part: str = "") -> HTMLResponse:
        opened = site.open(version)
        row = opened.one("SELECT * FROM pictured WHERE image_id = ?", [id])
        if row is None:
            raise PageError(404, f"There is no photograph “{id}” in this version.")
        objects, parts = drawing.objects_of(opened, id), drawing.parts_of(opened, id)
        hues = drawing.hues_of(one["part_category"] for one in parts)
        return site.page(
            request, opened, "photograph.html", title=id, row=row, objects=objects,
            of_object=_by_object(parts), hues=hues, shapes=drawing.part_shapes(parts, hues),
            outlines=drawing.object_shapes(objects), attributes=attributes(opened, id),
            questions=opened.rows(_QUESTIONS, [int(image_prefix(id), 16), id]), lit=_lit(object, part),
        )  # fmt: skip

    return made


def names_of(opened: Opened, sql: str) -> list[str]:
    """The names of a list of categories or parts, in alphabetical order."""
    return sorted(opened.names(sql))


def attributes(opened: Opened, image_id: str) -> dict[str, str]:
    """What is known of a photograph's objects and parts: id → attributes as one text."""
    prefix = image_prefix(image_id)
    found: dict[str, str] = {}
    for kind in ("obj_", "prt_"):
        rows = opened.rows(_ATTRIBUTES, [f"{kind}{prefix}", f"{kind}{prefix}g"])
        found.update((row["annotation_id"], row["attributes"]) for row in rows)
    return found


def _by_object(parts: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for part in parts:
        found.setdefault(part["object_id"], []).append(part)
    return found


def _lit(object_id: str, part: str) -> str:
    """The key that is lit from the start, as an address asks for it."""
    if part:
        return f"part:{part}"
    return f"object:{object_id}" if object_id else ""
