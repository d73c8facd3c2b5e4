"""The command that writes a version in the formats of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from partonomy_data import config as settings
from partonomy_data.cli_options import Root, State, Version


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command()(export)


def export(
    out: Annotated[Path, typer.Argument(help="The folder to write, a new one.")],
    root: Root,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="coco (objects and parts), llava, partonomy or lmms-eval (questions), hf (photographs with both).",
        ),
    ],
    version: Version = None,
    split: Annotated[str | None, typer.Option(help="Only this split; all of them if not given.")] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=PATH of a source's photographs, where they lie elsewhere than in the build. Repeatable."
        ),
    ] = None,
    state: State = None,
) -> None:
    """Writes a version for other tools: COCO as PACO extends it, LLaVA's or PARTONOMY's JSON, for `datasets`, for lmms-eval."""
    from partonomy_data.console import Bar
    from partonomy_data.export import write

    given = settings.pairs(images or [], "--images")
    with Bar() as bar:
        done = write(root, form, out, version=version, split=split, images=given, state=state, progress=bar)
    unit = {"coco": "annotations", "hf": "photographs", "lmms-eval": "documents"}.get(form, "questions")
    for name, count in done.files.items():
        print(f"{out / name}: {count:,} {unit}")
