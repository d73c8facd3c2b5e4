"""Fixtures of the evaluation's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from partonomy_data.store.files import link_tree


@pytest.fixture(scope="module")
def own_store(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo store of a module's own: its files are the shared one's, and never written to."""
    root = tmp_path_factory.mktemp("evaluated") / "store"
    for name in ("versions", "runs"):
        link_tree(demo_store / name, root / name)
    (root / "CURRENT").write_bytes((demo_store / "CURRENT").read_bytes())
    return root
