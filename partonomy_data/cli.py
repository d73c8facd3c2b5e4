"""The command line. Each command is a thin shell around a Python call, imported only when it runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from partonomy_data import cli_explore, cli_export, cli_fetch, cli_model, cli_report, cli_versions
from partonomy_data import config as settings
from partonomy_data.cli_options import Root, State, Version, local, shown
from partonomy_data.errors import PartonomyError, UsageError

app = typer.Typer(
    name="partonomy",
    help="Part-annotated image datasets in one queryable, versioned store.",
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _of_all(
    version: Annotated[bool, typer.Option("--version", help="Say which version of partonomy-data this is.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"partonomy-data {installed('partonomy-data')}")
        raise typer.Exit


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
        typer.Option(
            help="none, openai (or any server that speaks its protocol), openai-batch (half the price, within a day),"
            " replay (stored answers only)."
        ),
    ] = None,
    llm_model: Annotated[str | None, typer.Option(help="The language model's name.")] = None,
    llm_endpoint: Annotated[str | None, typer.Option(help="Base URL of the language model's server.")] = None,
    llm_embeddings: Annotated[
        str | None,
        typer.Option(help="A model of embeddings of that server; it finds further names of parts to compare."),
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="Cap on the language model: 5usd, 200calls, 1000000tokens.")
    ] = None,
    paraphrase: Annotated[
        float | None, typer.Option(help="Percent of the questions' texts that the language model words anew.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what the language model would be asked, and its price; publish nothing."),
    ] = False,
    runner: Annotated[str, typer.Option(help="local, dask (a cluster), or prefect (a flow, recorded).")] = "local",
    state: State = None,
) -> None:
    """Reads the sources and publishes what they hold as a new version of the store."""
    from partonomy_data.console import summary
    from partonomy_data.llm.settings import TRANSPORTS, caps

    if llm is not None and llm not in TRANSPORTS:
        raise UsageError(f"--llm {llm!r} is not known", mend=f"It is one of {', '.join(TRANSPORTS)}")
    asked = {
        "transport": llm,
        "model": llm_model,
        "endpoint": llm_endpoint,
        "embeddings": llm_embeddings,
        "paraphrase": paraphrase,
    }
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
    for given, what in (
        (paraphrase, "--paraphrase has a language model word questions anew"),
        (llm_embeddings, "--llm-embeddings finds what a language model is to compare"),
    ):
        if given and not wanted.llm.enabled:
            raise UsageError(f"{what}, and none is asked", mend="Name it with --llm")
    if dry_run:
        if not wanted.llm.enabled:
            raise UsageError(
                "--dry-run says what a language model would be asked, and none is", mend="Name it with --llm"
            )
        from partonomy_data.console import Bar
        from partonomy_data.pipeline import plan

        with Bar() as bar:
            planned = plan(local(root, state), wanted, bar)
        print(planned)
        return
    root = local(root, state)
    done = _run(runner, root, wanted)
    print(summary(done, shown(root)))
    for line in done.warnings():
        print(f"note: {line}", file=sys.stderr)


def _run(runner: str, root: Path, wanted: settings.BuildConfig, keep: Mapping[str, Any] | None = None) -> Any:
    from partonomy_data.console import Bar
    from partonomy_data.runners import find

    with Bar() as bar:
        return find(runner)(root, wanted, bar, keep=keep)


@app.command()
def refresh(
    root: Root,
    verify: Annotated[
        bool, typer.Option("--verify", help="Hash all files again, those too that look as they did.")
    ] = False,
    workers: Annotated[int | None, typer.Option(help="Processes; all cores if not given.")] = None,
    runner: Annotated[str, typer.Option(help="local, dask (a cluster), or prefect (a flow, recorded).")] = "local",
    state: State = None,
) -> None:
    """Builds again as the last time, if a source, a setting or the code has changed; else does nothing.

    Where a source can't be read, the others are refreshed, its rows stay as they were, and the command ends with 1.
    """
    from partonomy_data.console import summary
    from partonomy_data.pipeline import refreshing

    root = local(root, state)
    status = refreshing.status(root, verify=verify)
    if not status.changed:
        print(f"nothing has changed: version {status.version} in {shown(root)} is up to date")
        return
    for reason in status.reasons:
        print(f"changed: {reason}", file=sys.stderr)
    wanted = settings.merged(status.config, sources={}, images={}, workers=workers, verify=verify)
    done = _run(runner, root, wanted, refreshing.keep(root, wanted))
    print(summary(done, shown(root)))
    for line in done.warnings():
        print(f"note: {line}", file=sys.stderr)
    if done.kept_sources:
        raise typer.Exit(1)


@app.command()
def publish(
    root: Root,
    version: Version = None,
    re_emit: Annotated[
        bool, typer.Option("--re-emit", help="Tell the server again, should it have lost or missed it.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Tell it as news even to a server that knows: what waits for it runs again.")
    ] = False,
    runner: Annotated[str, typer.Option(help="Whose server is told.")] = "prefect",
    state: State = None,
) -> None:
    """Tells the Prefect server that a version is published, which starts what waits for it, unless it was told before."""
    from partonomy_data.runners import find

    announce = getattr(find(runner), "announce", None)
    if announce is None:
        raise UsageError(f"the runner {runner!r} tells nobody of versions", mend="Name another with --runner")
    print(announce(local(root, state), version, again=re_emit, force=force).why)


@app.command()
def validate(
    root: Root,
    version: Version = None,
    form: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
    out: Annotated[
        Path | None, typer.Option(help="Where to write the report; a new folder of the store's runs if not given.")
    ] = None,
    state: State = None,
) -> None:
    """Checks all rules on a published version, and that its files are as published. Ends with 1 if one is broken."""
    from partonomy_data.validation import command

    command.check(form)
    came_to, folder = command.run(local(root, state), version=version, out=out)
    sys.stdout.write(command.rendered(came_to, folder, form))
    if not came_to.success:
        raise typer.Exit(1)


@app.command()
def demo(
    root: Root,
    size: Annotated[str, typer.Option(help="small (some 300 photographs), medium or large.")] = "small",
    seed: Annotated[int, typer.Option(help="Seed of the photographs.")] = 0,
    world: Annotated[int, typer.Option(help="Seed of the world: its categories, parts and layouts.")] = 0,
    train: Annotated[
        bool, typer.Option("--train/--no-train", help="Fine-tune the tiny model on it, for a minute or two.")
    ] = True,
    workers: Annotated[int | None, typer.Option(help="Processes; all cores if not given.")] = None,
    runner: Annotated[str, typer.Option(help="local, dask (a cluster), or prefect (a flow, recorded).")] = "local",
    state: State = None,
) -> None:
    """Draws a world of objects and parts in the four datasets' formats, builds a store of it, trains the tiny model on that,
    and says what to do next.
    """
    from partonomy_data.console import Bar, summary
    from partonomy_data.demo.job import next_steps, prepare

    root = local(root, state)
    with Bar() as bar:
        wanted = prepare(root, size=size, world_seed=world, photo_seed=seed, workers=workers, progress=bar)
    done = _run(runner, root, wanted)
    print(summary(done, shown(root)))
    if train:
        print(f"\n{cli_model.demonstrate(root)}")
    print(next_steps(root))


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SELECT; the tables are those of the data dictionary.")],
    root: Root,
    version: Version = None,
    form: Annotated[str, typer.Option("--format", help="table, csv, json or parquet.")] = "table",
    seconds: Annotated[float | None, typer.Option(help="Stop the query after so many seconds.")] = None,
) -> None:
    """Runs one SELECT over a published version (DuckDB; reads only)."""
    from partonomy_data import store

    if seconds is not None and not seconds > 0:
        raise UsageError(f"--seconds must be more than 0, not {seconds:g}")
    with store.open(root, version) as opened:
        answer = opened.select(sql, seconds=seconds)
        sys.stdout.buffer.write(store.render(answer, form))
        sys.stdout.buffer.flush()


cli_versions.register(app)
cli_export.register(app)
cli_explore.register(app)
cli_report.register(app)
cli_fetch.register(app)


@app.command()
def audit(
    root: Root,
    version: Version = None,
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
    state: State = None,
) -> None:
    """Tries to answer the questions without the images, and says how far beyond chance that leads."""
    from partonomy_data.questions.audit import job
    from partonomy_data.store.remote.copies import version_here

    root = local(root, state)
    if file is None:
        version_here(root, version)
    report, folder = job.run(root, version=version, splits=split or (), file=file, out=out)
    print(job.text(report, folder))
    if fail and job.failed(report):
        raise typer.Exit(1)


cli_model.register(app)


@app.command()
def doctor(root: Root) -> None:
    """Says what is installed, missing or misconfigured, and how to mend it. Ends with 1 if something needs mending."""
    from partonomy_data.doctor import examine

    findings = examine(root)
    for finding in findings:
        print(finding.line())
    if any(finding.bad for finding in findings):
        raise typer.Exit(1)


_INTERRUPTED: Final = "interrupted; what is published is whole"


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
        fail(_INTERRUPTED, 130)
    except SystemExit as error:
        # typer ends without a word where a command is interrupted; one that has more to say has said it.
        if error.code == 130 and not isinstance(error.__context__, KeyboardInterrupt):
            fail(_INTERRUPTED, 130)
        raise
