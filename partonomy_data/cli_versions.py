"""The commands that deal with published versions: listing and comparing them, moving among them, explaining rows."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, TypeVar

import typer

from partonomy_data.cli_options import Root, State, Version, local
from partonomy_data.errors import UsageError

Write = TypeVar("Write")


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    for command in (versions, diff, explain, rollback, prune, relink, migrate):
        app.command()(command)


def versions(root: Root) -> None:
    """Lists the published versions, oldest first; the current one is marked."""
    from partonomy_data import store
    from schemas.tables import SCHEMA_VERSION

    print(f"  {'version':<18}{'published (UTC)':<22}{'images':>10}{'objects':>10}{'parts':>10}{'MB':>8}")
    for info in store.versions(root):
        mark = "*" if info.current else " "
        counts = "".join(f"{info.rows.get(name, 0):>10,}" for name in ("images", "objects", "parts"))
        line = f"{mark} {info.version:<18}{info.created:%Y-%m-%d %H:%M:%S}   {counts}{info.bytes / 1e6:>8.1f}"
        if info.damage:
            line += f"  damaged: {info.damage}"
        elif info.schema_version != SCHEMA_VERSION:
            line += f"  schema version {info.schema_version}"
        print(line)


def diff(
    v1: Annotated[str, typer.Argument(help="The older version, as `partonomy versions` lists it.")],
    v2: Annotated[str, typer.Argument(help="The newer one.")],
    root: Root,
    rows: Annotated[int, typer.Option(min=0, help="List the keys of up to so many rows of each kind.")] = 0,
    form: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
) -> None:
    """Says which rows came, went and changed from one version to another, table by table."""
    from partonomy_data import store
    from partonomy_data.console import Bar
    from partonomy_data.store import diff_text

    write = _chosen(form, {"text": diff_text.as_text, "json": diff_text.as_json})
    with Bar() as bar:
        found = store.diff(root, v1, v2, rows=rows, progress=bar)
    _print(write(found))


def explain(
    id: Annotated[str, typer.Argument(help="Of a question, part, object, photograph, or row of quarantine.")],
    root: Root,
    version: Version = None,
    form: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
) -> None:
    """Says where a row comes from: its source's annotation, the repairs made, the edits of each choice."""
    from partonomy_data import provenance, store

    write = _chosen(form, {"text": provenance.as_text, "json": provenance.as_json})
    with store.open(root, version) as opened:
        _print(write(provenance.explain(opened, id)))


def rollback(
    version: Annotated[str, typer.Argument(help="A version that `partonomy versions` lists.")], root: Root
) -> None:
    """Makes an earlier version the current one. Nothing is removed."""
    from partonomy_data import store

    store.rollback(root, version)
    print(f"the current version is now {version}")


def prune(
    root: Root,
    keep: Annotated[int, typer.Option(min=1, help="How many of the newest versions to keep.")] = 3,
    grace: Annotated[
        float,
        typer.Option(
            min=0, help="On S3, where readers can't be seen: spare what was current or uploaded in so many hours."
        ),
    ] = 24.0,
    state: State = None,
) -> None:
    """Removes old versions; never the current one, nor one that somebody reads."""
    from partonomy_data import store
    from partonomy_data.store.remote.state import prune_here

    gone = store.prune(root, keep, grace)
    prune_here(root, state, keep)
    print(f"removed {len(gone)} version{'' if len(gone) == 1 else 's'}" + (f": {', '.join(gone)}" if gone else ""))


def relink(root: Root) -> None:
    """Makes catalog.duckdb anew, after the store's folder has moved."""
    from partonomy_data import store
    from partonomy_data.store.remote.state import require_folder

    require_folder(root, "has no catalog", "give its state folder as --root")
    print(f"catalog.duckdb shows version {store.relink(root)}")


def migrate(root: Root, version: Version = None, state: State = None) -> None:
    """Publishes a version of an older schema once more, under the current schema. The old version stays."""
    from partonomy_data import store
    from partonomy_data.console import Bar

    with Bar() as bar:
        done = store.migrate(local(root, state), version, progress=bar)
    if done.version == done.old:
        print(f"version {done.old} has the current schema already")
        return
    said = "published" if done.new else "unchanged"
    print(f"{said}: version {done.version}, migrated from {done.old}" + ("; it is current" if done.current else ""))


def _chosen(form: str, forms: Mapping[str, Write]) -> Write:
    """What writes the format. Raises UsageError for one that there isn't."""
    if form not in forms:
        raise UsageError(f"there is no format {form!r}", mend=f"Choose one of {', '.join(forms)}")
    return forms[form]


def _print(text: str) -> None:
    """Writes text as UTF-8, whatever the terminal's encoding is said to be."""
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()
