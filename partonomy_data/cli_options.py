"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from partonomy_data import config as settings

Root = Annotated[
    Path,
    typer.Option(
        "--root", help="The store's folder ($PARTONOMY_ROOT, else ./partonomy).", default_factory=settings.default_root
    ),
]
Version = Annotated[str | None, typer.Option(help="A version other than the current one.")]
