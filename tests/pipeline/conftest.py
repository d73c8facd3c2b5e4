"""A store that each test of a module may change; the module says in `SOURCES` what it is of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline import kept_store


@pytest.fixture(scope="module")
def kept(
    request: pytest.FixtureRequest, demo_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> kept_store.KeptStore:
    """A store of the module's sources, and how to have it again."""
    return kept_store.build(tmp_path_factory.mktemp("kept"), demo_store / "demo", request.module.SOURCES)


@pytest.fixture
def store(kept: kept_store.KeptStore) -> Path:
    """A store that may be changed, as an earlier build left it; its sources are in `sources` beside it."""
    return kept.put_back()
