"""The demo world in a bucket: the queries of docs/queries.md, masks and provenance are what they are in its folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import partonomy_data
from partonomy_data.store import Store
from tests.docs.pages import DOCS, examples
from tests.store.remote.conftest import new_bucket
from tests.store.remote.server import Server

#: A whole world is uploaded and read for it.
pytestmark = pytest.mark.soak

QUERIES = examples.queries(DOCS / "queries.md")


@pytest.fixture(scope="module")
def both(demo_store: Path, running: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Store]]:
    """The demo world, copied into a bucket, and in its folder."""
    remote = new_bucket(tmp_path_factory.mktemp("demo"))
    with partonomy_data.open(demo_store) as here:
        remote.put_folder(here.folder, here.version)
        with partonomy_data.open(remote.address) as there:
            yield there, here


@pytest.mark.parametrize("sql", [sql.text for sql, _ in QUERIES], ids=[sql.heading for sql, _ in QUERIES])
def test_the_documented_queries_answer_alike(both: tuple[Store, Store], sql: str) -> None:
    there, here = (store.select(sql).rows for store in both)
    assert there.schema == here.schema
    assert there.equals(here)


def test_masks_and_questions_are_alike(both: tuple[Store, Store]) -> None:
    there, here = both
    parts = [name for (name,) in here.sql("SELECT part_id FROM parts ORDER BY hash(part_id) LIMIT 40").fetchall()]
    ours, theirs = there.masks(parts), here.masks(parts)
    assert all(np.array_equal(ours[part], theirs[part]) for part in parts)
    for split in ("train", "test"):
        assert there.questions(split).equals(here.questions(split))


def test_where_a_question_comes_from_is_told_alike(both: tuple[Store, Store]) -> None:
    there, here = both
    ((question,),) = here.sql("SELECT min(question_id) FROM questions WHERE balanced").fetchall()
    assert partonomy_data.explain(there, question) == partonomy_data.explain(here, question)
