"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from partonomy_data import config as settings

Root = Annotated[
    Path,
    typer.Option(
        "--root",
        help="The store's folder, or s3://bucket/prefix ($PARTONOMY_ROOT, else ./partonomy).",
        default_factory=settings.default_root,
        # No shell knows `--root=~/store` for a home folder.
        callback=Path.expanduser,
    ),
]
State = Annotated[
    Path | None,
    typer.Option(
        "--state",
        help="For a store on S3: the folder of what belongs to this machine ($PARTONOMY_STATE, else ./partonomy-state).",
    ),
]
Version = Annotated[str | None, typer.Option(help="A version other than the current one.")]


def local(root: Path, state: Path | None) -> Path:
    """Where a command works that builds or writes: `root` itself, or the state folder of a store on S3."""
    from partonomy_data.store.remote.state import local

    return local(root, state)


def shown(root: Path) -> str:
    """What to call the store that `root` is, or is the state folder of."""
    from partonomy_data.store.remote.state import shown

    return shown(root)
