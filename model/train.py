"""Training as flows and scripts call it: a store, a version and a file of settings in, a model's name out."""

from __future__ import annotations

from pathlib import Path
from typing import Final

#: Settings of `model/configs` for who names none: of the weights that come with the package.
DEFAULT: Final = Path("tiny")


def train(*, root: Path, version: str | None = None, config: Path | None = None) -> str:
    """Fine-tunes PLUM on a version of the store (the current one), and returns the model's name in the store.

    `config` is a YAML file, or the name of one of `model/configs`; the tiny model's if none is named. Raises ModelError.
    """
    from model.commands import config_file
    from model.training.config import load
    from model.training.job import train as run

    return run(root, load(config_file(config or DEFAULT)), version=version, quiet=True).name
