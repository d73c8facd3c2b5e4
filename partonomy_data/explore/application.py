"""The addresses of the pages. A version's pages are below /v/<version>/, so that an address shows the same for ever."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from partonomy_data.errors import PartonomyError, StoreError, UsageError
from partonomy_data.explore.asking import router as asking
from partonomy_data.explore.graph import router as graph
from partonomy_data.explore.guarding import Guard
from partonomy_data.explore.home import router as home
from partonomy_data.explore.opening import Versions
from partonomy_data.explore.photographs import router as photographs
from partonomy_data.explore.pictures import router as pictures
from partonomy_data.explore.questions import router as questions
from partonomy_data.explore.rendering import PageError, Site, environment
from partonomy_data.explore.reports import router as reports
from partonomy_data.explore.results import router as results
from partonomy_data.explore.taxonomy import router as taxonomy
from partonomy_data.store.layout import VERSION_NAME

_STATIC: Final = {"explorer.css": "text/css", "explorer.js": "text/javascript", "icon.svg": "image/svg+xml"}
#: A view and its query, as `/switch` takes them.
_VIEW: Final = re.compile(r"[a-z]*(\?[^\s\\]*)?")


def application(root: Path, *, images: Mapping[str, str] | None = None, hosts: Collection[str] = ()) -> ASGIApp:
    """The explorer of the store at `root` as an ASGI application. Opens the current version.

    `images`: folders of photographs by source; `hosts`: names besides this machine's own that it may be called by.
    Raises StoreError if there is no store, or nothing published.
    """
    versions = Versions(root, images or {})
    versions.get(versions.current())
    site = Site(versions, environment())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        versions.close()

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    for router in (home, taxonomy, graph, photographs, pictures, questions, reports, results, asking):
        app.include_router(router(site), prefix="/v/{version}")
    _plain(app, site)
    _errors(app, site)
    return Guard(app, hosts)


def _plain(app: FastAPI, site: Site) -> None:
    """What is of no version: the way to the current one, and the files of the pages."""
    content = {name: files("partonomy_data.explore").joinpath("static", name).read_bytes() for name in _STATIC}

    @app.get("/")
    def start() -> Response:
        return RedirectResponse(f"/v/{site.versions.current()}/")

    @app.get("/switch")
    def switch(version: str, to: str = "") -> Response:
        if not VERSION_NAME.fullmatch(version) or not _VIEW.fullmatch(to):
            raise PageError(400, "That is no version, or no view of one.")
        return RedirectResponse(f"/v/{version}/{to}")

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in content:
            raise PageError(404, "There is no such file.")
        return Response(content[name], media_type=_STATIC[name], headers={"cache-control": "max-age=300"})

    @app.get("/favicon.ico")
    def icon() -> Response:
        return RedirectResponse("/static/icon.svg")


def _errors(app: FastAPI, site: Site) -> None:
    """Every error is a page, with one line; what nobody foresaw as well, without its details."""

    def page(status: int, line: str) -> Response:
        return site.error(status, line)

    @app.exception_handler(PageError)
    def told(_: Request, error: Exception) -> Response:
        assert isinstance(error, PageError)
        return page(error.status, error.line)

    @app.exception_handler(StoreError)
    def missing(_: Request, error: Exception) -> Response:
        return page(404, str(error))

    @app.exception_handler(UsageError)
    def wrong(_: Request, error: Exception) -> Response:
        return page(400, str(error))

    @app.exception_handler(PartonomyError)
    def bad(_: Request, error: Exception) -> Response:
        return page(500, str(error))

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        names = ", ".join(sorted({str(one["loc"][-1]) for one in error.errors()}))
        return page(400, f"The address is incomplete or can't be read: {names}.")

    @app.exception_handler(HTTPException)
    def unknown(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return page(error.status_code, "There is no such page." if error.status_code == 404 else str(error.detail))

    @app.exception_handler(Exception)
    def unforeseen(_: Request, error: Exception) -> Response:
        return page(500, f"The page could not be made ({type(error).__name__}). The server's own output says more.")
