"""The command that shows a store in a browser."""

from __future__ import annotations

from typing import Annotated

import typer

from partonomy_data import config as settings
from partonomy_data.cli_options import Root, State, local


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command()(explore)


def explore(
    root: Root,
    port: Annotated[int, typer.Option(help="Where to listen; 0 takes any that is free.")] = 8000,
    host: Annotated[str, typer.Option(help="The address to listen at; this machine's own if not given.")] = "127.0.0.1",
    public: Annotated[
        bool, typer.Option("--public", help="Let other machines look, where --host is an address that they reach.")
    ] = False,
    images: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=PATH of a source's photographs, where they lie elsewhere than in the build. Repeatable."
        ),
    ] = None,
    state: State = None,
) -> None:
    """Shows the store in a browser: taxonomy, photographs with masks, questions, reports, results, and an SQL box.

    Of a store on S3, the state folder: the version that is current there is fetched first.
    """
    from partonomy_data.explore import serve
    from partonomy_data.store.remote.state import follow

    root = local(root, state)
    follow(root)
    serve(root, host=host, port=port, images=settings.pairs(images or [], "--images"), any_host=public)
