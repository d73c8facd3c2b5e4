"""The flow `train-plum`: PLUM fine-tuned on a version of the data. Made to run when a version is published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.states import Completed

from flows import events
from flows.extras import ready
from flows.parameters import Version
from flows.refusing import failed
from partonomy_data.errors import PartonomyError
from partonomy_data.store import manifest
from partonomy_data.store.pointer import require_current
from partonomy_data.store.remote.copies import version_here
from partonomy_data.store.remote.state import local


@flow(name="train-plum", persist_result=False)
def train_plum(root: str = "partonomy", version: Version | None = None, config: str | None = None) -> Any:
    """Trains on a version of the store at `root`, the current one if none is named, and tells the server of the model.

    `config` is a file of `model/configs`, or one like it; the tiny model is trained if none is named. The model and its log go to
    the store's `models`. It needs the extra `model`, without which it fails at once, in one line.
    """
    try:
        train = ready("train-plum", "model.train", "train")
        here = local(root)
        version_here(here, version)
        named = manifest.read(here, version or require_current(here)).version
        model_id = str(train(root=here, version=named, config=Path(config) if config else None))
        events.send(events.model_trained(here, named, model_id))
    except PartonomyError as error:
        return failed(error)
    return Completed(message=f"trained {model_id} on version {named}", data=model_id)
