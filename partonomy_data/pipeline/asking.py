"""The questions of a staged version, put beside its other tables."""

from __future__ import annotations

import shutil
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import Any

import msgspec

from partonomy_data.errors import PartonomyError
from partonomy_data.pipeline.assemble import Assembled
from partonomy_data.pipeline.code import code_digest
from partonomy_data.pipeline.progress import Progress
from partonomy_data.pipeline.steps import Workspace
from partonomy_data.questions import QuestionSettings
from partonomy_data.questions.stage import Generated, generate


def ask(
    workspace: Workspace, settings: QuestionSettings, assembled: Assembled, executor: Executor, progress: Progress
) -> Assembled:
    """Makes the questions of the staged tables, and says in the manifest how many there are, and how well they cover.

    Shards that an earlier build finished are not made again. Safe to run again.
    """
    if not settings.enabled:
        return assembled
    try:
        made = generate(
            assembled.staged,
            assembled.staged,
            settings,
            work=workspace.questions,
            executor=executor,
            code=code_digest(),
            progress=progress,
            templates=assembled.templates,
        )
    except BrokenProcessPool as error:
        raise PartonomyError(
            "a worker process ended while making questions: out of memory (try fewer --workers); what was finished is"
            " kept for the next build"
        ) from error
    _keep_only(workspace, made)
    return replace(assembled, manifest={**assembled.manifest, "questions": _said(made)}, n_questions=made.n_questions)


def _said(made: Generated) -> dict[str, Any]:
    """What the manifest says of the questions."""
    return {
        "questions": made.n_questions,
        "instances": made.n_instances,
        "coverage": msgspec.to_builtins(made.coverage),
        "leakage": made.leakage,
    }


def _keep_only(workspace: Workspace, made: Generated) -> None:
    """Removes finished shards that were of no use this time."""
    used = {one.key for one in made.shards}
    folder = workspace.questions / "shards"
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in used:
            shutil.rmtree(path, ignore_errors=True)
