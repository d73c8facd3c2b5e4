"""The command line. Each command is a thin shell around a Python call, imported only when it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from partonomy_data import config as settings
from partonomy_data.errors import PartonomyError, UsageError

app = typer.Typer(
    name="partonomy",
    help="Part-annotated image datasets in one queryable, versioned store.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Root = Annotated[
    Path,
    typer.Option(
        "--root", help="The store's folder ($PARTONOMY_ROOT, else ./partonomy).", default_factory=settings.default_root
    ),
]


@app.command()
def build(
    root: Root,
    source: Annotated[
        list[str] | None,
        typer.Option(help="NAME=PATH of a source: paco, partimagenet, pascal_part, partonomy. Repeatable."),
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(help="NAME=PATH of a source's photographs, where they lie elsewhere. Repeatable."),
    ] = None,
    exclude: Annotated[str | None, typer.Option(help="A file of ids known to be bad, one a line.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many photographs of each source.")] = None,
    overrides: Annotated[str | None, typer.Option(help="A YAML file of names and part relations that win.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; all cores if not given.")] = None,
    config: Annotated[Path | None, typer.Option(help="A YAML file with these settings; options win over it.")] = None,
    llm: Annotated[
        str | None,
        typer.Option(help="none, openai (or any server that speaks its protocol), replay (stored answers only)."),
    ] = None,
    llm_model: Annotated[str | None, typer.Option(help="The language model's name.")] = None,
    llm_endpoint: Annotated[str | None, typer.Option(help="Base URL of the language model's server.")] = None,
    budget: Annotated[
        str | None, typer.Option(help="Cap on the language model: 5usd, 200calls, 1000000tokens.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what the language model would be asked, and its price; publish nothing."),
    ] = False,
    runner: Annotated[str, typer.Option(help="local, or prefect to record the run as a Prefect flow.")] = "local",
) -> None:
    """Reads the sources and publishes what they hold as a new version of the store."""
    from partonomy_data.console import summary
    from partonomy_data.llm.settings import TRANSPORTS, caps

    if llm is not None and llm not in TRANSPORTS:
        raise UsageError(f"--llm {llm!r} is not known", mend=f"It is one of {', '.join(TRANSPORTS)}")
    asked = {"transport": llm, "model": llm_model, "endpoint": llm_endpoint}
    wanted = settings.merged(
        settings.load(config) if config else settings.BuildConfig(),
        sources=settings.pairs(source or [], "--source"),
        images=settings.pairs(images or [], "--images"),
        exclude=exclude,
        limit=limit,
        overrides=overrides,
        llm={**{name: one for name, one in asked.items() if one is not None}, **(caps(budget) if budget else {})},
        workers=workers,
    )
    if dry_run:
        if not wanted.llm.enabled:
            raise UsageError(
                "--dry-run says what a language model would be asked, and none is", mend="Name it with --llm"
            )
        from partonomy_data.console import Bar
        from partonomy_data.pipeline import plan

        with Bar() as bar:
            planned = plan(root, wanted, bar)
        print(planned)
        return
    done = _run(runner, root, wanted)
    print(summary(done, str(root)))
    for line in done.warnings():
        print(f"note: {line}", file=sys.stderr)


def _run(runner: str, root: Path, wanted: settings.BuildConfig) -> Any:
    from partonomy_data.console import Bar
    from partonomy_data.runners import find

    with Bar() as bar:
        return find(runner)(root, wanted, bar)


@app.command()
def demo(
    root: Root,
    size: Annotated[str, typer.Option(help="small (some 300 photographs), medium or large.")] = "small",
    seed: Annotated[int, typer.Option(help="Seed of the photographs.")] = 0,
    world: Annotated[int, typer.Option(help="Seed of the world: its categories, parts and layouts.")] = 0,
    workers: Annotated[int | None, typer.Option(help="Processes; all cores if not given.")] = None,
    runner: Annotated[str, typer.Option(help="local, or prefect to record the run as a Prefect flow.")] = "local",
) -> None:
    """Draws a world of objects and parts in the four datasets' formats, builds a store of it, and says what to do next."""
    from partonomy_data.console import Bar, summary
    from partonomy_data.demo.job import next_steps, prepare

    with Bar() as bar:
        wanted = prepare(root, size=size, world_seed=world, photo_seed=seed, workers=workers, progress=bar)
    done = _run(runner, root, wanted)
    print(summary(done, str(root)))
    print(next_steps(root))


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SELECT; the tables are those of the data dictionary.")],
    root: Root,
    version: Annotated[str | None, typer.Option(help="A version other than the current one.")] = None,
    form: Annotated[str, typer.Option("--format", help="table, csv, json or parquet.")] = "table",
    seconds: Annotated[float | None, typer.Option(help="Stop the query after so many seconds.")] = None,
) -> None:
    """Runs one SELECT over a published version (DuckDB; reads only)."""
    from partonomy_data import store

    with store.open(root, version) as opened:
        answer = opened.select(sql, seconds=seconds)
        sys.stdout.buffer.write(store.render(answer, form))
        sys.stdout.buffer.flush()


