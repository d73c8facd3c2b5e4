"""The SQL box: one SELECT, in the store's own sandbox, with limits on time, rows and memory."""

from __future__ import annotations

import threading
import time
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from partonomy_data.errors import QueryError
from partonomy_data.explore.formatting import plain
from partonomy_data.explore.opening import Opened
from partonomy_data.explore.rendering import Site
from schemas.tables import EVALUATION_TABLES, TABLES

SECONDS: Final = 5.0
MOST_ROWS: Final = 200
#: Characters of a query, and of a value in the answer.
LONGEST: Final = 20_000
LONGEST_VALUE: Final = 400
#: Queries that run at a time; one more is told to wait.
AT_ONCE: Final = 2
EXAMPLES: Final = (
    (
        "Parts of a category, by how often they are seen",
        "SELECT part_category, n_with_part, n_objects, round(frequency, 2) AS frequency\n"
        "FROM part_graph\nWHERE object_category = 'airplane'\nORDER BY frequency DESC",
    ),
    (
        "Questions by type and split",
        "SELECT question_type, split, count(*) AS questions, round(avg(chance), 3) AS chance\n"
        "FROM questions\nGROUP BY ALL\nORDER BY ALL",
    ),
    (
        "Names that mean the same part",
        "SELECT part_a, part_b, method, confidence\n"
        "FROM part_relations\nWHERE relation = 'same' AND part_a < part_b\nORDER BY ALL",
    ),
    (
        "The smallest parts that have a mask",
        "SELECT part_id, part_category, area, image_id\nFROM parts\nORDER BY area\nLIMIT 20",
    ),
)


def router(site: Site) -> APIRouter:
    """`sql`."""
    made = APIRouter()
    places = threading.BoundedSemaphore(AT_ONCE)

    @made.get("/sql")
    def sql(request: Request, version: str, q: str = "") -> HTMLResponse:
        opened = site.open(version)
        context: dict[str, Any] = {"columns": [], "rows": [], "complete": True, "error": "", "took": None}
        if q.strip():
            context |= _answered(opened, q, places)
        tables = {name: [column.name for column in table.columns] for name, table in _tables().items()}
        return site.page(
            request, opened, "sql.html", title="SQL", q=q, examples=EXAMPLES, tables=tables, seconds=SECONDS,
            most_rows=MOST_ROWS, **context,
        )  # fmt: skip

    return made


def _tables() -> dict[str, Any]:
    return {**TABLES, **EVALUATION_TABLES}


def _answered(opened: Opened, sql: str, places: threading.BoundedSemaphore) -> dict[str, Any]:
    """The answer to a query, or the line that says why there is none."""
    if len(sql) > LONGEST:
        return {"error": f"The query has more than {LONGEST:,} characters."}
    if not places.acquire(timeout=SECONDS):
        return {"error": "Other queries are running. Try again in a moment."}
    try:
        started = time.perf_counter()
        answer = opened.store.select(sql, seconds=SECONDS, max_rows=MOST_ROWS)
        took = time.perf_counter() - started
    except QueryError as error:
        return {"error": str(error)}
    finally:
        places.release()
    shown = [[short(value) for value in row.values()] for row in answer.rows.to_pylist()]
    if len(set(answer.rows.column_names)) != answer.rows.num_columns:  # to_pylist would merge columns of one name
        columns = [column.to_pylist() for column in answer.rows.columns]
        shown = [[short(value) for value in row] for row in zip(*columns, strict=True)]
    return {"columns": answer.rows.column_names, "rows": shown, "complete": answer.complete, "took": took}


def short(value: Any) -> str:
    """A value as text that fits into a table."""
    text = plain(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
