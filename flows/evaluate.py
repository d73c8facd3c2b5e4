"""The flow `evaluate-plum`: a trained model measured on a version of the data. Made to run when a model was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.states import Completed

from flows.extras import ready
from flows.parameters import ModelId, Split, Version
from flows.refusing import failed
from partonomy_data.errors import PartonomyError, UsageError
from partonomy_data.store import manifest
from partonomy_data.store.layout import Layout, check_folder_name
from partonomy_data.store.remote.copies import version_here
from partonomy_data.store.remote.state import local


@flow(name="evaluate-plum", persist_result=False)
def evaluate_plum(
    model_id: ModelId, version: Version, root: str = "partonomy", split: Split = "test", config: str | None = None
) -> Any:
    """Has a model of the store at `root` answer a split of a version's questions; its answers, metrics and reports go to
    the store, and the report is an artifact of the run.

    `config` is a file with settings of the evaluation. It needs the extra `model`, without which it fails at once, in one line.
    """
    try:
        evaluate = ready("evaluate-plum", "model.evaluation", "evaluate")
        here = local(root)
        version_here(here, version)
        named = manifest.read(here, version).version
        folder = Layout(here).models / check_folder_name(model_id)
        if not folder.is_dir():
            raise UsageError("there is no such model", where=str(folder), mend="Train it first (train-plum)")
        told = evaluate(
            root=here, version=named, model_id=model_id, split=split, config=Path(config) if config else None
        )
        if told:
            description = f"{model_id} on {split} of version {named}"
            create_markdown_artifact(told, key="evaluation-report", description=description)
    except PartonomyError as error:
        return failed(error)
    return Completed(message=f"evaluated {model_id} on {split} of version {named}")