@app.command()
def versions(root: Root) -> None:
    """Lists the published versions, oldest first; the current one is marked."""
    from partonomy_data import store

    print(f"  {'version':<18}{'published (UTC)':<22}{'images':>10}{'objects':>10}{'parts':>10}{'MB':>8}")
    for info in store.versions(root):
        mark = "*" if info.current else " "
        counts = "".join(f"{info.rows.get(name, 0):>10,}" for name in ("images", "objects", "parts"))
        line = f"{mark} {info.version:<18}{info.created:%Y-%m-%d %H:%M:%S}   {counts}{info.bytes / 1e6:>8.1f}"
        print(line + (f"  damaged: {info.damage}" if info.damage else ""))


@app.command()
def rollback(
    version: Annotated[str, typer.Argument(help="A version that `partonomy versions` lists.")], root: Root
) -> None:
    """Makes an earlier version the current one. Nothing is removed."""
    from partonomy_data import store

    store.rollback(root, version)
    print(f"the current version is now {version}")


@app.command()
def prune(
    root: Root, keep: Annotated[int, typer.Option(min=1, help="How many of the newest versions to keep.")] = 3
) -> None:
    """Removes old versions; never the current one, nor one that somebody reads."""
    from partonomy_data import store

    gone = store.prune(root, keep)
    print(f"removed {len(gone)} version{'' if len(gone) == 1 else 's'}" + (f": {', '.join(gone)}" if gone else ""))


@app.command()
def relink(root: Root) -> None:
    """Makes catalog.duckdb anew, after the store's folder has moved."""
    from partonomy_data import store

    print(f"catalog.duckdb shows version {store.relink(root)}")


@app.command()
def audit(
    root: Root,
    version: Annotated[str | None, typer.Option(help="A version other than the current one.")] = None,
    split: Annotated[list[str] | None, typer.Option(help="Questions of this split only. Repeatable.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="Other questions: Parquet (a file or folder), or the PARTONOMY release's JSON.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where to write; a new folder of the store's runs if not given.")
    ] = None,
    fail: Annotated[
        bool, typer.Option("--fail", help="End with 1 if a balanced question can be answered blind.")
    ] = False,
) -> None:
    """Tries to answer the questions without the images, and says how far beyond chance that leads."""
    from partonomy_data.questions.audit import job

    report, folder = job.run(root, version=version, splits=split or (), file=file, out=out)
    print(job.text(report, folder))
    if fail and job.failed(report):
        raise typer.Exit(1)


@app.command()
def doctor(root: Root) -> None:
    """Says what is installed, missing or misconfigured, and how to mend it. Ends with 1 if something needs mending."""
    from partonomy_data.doctor import examine

    findings = examine(root)
    for finding in findings:
        print(finding.line())
    if any(finding.bad for finding in findings):
        raise typer.Exit(1)


def main() -> None:
    """Runs the command line; see `errors` for what the exit statuses mean."""
    from partonomy_data.console import fail

    try:
        app(standalone_mode=True)
    except UsageError as error:
        fail(str(error), 2)
    except PartonomyError as error:
        fail(str(error), 1)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            # The reader of our output has gone (`| head`); that is no error, and nothing more can be said.
            sys.stderr.close()
            raise SystemExit(0) from None
        where = f"{error.filename}: " if error.filename else ""
        fail(f"{where}{error.strerror or error}. The store is as it was before.", 1)
    except KeyboardInterrupt:
        fail("interrupted; the store is as it was before", 130)
