"""The commands that deal with models, which the package `model` brings by the entry point `partonomy.models`."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer

from partonomy_data.cli_options import Root, State, Version, local
from partonomy_data.errors import UsageError


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    for command in (train, evaluate, ablate, ask, pretrain_tiny):
        app.command()(command)


def train(
    root: Root,
    config: Annotated[Path, typer.Option(help="A YAML file, such as those in model/configs.")],
    version: Version = None,
    out: Annotated[
        Path | None, typer.Option(help="The model's folder, a new one; in the store's models if not given.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be trained, on what, and what it takes; train nothing.")
    ] = False,
    processes: Annotated[int, typer.Option(help="Processes of this machine that share the run.")] = 1,
    state: State = None,
) -> None:
    """Fine-tunes PLUM on a published version. Goes on where a run with the same settings was stopped."""
    command = _found("train")
    told = command(local(root, state), config=config, version=version, out=out, dry_run=dry_run, processes=processes)
    if told:
        print(told)


def ask(
    image: Annotated[Path, typer.Argument(help="A photograph.")],
    question: Annotated[str, typer.Argument(help="What is asked about it.")],
    model: Annotated[str, typer.Option(help="A trained model: its folder, or its name among the store's models.")],
    root: Root,
    out: Annotated[
        Path | None, typer.Option(help="The PNG with the masks; `<image>.parts.png` here if not given.")
    ] = None,
    answer: Annotated[
        str | None, typer.Option(help="A text to find the parts in, in the place of an answer of the model's own.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
    state: State = None,
) -> None:
    """Asks a trained model about a photograph: a text whose parts are named, and a mask of each."""
    command = _found("ask")
    print(command(local(root, state), image=image, question=question, model=model, out=out, answer=answer, form=form))


def evaluate(
    root: Root,
    model: Annotated[
        str | None,
        typer.Option(
            help="A trained model (its folder, or its name in the store), api:NAME behind a server, a .jsonl file of"
            " predictions, hf:NAME for a language model that sees as it is (a folder, or one of the local cache of Hugging"
            " Face), or a baseline: random, oracle, frequent, blind, whole-object, mean-location, nearest, color,"
            " sam-box:MODEL, sam-point:MODEL; human writes a page for people, human:FILE takes in what it saved"
        ),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Of the questions; test if not given.")] = None,
    version: Version = None,
    limit: Annotated[int | None, typer.Option(help="At most so many questions, always the same.")] = None,
    config: Annotated[Path | None, typer.Option(help="A YAML file of settings.")] = None,
    budget: Annotated[
        str | None, typer.Option(help="A cap on what a model behind a server costs: 5usd, 200calls, 1000000tokens.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what a model behind a server would be asked, and the price; ask nothing."),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            help="A folder evaluations/MODEL/VERSION: measure its predictions again, and write the reports anew."
        ),
    ] = None,
    swap: Annotated[
        bool,
        typer.Option(
            "--swap",
            help="Ask balanced questions again with the photograph of a sister question: does the answer follow?",
        ),
    ] = False,
    general: Annotated[
        str | None,
        typer.Option(
            help="In the place of the store's questions, a general set in its official file: pope:FILE, textvqa:FILE or"
            " gqa:FILE. What does fine-tuning cost?"
        ),
    ] = None,
    images: Annotated[Path | None, typer.Option(help="The folder of its photographs.")] = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="A second model: the differences are told, with intervals. It was evaluated on the same questions before;"
            " of a general set, it is asked as well."
        ),
    ] = None,
    state: State = None,
) -> None:
    """Measures a model on the questions of a split: choices, masks, names; with intervals, by type and slice."""
    command = _found("evaluate")
    chosen = {"model": model, "split": split, "version": version, "config": config, "limit": limit}
    chosen |= {"budget": budget, "dry_run": dry_run, "report": report, "swap": swap}
    print(command(local(root, state), **chosen, general=general, images=images, against=against))


def ablate(
    root: Root,
    config: Annotated[Path, typer.Option(help="A YAML file: a training, variants of it, seeds, splits.")],
    version: Version = None,
    out: Annotated[
        Path | None, typer.Option(help="Where to write; a new folder of the store's runs if not given.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be trained and measured; do nothing.")
    ] = False,
    state: State = None,
) -> None:
    """Trains PLUM with one thing changed at a time, measures all on the same questions, and says what each is good for."""
    command = _found("ablate")
    print(command(local(root, state), config=config, version=version, out=out, dry_run=dry_run))


def pretrain_tiny(
    out: Annotated[Path, typer.Option(help="A new folder, for the language model, the SAM and the log.")],
    config: Annotated[Path | None, typer.Option(help="A YAML file with steps, sizes of batches, rates, seed.")] = None,
) -> None:
    """Pre-trains a tiny language model that sees, and a tiny SAM, on drawn scenes of invented objects; takes some hours."""
    print(_found("pretrain-tiny")(out, config=config))


def demonstrate(root: Path) -> str:
    """Trains and measures the tiny model on a store of the demo world; a line that says what lacks, where its libraries do."""
    try:
        command = _found("demonstrate")
    except UsageError as error:
        return f"no model is trained: {error}"
    return str(command(root))


def _found(name: str) -> Any:
    """A command of the package `model`. Raises UsageError where its libraries are not installed."""
    found = {point.name: point for point in entry_points(group="partonomy.models")}
    try:
        return found[name].load()
    except (KeyError, ModuleNotFoundError) as error:
        lacking = error.name if isinstance(error, ModuleNotFoundError) and error.name else "its package"
        raise UsageError(
            f"`partonomy {name}` needs {lacking}, which is not installed",
            mend="Run: pip install 'partonomy-data[model]'",
        ) from error
