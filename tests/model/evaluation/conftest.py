"""Fixtures of the evaluation's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.stores import linked


@pytest.fixture(scope="module")
def own_store(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo store of a module's own: its files are the shared one's, and never written to."""
    return linked(demo_store, tmp_path_factory.mktemp("evaluated") / "store")
