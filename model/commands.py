"""The commands of the command line that need a model: what they print is returned, results as text."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from model.plum.errors import ModelError
from model.stored import folder_of
from partonomy_data.errors import UsageError
from partonomy_data.store.layout import Layout, new_run_id
from partonomy_data.store.remote.copies import version_here

if TYPE_CHECKING:
    from model.evaluation.job import EvaluationConfig


def train(root: Path, *, config: Path, version: str | None, out: Path | None, dry_run: bool, processes: int = 1) -> str:
    """Trains, and names the model's folder; with `dry_run`, says what that would take. Raises ModelError."""
    from model.training.config import load

    if processes < 1:
        raise ModelError(f"must be at least 1, not {processes}", where="--processes")
    if processes > 1 and "RANK" in os.environ:
        raise ModelError("this is one of several processes already", where="--processes", mend="Leave it out")
    wanted = load(config_file(config))
    version_here(root, version)
    if dry_run:
        from model.training.planning import plan

        return plan(root, wanted, version=version, processes=processes)
    from model.training.job import train as run
    from model.training.job import train_together

    if processes > 1:
        return str(train_together(root, wanted, processes, version=version, out=out))
    folder = run(root, wanted, version=version, out=out)
    # Of several processes, the first one tells.
    return str(folder) if os.environ.get("RANK", "0") == "0" else ""


def ask(root: Path, *, image: Path, question: str, model: str, out: Path | None, answer: str | None, form: str) -> str:
    """Asks a model about a photograph, writes the picture, and gives the answer as text or JSON. Raises ModelError."""
    if form not in ("text", "json"):
        raise ModelError(f"an answer has no format {form!r}", mend="Formats are text and json")
    from model import asking

    picture = out if out is not None else Path(f"{image.stem}.parts.png")
    if picture.exists() and image.exists() and picture.samefile(image):
        raise ModelError("the picture would be written over the photograph", where=str(out), mend="Name another --out")
    came_to = asking.ask(folder_of(Layout(root), model), image, question, answer)
    asking.draw(came_to, picture)
    return asking.as_json(came_to, picture) if form == "json" else asking.as_text(came_to, picture)


def evaluate(
    root: Path,
    *,
    model: str | None,
    split: str | None,
    version: str | None,
    config: Path | None,
    limit: int | None,
    budget: str | None = None,
    dry_run: bool = False,
    report: Path | None = None,
    swap: bool = False,
    general: str | None = None,
    images: Path | None = None,
    against: str | None = None,
) -> str:
    """Measures a model, predictions in a file, or a baseline, and gives the main metrics as a table. Raises ModelError.

    `budget` caps what a model behind a server may cost; with `dry_run`, says what it would. In the place of a model, `report`
    names a folder of predictions whose metrics and reports are made again. `against` names another model, whose differences are
    told: its predictions are there. `general` names a general set, `images` its photographs; `against` is then asked as well.
    """
    import sys

    from model.evaluation import job
    from model.evaluation.people import job as people

    if general is not None:
        others = {
            "split": split,
            "version": version,
            "budget": budget,
            "dry-run": dry_run,
            "report": report,
            "swap": swap,
        }
        refused = next((name for name, value in others.items() if value), None)
        if refused is not None:
            raise ModelError(f"--{refused} has no meaning for a general set", where="--general", mend="Leave it out")
        return _general(root, model, general, images, against, job.limited(job.from_file(config), limit, None))
    if images is not None:
        raise ModelError("--images is of --general", mend="Give --general, or leave it out")
    if against is not None and (report is not None or dry_run or model == people.PERSON):
        raise ModelError("--against stands beside a model that is measured", mend="Give --model alone, or leave it out")
    if (model is None) == (report is None):
        raise ModelError(
            "nothing is named to be measured", mend="Give --model, or --report with a folder of predictions"
        )
    if report is not None:
        from model.evaluation.report.job import rewrite

        again = rewrite(report, job.from_file(config).predictions.photographs)
        return "\n".join(f"Report: {one.page}" for one in again)
    assert model is not None
    wanted = job.limited(job.from_file(config, split), limit, budget)
    version_here(root, version)
    if model == people.PERSON:
        return job.write_sheet(root, wanted, version=version)
    if dry_run:
        return job.plan(root, model, wanted, version=version)

    def told(done: int, of: int) -> None:
        print(f"{done} of {of} questions", file=sys.stderr)

    text = _measured(root, model, wanted, version, against, told)
    if not swap:
        return text
    from model.evaluation import swapping

    return f"{text}\n\n{swapping.as_text(swapping.swap(root, model, wanted, version=version))}"


def _measured(
    root: Path,
    model: str,
    wanted: EvaluationConfig,
    version: str | None,
    other: str | None,
    told: Callable[[int, int], None],
) -> str:
    """A model's metrics as a table, and beside them what they differ by from another's, if there is one. Raises ModelError."""
    from model.evaluation import against, job

    split, seed = wanted.predictions.split, wanted.predictions.seed
    # Before hours are spent on asking.
    name = None if other is None else against.named(root, other, split, seed, version=version)
    made = job.evaluate(root, model, wanted, version=version, told=told)
    text = job.as_text(made)
    if name is None:
        return text
    try:
        return f"{text}\n\n{against.as_text(against.against(root, made, name, seed))}"
    except UsageError:
        print(text)  # it is measured, whatever can't be compared
        raise


def _general(
    root: Path, model: str | None, general: str, images: Path | None, against: str | None, wanted: EvaluationConfig
) -> str:
    """Asks a model, and another beside it, a general set, and gives the metrics as a table. Raises ModelError."""
    import sys

    from model.evaluation.general import job

    if model is None or images is None:
        raise ModelError("a general set needs --model and --images", where="--general", mend="Give both")

    def told(name: str, done: int) -> None:
        print(f"{name}: {done} rows", file=sys.stderr)

    return job.evaluate(root, model, general, images, wanted, against=against, told=told).text()


def ablate(root: Path, *, config: Path, version: str | None, out: Path | None, dry_run: bool) -> str:
    """Trains and compares variants, and names the report; with `dry_run`, says what would be. Raises ModelError."""
    import sys

    from model import settings
    from model.evaluation.ablation import job, saying
    from model.evaluation.ablation.config import AblationConfig
    from partonomy_data.store import files

    wanted = settings.load(config_file(config), AblationConfig)
    version_here(root, version)
    if dry_run:
        return job.plan(root, wanted, version=version)
    made = job.ablate(root, wanted, version=version, told=lambda line: print(line, file=sys.stderr))
    folder = out or Layout(root).runs / new_run_id() / "ablation"
    folder.mkdir(parents=True, exist_ok=True)
    text = saying.markdown(made)
    files.write_text(folder / "ablation.md", text)
    files.write_text(folder / "ablation.html", saying.html(made))
    return f"{text}\nwritten to {folder}"


def pretrain_tiny(out: Path, *, config: Path | None) -> str:
    """Pre-trains the tiny parts, and names their folder. Raises ModelError."""
    from model import settings
    from model.tiny.job import TinyConfig, pretrain

    wanted = settings.load(config, TinyConfig) if config is not None else TinyConfig()
    return str(pretrain(out, wanted))


def config_file(path: Path) -> Path:
    """A file of settings; one of the package's own by its name alone (`plum-7b`)."""
    shipped = Path(__file__).parent / "configs" / f"{path}.yaml"
    return shipped if not path.is_file() and shipped.is_file() else path
