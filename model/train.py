"""Training as flows and scripts call it: a store, a version and a file of settings in, a model's name out."""

from __future__ import annotations

from pathlib import Path

from model.plum.errors import ModelError


def train(*, root: Path, version: str | None = None, config: Path | None = None) -> str:
    """Fine-tunes PLUM on a version of the store (the current one), and returns the model's name in the store.

    `config` is a YAML file, or the name of one of `model/configs`. Raises ModelError, also where none is named: what a model is
    made of has no default.
    """
    from model.commands import config_file
    from model.training.config import load
    from model.training.job import train as run

    if config is None:
        raise ModelError(
            "no settings are named for a model to train",
            where="config",
            mend="Give the deployment's parameter `config` a file such as model/configs/plum-7b.yaml",
        )
    return run(root, load(config_file(config)), version=version, quiet=True).name
