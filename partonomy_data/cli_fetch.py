"""The command that gets a source's files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from partonomy_data.errors import UsageError

if TYPE_CHECKING:
    from partonomy_data.fetch.job import Report


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command()(fetch)


def fetch(
    name: Annotated[str, typer.Argument(help="The source: paco, partimagenet, pascal_part, partonomy.")],
    to: Annotated[Path | None, typer.Option(help="The folder to fetch to; it becomes the source's.")] = None,
    accept_licence: Annotated[
        bool,
        typer.Option("--accept-licence", help="Accept the licences that --list shows; on a terminal you are asked."),
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="A file of the list; the usual ones if not given. Repeatable.")
    ] = None,
    listing: Annotated[
        bool, typer.Option("--list", help="Say what there is, its licences, and what is there already; fetch nothing.")
    ] = False,
    base: Annotated[
        str | None, typer.Option("--from", help="Address of a folder that holds the files instead: a mirror.")
    ] = None,
    catalogue: Annotated[
        Path | None, typer.Option(help="A catalogue of your own (YAML) instead of the package's.")
    ] = None,
) -> None:
    """Downloads a source where its licence allows: resumed, checked, unpacked as its reader wants it.

    What no program may get is told step by step. Ends with 2 where there is nothing to build from without it.
    """
    from partonomy_data.console import Bar, fail
    from partonomy_data.fetch import catalogue as known_files
    from partonomy_data.fetch import job, licences, records, space, text

    known = known_files.load(catalogue)
    found = known_files.dataset(known, name)
    if listing:
        print(text.listing(found, to))
        return
    if to is None:
        raise UsageError("no folder is named", mend=f"Write partonomy fetch {name} --to DIR")
    ask = _asking("\n".join(text.licences(found.licences))) if sys.stdin.isatty() else None
    try:
        if found.chosen(only or ()):
            # Before the bar begins, which would draw over the question.
            licences.require(name, found.licences, records.Beside(to), given=accept_licence, ask=ask)
        with Bar() as bar:
            report = job.fetch(name, to, only=only or (), base=base, known=known, progress=bar)
    except OSError as error:
        raise space.failed(error, Path(error.filename or to), "What has come is kept.") from error
    except KeyboardInterrupt:
        fail("interrupted; run it again to go on from there", 130)
    _show(name, to, report)


def _asking(terms: str) -> Callable[[str], bool]:
    """Asks on the terminal, after the terms."""

    def ask(question: str) -> bool:
        print(terms, file=sys.stderr)
        return typer.confirm(question, err=True)

    return ask


def _show(name: str, to: Path, report: Report) -> None:
    from partonomy_data.fetch import text

    for done in report.files:
        print(text.fetched(done))
    for step in report.by_hand:
        print("\n".join(text.by_hand(step, to)))
    if report.readable:
        print(text.build(name, to))
    elif any(step.required for step in report.by_hand):
        raise UsageError(f"{name} can't be fetched by a program", where=str(to), mend="Do what is said above")
    else:
        print(f"{to}: no reader takes it for {name} yet, which has no annotations there", file=sys.stderr)
