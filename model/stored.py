"""Trained models: found by their folder, or by their name in a store."""

from __future__ import annotations

from pathlib import Path

from model.plum.errors import ModelError
from partonomy_data.store.layout import Layout


def folder_of(layout: Layout, model: str | Path, others: str = "") -> Path:
    """A model's folder. Raises ModelError, which names those that the store has, and `others`, if there is no such model."""
    for folder in (Path(model), layout.models / model):
        if (folder / "config.json").is_file():
            return folder.absolute()
    there = sorted(one.parent.name for one in layout.models.glob("*/config.json"))
    known = f"The store has {', '.join(there)}" if there else "Train one with `partonomy train`"
    raise ModelError("there is no such model", where=str(model), mend=known + others)
