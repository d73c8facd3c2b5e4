"""The command that writes a version down as a folder of pages."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from partonomy_data import config as settings
from partonomy_data.cli_options import Root, State, Version


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command()(report)


def report(
    root: Root,
    out: Annotated[Path, typer.Option(help="The folder to write: a new one, or one with a report, which is replaced.")],
    version: Version = None,
    samples: Annotated[int, typer.Option(help="How many photographs are shown, and how many questions.")] = 24,
    seed: Annotated[int, typer.Option(help="Which ones.")] = 0,
    images: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=PATH of a source's photographs, where they lie elsewhere than in the build. Repeatable."
        ),
    ] = None,
    plain: Annotated[
        list[str] | None,
        typer.Option(help="A source whose photographs are left out: masks lie on a plain ground. Repeatable."),
    ] = None,
    state: State = None,
) -> None:
    """Writes a version as pages for a browser, in one folder that needs nothing else: numbers, samples, checks, results."""
    from partonomy_data.console import Bar
    from partonomy_data.report import write

    given = settings.pairs(images or [], "--images")
    with Bar() as bar:
        done = write(
            root, out, version=version, samples=samples, seed=seed, images=given, plain=plain or (), state=state,
            progress=bar,
        )  # fmt: skip
    for line in done.notes:
        print(f"note: {line}", file=sys.stderr)
    print(f"{done.out / 'index.html'}: version {done.version}, {done.pages} pages, {done.photographs} photographs")
