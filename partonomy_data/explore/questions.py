"""Questions: a browser with filters, one with its masks and sisters, and where one comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from partonomy_data import provenance
from partonomy_data.explore import drawing
from partonomy_data.explore.opening import Opened, Row
from partonomy_data.explore.paging import Where, count, page
from partonomy_data.explore.photographs import names_of
from partonomy_data.explore.rendering import PageError, Site
from partonomy_data.explore.spelling import spelled
from partonomy_data.explore.taxonomy import CATEGORIES, PARTS
from partonomy_data.provenance.lookups import Lookups

_FACETS: Final = "SELECT DISTINCT {0} AS name FROM asked WHERE {0} IS NOT NULL ORDER BY 1"
_COLUMNS: Final = (
    "n, question_id, image_id, question_type, split, source, balanced, verified, question, object_category"
)
YES_NO: Final = {"yes": True, "no": False}


def router(site: Site) -> APIRouter:
    """`questions`, `question`, `explain`."""
    made = APIRouter()

    @made.get("/questions")
    def questions(
        request: Request, version: str, type: str = "", split: str = "", source: str = "", category: str = "",
        part: str = "", balanced: str = "", verified: str = "", after: int = 0, before: int = 0,
    ) -> HTMLResponse:  # fmt: skip
        opened = site.open(version)
        given = {
            "type": type, "split": split, "source": source, "category": category, "part": part,
            "balanced": balanced, "verified": verified,
        }  # fmt: skip
        where = filtered(given)
        return site.page(
            request, opened, "questions.html", title="Questions",
            listed=page(opened, _COLUMNS, "asked", where, before=before, after=after),
            total=count(opened, "asked", where), types=facet(opened, "question_type"), splits=facet(opened, "split"),
            sources=facet(opened, "source"), categories=names_of(opened, CATEGORIES), parts=names_of(opened, PARTS),
            given=given,
        )  # fmt: skip

    @made.get("/question")
    def question(request: Request, version: str, id: str) -> HTMLResponse:
        opened = site.open(version)
        row, together = asked(opened, id)
        parts, objects = drawing.parts_of(opened, row["image_id"]), drawing.objects_of(opened, row["image_id"])
        image = opened.one("SELECT image_id, width, height FROM pictured WHERE image_id = ?", [row["image_id"]])
        mine = [one for one in parts if one["object_id"] == row["object_id"]]
        hues = drawing.hues_of(one["part_category"] for one in mine)
        return site.page(
            request, opened, "question.html", title=row["question"], row=row, image=image,
            object=next((one for one in objects if one["object_id"] == row["object_id"]), None),
            choices=[spelled(choice["text"], choice["spans"], hues) for choice in row["choices"]],
            shapes=drawing.part_shapes(mine, hues), hues=hues, masks=Lookups(opened.store).named_in(id),
            outlines=drawing.object_shapes([one for one in objects if one["object_id"] == row["object_id"]]),
            sisters=sisters(opened, row, together), models=opened.models,
        )  # fmt: skip

    @made.get("/explain")
    def explain(request: Request, version: str, id: str) -> HTMLResponse:
        opened = site.open(version)
        told = provenance.explain(opened.store, id)
        return site.page(request, opened, "explain.html", title=f"Where {id} comes from", told=told)

    return made


def filtered(given: Mapping[str, str]) -> Where:
    """The conditions of the question browser. Raises PageError for a yes or no that is neither."""
    where = Where()
    where.equal("question_type", given["type"])
    for column in ("split", "source"):
        where.equal(column, given[column])
    where.equal("object_category", given["category"])
    for column in ("balanced", "verified"):
        if given[column]:
            if given[column] not in YES_NO:
                raise PageError(400, f"“{column}” is yes or no.")
            where.add(f"{column} = ?", YES_NO[given[column]])
    if given["part"]:
        where.add("n IN (SELECT n FROM asked_naming WHERE part_category = ?)", given["part"])
    return where


def facet(opened: Opened, column: str) -> list[str]:
    """The values that a column of `asked` has."""
    return opened.names(_FACETS.format(column))


def asked(opened: Opened, question_id: str) -> tuple[Row, list[Row]]:
    """A question's row, and those of all that are asked with it. Raises PageError if there is none of that id."""
    # At once, as choices, which are nested columns, are what takes time.
    rows = Lookups(opened.store).asked_with(question_id)
    for row in rows:
        if row["question_id"] == question_id:
            return row, rows
    raise PageError(404, f"There is no question “{question_id}” in this version.")


def sisters(opened: Opened, row: Row, together: Sequence[Row]) -> list[Row]:
    """The questions of the same block, this one among them, each with its photograph's size; none without a block."""
    found = [one for one in together if row["block_id"] and one["block_id"] == row["block_id"]]
    if not found:
        return []
    sizes = opened.rows(
        f"SELECT image_id, width, height FROM pictured WHERE image_id IN ({', '.join('?' * len(found))})",
        [one["image_id"] for one in found],
    )
    of_image = {one["image_id"]: one for one in sizes}
    return [one | {"image": of_image.get(one["image_id"])} for one in found]
