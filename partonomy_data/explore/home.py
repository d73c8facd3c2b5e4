"""The first page of a version: what is in it, of which sources, in which splits; all from the manifest and small tables."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from partonomy_data.explore.rendering import Site

_SPLITS = "SELECT split, count(*) AS images FROM pictured WHERE split IS NOT NULL GROUP BY split ORDER BY split"
_ASKED = "SELECT split, question_type, count(*) AS n FROM asked GROUP BY ALL ORDER BY ALL"
#: The questions whose photographs are shown: one of each of some categories, spread over the version.
_SHOWN = (
    "SELECT image_id, object_category, width, height FROM (SELECT object_category, max_by(image_id, pixels) AS image_id FROM "
    "example GROUP BY object_category ORDER BY max(pixels) DESC, object_category LIMIT 6) JOIN pictured USING (image_id) "
    "ORDER BY object_category"
)


def router(site: Site) -> APIRouter:
    """The page."""
    made = APIRouter()

    @made.get("/")
    def home(request: Request, version: str) -> HTMLResponse:
        opened = site.open(version)
        manifest = opened.store.manifest
        asked = opened.kept(_ASKED)
        splits = {row["split"]: {"images": row["images"], "questions": 0} for row in opened.kept(_SPLITS)}
        for row in asked:
            splits.setdefault(row["split"], {"images": 0, "questions": 0})["questions"] += row["n"]
        types: dict[str, int] = {}
        for row in asked:
            types[row["question_type"]] = types.get(row["question_type"], 0) + row["n"]
        return site.page(
            request,
            opened,
            "home.html",
            title="Overview",
            tables=manifest["tables"],
            counts=manifest.get("counts", {}),
            parent=manifest.get("parent"),
            splits=splits,
            types=types,
            shown=opened.kept(_SHOWN),
        )

    return made
