"""Fixtures of the tests of PARTONOMY's reader."""

from __future__ import annotations

from pathlib import Path

import pytest
from partonomy_world import Read, World, read_source


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An empty source."""
    root = tmp_path / "source"
    root.mkdir()
    return World(root)


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """`read(path, images=…, limit=…)` reads a source."""
    return lambda path, **asked: read_source(path, tmp_path / "work", **asked)
