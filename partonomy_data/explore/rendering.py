"""Pages from templates. What isn't markup of a template is text, and escaped: names, questions, paths, errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import jinja2
from fastapi import Request
from starlette.responses import HTMLResponse

from partonomy_data.explore.formatting import FILTERS
from partonomy_data.explore.opening import Opened, Versions

#: Views of the navigation: address and name.
NAVIGATION: Final = (
    ("categories", "Categories"),
    ("parts", "Parts"),
    ("graph", "Graph"),
    ("photographs", "Photographs"),
    ("questions", "Questions"),
    ("results", "Results"),
    ("quarantine", "Quarantine"),
    ("reports", "Reports"),
    ("versions", "Versions"),
    ("sql", "SQL"),
)
#: What a page is part of, where that isn't its own name.
BELONGS: Final = {
    "category": "categories",
    "part": "parts",
    "relations": "parts",
    "photograph": "photographs",
    "question": "questions",
    "explain": "questions",
    "result": "results",
    "calls": "reports",
    "diff": "versions",
}


class PageError(Exception):
    """A page that can't be shown, with its status and one line that says why."""

    def __init__(self, status: int, line: str) -> None:
        self.status, self.line = status, line
        super().__init__(line)


def environment() -> jinja2.Environment:
    """The templates. A name that a template uses and nobody gave is an error."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("partonomy_data.explore", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= FILTERS
    return made


def query(**given: Any) -> str:
    """The query of an address, without what is None or empty; empty if nothing is left."""
    kept = {name: value for name, value in given.items() if value not in (None, "")}
    return f"?{urlencode(kept)}" if kept else ""


def linker(version: str) -> Callable[..., str]:
    """`link(view, name=value, …)`: the address of a view of this version."""

    def link(view: str = "", **given: Any) -> str:
        return f"/v/{version}/{view}{query(**given)}"

    return link


@dataclass(frozen=True, slots=True)
class Site:
    """What every page needs: the versions that there are, and the templates."""

    versions: Versions
    templates: jinja2.Environment

    def open(self, version: str) -> Opened:
        """A version, opened if it isn't. Raises StoreError."""
        return self.versions.get(version)

    def page(self, request: Request, opened: Opened, template: str, **context: Any) -> HTMLResponse:
        """A page of a version. `title` should be among the context."""
        view = request.url.path.rsplit("/", 1)[-1]
        tail = f"?{request.url.query}" if request.url.query else ""
        text = self.templates.get_template(template).render(
            version=opened.version,
            versions=self.versions.names(),
            current=self.versions.current_or_none(),
            link=linker(opened.version),
            here=view + tail,
            section=BELONGS.get(view, view),
            navigation=NAVIGATION,
            **context,
        )
        return HTMLResponse(text)

    def error(self, status: int, line: str) -> HTMLResponse:
        """An error as a page, whatever state the store is in."""
        current = self.versions.current_or_none()
        text = self.templates.get_template("error.html").render(
            title={404: "Not found", 400: "That can't be shown"}.get(status, "Something is wrong"),
            line=line,
            status=status,
            version=current,
            versions=[],
            current=current,
            link=linker(current or ""),
            here="",
            section="",
            navigation=NAVIGATION if current else (),
        )
        return HTMLResponse(text, status_code=status)
