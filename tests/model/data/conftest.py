"""The demo store's samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from model.data import rows
from model.data.rows import Rows
from model.data.selection import DataConfig
from partonomy_data import store as stores
from partonomy_data.photographs.places import Photographs, of_store
from partonomy_data.store.reader import Store


@pytest.fixture(scope="module")
def store(demo_store: Path) -> Iterator[Store]:
    with stores.open(demo_store) as opened:
        yield opened


@pytest.fixture(scope="module")
def samples(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """All questions of the store."""
    splits = tuple(one for (one,) in store.sql("SELECT DISTINCT split FROM questions ORDER BY 1").fetchall())
    return rows.prepare(store, DataConfig(splits=splits), tmp_path_factory.mktemp("samples"))


@pytest.fixture(scope="module")
def shown(store: Store, samples: Rows) -> Photographs:
    pairs = zip(samples.column("source").to_pylist(), samples.column("uri").to_pylist(), strict=True)
    return of_store(store.root, {}).check(dict(pairs))
