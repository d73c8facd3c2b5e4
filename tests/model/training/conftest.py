"""A store to train on, and a backbone small enough to do it in seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.stores import linked
from tests.model.families import saved

Once = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture(scope="session")
def backbone(once: Once) -> Path:
    """The tiny LLaVA, in a folder."""
    return once("tiny-llava", lambda folder: (saved("llava", folder), None)[1])


@pytest.fixture
def root(demo_store: Path, tmp_path: Path) -> Path:
    """A demo store of the test's own: its files are the shared one's, and never written to."""
    return linked(demo_store, tmp_path / "store")
