"""Object categories, parts, and the relations between parts."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from partonomy_data.explore.opening import Opened, Row
from partonomy_data.explore.paging import numbered
from partonomy_data.explore.rendering import PageError, Site

CATEGORIES: Final = "SELECT * FROM object_categories ORDER BY n_objects DESC, object_category"
PARTS: Final = "SELECT * FROM part_categories ORDER BY n_parts DESC, part_category"
_PARTS_OF = "SELECT * FROM part_graph WHERE object_category = ? ORDER BY frequency DESC, part_category"
_OBJECTS_WITH = "SELECT * FROM part_graph WHERE part_category = ? ORDER BY n_with_part DESC, object_category"
_KIN: Final = (
    "SELECT {0} AS name, list(source ORDER BY source) AS sources FROM category_graph WHERE {1} = ? "
    "GROUP BY ALL ORDER BY name"
)
_PARENTS: Final = _KIN.format("parent", "child")
_CHILDREN: Final = _KIN.format("child", "parent")
_PLAUSIBILITY = "SELECT * FROM plausibility WHERE object_category = ?"
_EXAMPLES_OF = (
    "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY part_category ORDER BY pixels DESC, part_id) AS place "
    "FROM example WHERE object_category = ?) WHERE place <= 4 ORDER BY part_category, place"
)
_EXAMPLES_WITH = "SELECT * FROM example WHERE part_category = ? ORDER BY pixels DESC, part_id LIMIT 18"
_PICTURED = (
    "SELECT image_id, width, height FROM pictured WHERE n IN (SELECT n FROM pictured_object WHERE object_category = ? "
    "ORDER BY n LIMIT 12) ORDER BY n"
)
_RELATIONS = "SELECT * FROM part_relations ORDER BY part_a, part_b"
_RELATIONS_OF = "SELECT * FROM part_relations WHERE part_a = ? ORDER BY relation, part_b"
_RELATIONS_TO = "SELECT * FROM part_relations WHERE part_b = ? ORDER BY relation, part_a"
#: How a relation is read from the other side.
_TURNED: Final = {"broader": "narrower", "narrower": "broader"}
#: Why a relation holds, by who decided it.
METHODS: Final = {
    "override": "said by hand, in the file of overrides, which wins over all else",
    "curated": "in the list of synonyms and kinds that comes with the tool",
    "exact": "the names are the same but for spelling, number or blanks",
    "lexical": "a dictionary says so",
    "llm": "a language model was asked, and its answer passed the checks",
    "llm_unsure": "a language model was asked and was not sure, so that they are kept apart",
    "head_noun": "one name is the other with a word before it",
    "closure": "it follows from other relations",
}


def router(site: Site) -> APIRouter:
    """`categories`, `category`, `parts`, `part`, `relations`."""
    made = APIRouter()

    @made.get("/categories")
    def categories(request: Request, version: str, q: str = "", source: str = "", page: int = 1) -> HTMLResponse:
        opened = site.open(version)
        rows = [row for row in opened.kept(CATEGORIES) if _matches(row, "object_category", q, source)]
        listed = numbered(rows, page)
        sources = sorted({one for row in opened.kept(CATEGORIES) for one in row["sources"]})
        given = {"q": q, "source": source}
        return site.page(
            request, opened, "categories.html", title="Categories", listed=listed, sources=sources, given=given,
            examples=_portraits(opened),
        )  # fmt: skip

    @made.get("/category")
    def category(request: Request, version: str, name: str) -> HTMLResponse:
        opened = site.open(version)
        row = opened.one("SELECT * FROM object_categories WHERE object_category = ?", [name])
        parents, children = opened.rows(_PARENTS, [name]), opened.rows(_CHILDREN, [name])
        if row is None and not parents and not children:
            raise PageError(404, f"There is no object category “{name}” in this version.")
        examples: dict[str, list[Row]] = {}
        for example in opened.kept(_EXAMPLES_OF, [name]):
            examples.setdefault(example["part_category"], []).append(example)
        judged = {one["part_category"]: one for one in opened.rows(_PLAUSIBILITY, [name])}
        return site.page(
            request, opened, "category.html", title=name, name=name, row=row, parents=parents, children=children,
            parts=opened.rows(_PARTS_OF, [name]), examples=examples, judged=judged,
            pictured=opened.kept(_PICTURED, [name]),
        )  # fmt: skip

    @made.get("/parts")
    def parts(request: Request, version: str, q: str = "", source: str = "", page: int = 1) -> HTMLResponse:
        opened = site.open(version)
        rows = [row for row in opened.kept(PARTS) if _matches(row, "part_category", q, source)]
        sources = sorted({one for row in opened.kept(PARTS) for one in row["sources"]})
        return site.page(
            request, opened, "parts.html", title="Parts", listed=numbered(rows, page), sources=sources,
            given={"q": q, "source": source}, n_relations=len(opened.kept(_RELATIONS)),
        )  # fmt: skip

    @made.get("/part")
    def part(request: Request, version: str, name: str) -> HTMLResponse:
        opened = site.open(version)
        row = opened.one("SELECT * FROM part_categories WHERE part_category = ?", [name])
        objects = opened.rows(_OBJECTS_WITH, [name])
        relations = relations_of(opened, name)
        if row is None and not objects and not relations:
            raise PageError(404, f"There is no part “{name}” in this version.")
        return site.page(
            request, opened, "part.html", title=name, name=name, row=row, objects=objects,
            relations=relations, examples=opened.kept(_EXAMPLES_WITH, [name]), methods=METHODS,
        )  # fmt: skip

    @made.get("/relations")
    def relations(
        request: Request, version: str, relation: str = "", method: str = "", q: str = "", page: int = 1
    ) -> HTMLResponse:
        opened = site.open(version)
        every = opened.kept(_RELATIONS)
        rows = [
            row
            for row in every
            if relation in ("", row["relation"])
            and method in ("", row["method"])
            and q.lower() in f"{row['part_a']}\n{row['part_b']}".lower()
        ]
        return site.page(
            request, opened, "relations.html", title="Relations between parts", listed=numbered(rows, page),
            relations=sorted({row["relation"] for row in every}), methods=METHODS,
            used=sorted({row["method"] for row in every}), given={"q": q, "relation": relation, "method": method},
        )  # fmt: skip

    return made


def relations_of(opened: Opened, part: str) -> list[Row]:
    """What a part is to others: rows with `other` and `relation` ("it is … than (as) the other"), from both sides, once."""
    found = {row["part_b"]: {**row, "other": row["part_b"]} for row in opened.rows(_RELATIONS_OF, [part])}
    for row in opened.rows(_RELATIONS_TO, [part]):
        turned = _TURNED.get(row["relation"], row["relation"])
        found.setdefault(row["part_a"], {**row, "other": row["part_a"], "relation": turned})
    return sorted(found.values(), key=lambda row: (row["relation"] == "distinct", row["relation"], row["other"]))


def _portraits(opened: Opened) -> dict[str, Row]:
    """Of each category the example with the largest part."""
    sql = "SELECT object_category, max_by({'image_id': image_id, 'box': box}, pixels) AS e FROM example GROUP BY ALL"
    return {row["object_category"]: row["e"] for row in opened.kept(sql)}


def _matches(row: Row, name: str, wanted: str, source: str) -> bool:
    return wanted.strip().lower() in row[name] and (not source or source in row["sources"])
