"""A copy of the demo store, for the tests that run what the pages show."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def workplace(demo_store: Path, tmp_path: Path) -> Path:
    """A folder with a copy of the demo store in `demo/`, for commands that change it."""
    from partonomy_data import relink

    shutil.copytree(demo_store, tmp_path / "demo", ignore=shutil.ignore_patterns("work"))
    relink(tmp_path / "demo")
    return tmp_path
