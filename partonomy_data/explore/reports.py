"""What is told of a version beside its rows: quarantine, reports of its runs, calls of a language model, other versions."""

from __future__ import annotations

import json
import threading
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from partonomy_data import store
from partonomy_data.explore.opening import Row
from partonomy_data.explore.paging import Where, count, page
from partonomy_data.explore.rendering import Site
from partonomy_data.explore.runs import accounts, reports_of
from partonomy_data.rulebook import rules_of
from partonomy_data.store.layout import check_version_name

_RULES: Final = (
    "SELECT rule, table_name, source, count(*) AS n FROM rejected GROUP BY ALL "
    "ORDER BY n DESC, rule, table_name, source"
)
_CALLS: Final = (
    "SELECT purpose, model, status, count(*) AS n, sum(prompt_tokens)::BIGINT AS prompt_tokens, "
    "sum(completion_tokens)::BIGINT AS completion_tokens, sum(cost_usd) AS cost_usd, median(latency_s) AS latency_s "
    "FROM llm_calls GROUP BY ALL ORDER BY ALL"
)
_LATEST: Final = (
    "SELECT call_id, purpose, model, status, cost_usd, left(response, 400) AS response FROM llm_calls "
    "WHERE call_id > ? ORDER BY call_id LIMIT 50"
)


def router(site: Site) -> APIRouter:
    """`quarantine`, `reports`, `calls`, `versions`, `diff`."""
    made = APIRouter()
    comparing = threading.Lock()

    @made.get("/quarantine")
    def quarantine(
        request: Request,
        version: str,
        rule: str = "",
        source: str = "",
        table: str = "",
        after: int = 0,
        before: int = 0,
    ) -> HTMLResponse:
        opened = site.open(version)
        where = Where()
        for column, value in (("rule", rule), ("source", source), ("table_name", table)):
            where.equal(column, value)
        rules = opened.kept(_RULES)
        return site.page(
            request, opened, "quarantine.html", title="Quarantine", rules=[row | _meaning(row) for row in rules],
            listed=page(opened, "*", "rejected", where, before=before, after=after),
            total=count(opened, "rejected", where), given={"rule": rule, "source": source, "table": table},
            sources=sorted({row["source"] for row in rules}), tables=sorted({row["table_name"] for row in rules}),
        )  # fmt: skip

    @made.get("/reports")
    def reports(request: Request, version: str) -> HTMLResponse:
        opened = site.open(version)
        manifest = opened.store.manifest
        of_kind = {
            kind: list(reports_of(opened.root, opened.version, manifest["tables"], kind))
            for kind in ("validation", "audit")
        }
        return site.page(
            request, opened, "reports.html", title="Reports", inputs=manifest.get("inputs", {}),
            counts=manifest.get("counts", {}), config=json.dumps(manifest.get("config"), indent=2, ensure_ascii=False),
            validations=of_kind["validation"], audits=of_kind["audit"],
            has_calls=opened.has_calls, warnings=manifest.get("warnings", []),
        )  # fmt: skip

    @made.get("/calls")
    def calls(request: Request, version: str, after: str = "") -> HTMLResponse:
        opened = site.open(version)
        return site.page(
            request, opened, "calls.html", title="Language model", totals=opened.kept(_CALLS),
            calls=opened.rows(_LATEST, [after]), accounts=list(accounts(opened.root, opened.version)),
        )  # fmt: skip

    @made.get("/versions")
    def versions(request: Request, version: str) -> HTMLResponse:
        opened = site.open(version)
        return site.page(request, opened, "versions.html", title="Versions", listed=site.versions.listed())

    @made.get("/diff")
    def diff(request: Request, version: str, old: str, rows: int = 10) -> HTMLResponse:
        opened = site.open(version)
        check_version_name(old)
        with comparing:  # it takes up to a gigabyte, so one at a time
            changes = store.diff(site.versions.root, old, version, rows=min(max(rows, 0), 100))
        return site.page(request, opened, "diff.html", title="What changed", diff=changes)

    return made


def _meaning(row: Row) -> dict[str, Any]:
    """What the rule of a row of quarantine means, where the source's reader says so."""
    rule = rules_of(row["source"]).get(row["rule"])
    return {"found": rule.quirk if rule else "", "done": rule.how if rule else ""}
