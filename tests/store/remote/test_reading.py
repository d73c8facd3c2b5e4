"""A store in a bucket answers as the same store in a folder does, and fetches no more than it needs."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import partonomy_data
from partonomy_data import QueryError, StoreError
from partonomy_data.store import Limits, Store, parquet
from partonomy_data.store.publish import publish
from partonomy_data.store.remote import state
from schemas.tables import EVALUATION_TABLES, TABLES
from tests.store.conftest import HEIGHT, WIDTH, from_rows, publish_tables, stage, tables
from tests.store.older import publish_older
from tests.store.remote.conftest import Remote
from tests.store.remote.server import Server

QUERIES = [
    "SELECT part_category, count(*) AS n, min(bbox[1]), max(mask.size[2]) FROM parts GROUP BY ALL ORDER BY ALL",
    "SELECT p.part_id, o.object_category FROM parts p JOIN objects o USING (object_id) WHERE p.source = 'paco' ORDER BY 1",
    "SELECT question_id, choices[1].text, len(choices) FROM questions WHERE split = 'train' ORDER BY 1",
    "WITH RECURSIVE up AS (SELECT 'dog' AS c UNION ALL SELECT parent FROM up JOIN category_graph ON child = c) FROM up",
    "SELECT bbox, mask FROM objects ORDER BY object_id",
    "SELECT count(*) FROM predictions",
    "SELECT object_id FROM objects WHERE mask IS NULL OR list_contains(['mug'], object_category) ORDER BY 1",
]


@pytest.fixture(scope="module")
def both(one_remote: Remote) -> Iterator[tuple[Store, Store]]:
    """The same version, from the bucket and from the state folder."""
    with partonomy_data.open(one_remote.address) as there, partonomy_data.open(one_remote.state) as here:
        yield there, here


def test_every_table_has_the_rows_and_types_that_it_has_in_a_folder(both: tuple[Store, Store]) -> None:
    there, here = both
    assert there.version == here.version
    assert there.manifest == here.manifest
    for name in (*TABLES, *EVALUATION_TABLES):
        ours, theirs = there.sql(f"SELECT * FROM {name}"), here.sql(f"SELECT * FROM {name}")
        assert ours.columns == theirs.columns
        assert [str(one) for one in ours.types] == [str(one) for one in theirs.types]
        assert ours.fetchall() == theirs.fetchall()
        assert there.table(name).equals(here.table(name))


@pytest.mark.parametrize("sql", QUERIES)
def test_queries_answer_alike(both: tuple[Store, Store], sql: str) -> None:
    there, here = both
    answer = there.select(sql)
    assert answer == here.select(sql)
    assert there.select(sql, max_rows=1).rows == answer.rows.slice(0, 1)


def test_questions_and_masks_are_alike(both: tuple[Store, Store]) -> None:
    there, here = both
    wanted = {"split": "test", "question_type": "difference", "columns": ["question_id", "choices"]}
    assert there.questions(**wanted).equals(here.questions(**wanted))
    assert there.questions(split="train").num_rows == 6
    ids = [*here.table("parts")["part_id"].to_pylist(), "obj_0000010000000000"]
    ours, theirs = there.masks(ids), here.masks(ids)
    assert list(ours) == list(theirs) == ids
    assert all(np.array_equal(ours[name], theirs[name]) for name in ids)
    for store in both:
        with pytest.raises(StoreError, match="has no mask"):
            store.mask("obj_0000000000000000")
        with pytest.raises(StoreError, match="no part or object"):
            store.mask("prt_none")


def test_rows_by_id_are_alike(both: tuple[Store, Store]) -> None:
    there, here = both
    for name, told in TABLES.items():
        if told.key:
            whole = here.between(name, "", "\U0010ffff")
            assert there.between(name, "", "\U0010ffff").equals(whole), name
            assert whole.num_rows == here.table(name).num_rows
    some = "questions", "qst_0", "qst_1", ["question"]
    assert there.between(*some).equals(here.between(*some))
    for store in both:
        with pytest.raises(StoreError, match="no column 'name'"):
            store.between("parts", "", "z", ["name"])


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO '/tmp/leak.csv'",
        "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM part",
        "SELECT getenv('AWS_SECRET_ACCESS_KEY')",
    ],
)
def test_the_sandbox_is_as_tight(both: tuple[Store, Store], sql: str) -> None:
    for store in both:
        with pytest.raises(QueryError):
            store.select(sql)


def test_what_a_query_does_not_ask_for_is_not_fetched(remote: Remote, server: Server) -> None:
    """Columns that aren't named, and row groups that can't have what is asked for; footers are fetched once."""
    here = state.local(remote.address, remote.state)
    state.begin(here)
    staged = stage(here, {"parts": many_parts(50_000)})
    publish(here, staged, {}, readme="")
    whole = sum(path.stat().st_size for path in here.glob("versions/*/parts/*.parquet"))
    assert whole > 3_000_000
    with partonomy_data.open(remote.address) as store:
        server.control()
        assert store.select("SELECT count(DISTINCT part_category) FROM parts").rows.num_rows == 1
        assert server.control()["sent"] < 200_000, "masks were fetched too"
        assert store.select("SELECT count(*) FROM parts").rows.to_pylist() == [{"count_star()": 50_000}]
        assert server.control().get("sent", 0) < 50_000, "the footers were fetched again"
        assert store.mask("prt_000007").shape == (HEIGHT, WIDTH)
        assert server.control()["sent"] < 0.4 * whole, "row groups were fetched that can't have it"


def many_parts(n: int) -> pa.Table:
    """Parts with masks of some hundred bytes, sorted by id."""
    parts = tables(1)["parts"].slice(0, 1)
    mask = parts["mask"][0].as_py()
    generator = np.random.default_rng(0)
    noise = (str(one) for one in generator.integers(0, 10**18, (n, 8)))
    masks = [mask if i == 7 else {"size": mask["size"], "counts": text} for i, text in enumerate(noise)]
    rows = parts.take(pa.array(np.zeros(n, np.int64)))
    ids = pa.array([f"prt_{i:06d}" for i in range(n)])
    rows = rows.set_column(
        rows.column_names.index("mask"), rows.schema.field("mask"), pa.array(masks, rows["mask"].type)
    )
    return rows.set_column(rows.column_names.index("part_id"), rows.schema.field("part_id"), ids)


def test_a_file_that_its_partition_leaves_out_is_not_looked_at(remote: Remote) -> None:
    """Else a query for one source would fetch a footer of every file of the others."""
    here = state.local(remote.address, remote.state)
    staged = here / "work" / "staged"
    for source in ("paco", "pascal_part"):
        rows = tables()["parts"]
        rows = rows.filter([one == source for one in rows["source"].to_pylist()])
        parquet.write(rows, staged / "parts" / f"source={source}" / "0.parquet", "parts")
    state.begin(here)
    version = publish(here, staged, {}, readme="").version
    path = f"versions/{version}/parts/source=pascal_part/0.parquet"
    remote.put(path, b"?" * len(remote.bucket.get(path).body))
    with partonomy_data.open(remote.address) as store:
        assert store.sql("SELECT DISTINCT source FROM parts WHERE source = 'paco'").fetchall() == [("paco",)]
        assert set(store.table("parts", ["source"], [("source", "=", "paco")])["source"].to_pylist()) == {"paco"}
        with pytest.raises((QueryError, StoreError)) as told:
            store.select("SELECT max(part_id) FROM parts")
        assert "\n" not in str(told.value)


def test_an_open_store_keeps_its_version(remote: Remote) -> None:
    first = remote.publish(0)
    with partonomy_data.open(remote.address) as store:
        before = store.select(QUERIES[0])
        second = remote.publish(1)
        assert store.version == first
        assert store.select(QUERIES[0]) == before
    with partonomy_data.open(remote.address) as store:
        assert store.version == second
    with partonomy_data.open(remote.address, first) as store:
        assert store.select(QUERIES[0]) == before


def test_a_copy_by_pickle_opens_the_same_version(remote: Remote) -> None:
    first = remote.publish(0)
    with partonomy_data.open(remote.address, limits=Limits(threads=1)) as store:
        remote.publish(1)
        with pickle.loads(pickle.dumps(store)) as copy:  # noqa: S301
            assert (copy.version, str(copy.root)) == (first, remote.address)


def test_evaluations_in_the_bucket_are_shown(remote: Remote) -> None:
    version = remote.publish()
    row = {"model_id": "m", "version": version, "split": "test", "question_type": "all", "slice": "all"}
    rows = from_rows(
        [row | {"metric": "accuracy", "value": 0.5, "low": 0.4, "high": 0.6, "n": 9, "n_skipped": 1}], "evaluations"
    )
    for model in ("m", "n"):
        parquet.write(rows, remote.state / "evaluations.parquet", "evaluations")
        remote.put(
            f"evaluations/{model}/{version}/evaluations.parquet", (remote.state / "evaluations.parquet").read_bytes()
        )
    with partonomy_data.open(remote.address) as store:
        assert store.sql("SELECT sum(n)::INT FROM evaluations").fetchall() == [(18,)]
        assert store.sql("SELECT root FROM current_version").fetchall() == [(remote.address,)]


def test_what_needs_files_says_that_there_are_none(both: tuple[Store, Store]) -> None:
    there, _ = both
    with pytest.raises(StoreError, match="no path here"):
        there.files("parts")
    with pytest.raises(StoreError, match="no path here"):
        _ = there.folder
    with pytest.raises(StoreError, match="no table 'part'"):
        there.table("part")
    with pytest.raises(StoreError, match="no column 'name'"):
        there.table("parts", ["name"])


def test_a_version_of_an_older_schema_reads_nulls_for_what_it_lacks(remote: Remote, tmp_path: Path) -> None:
    """One that another tool has copied to the bucket."""
    folder = tmp_path / "older"
    publish_tables(folder)
    version = publish_older(folder, 2)
    remote.put_folder(folder / "versions" / version, version)
    with partonomy_data.open(remote.address) as there, partonomy_data.open(folder, version) as here:
        for name in ("images", "parts"):
            assert there.sql(f"SELECT * FROM {name}").fetchall() == here.sql(f"SELECT * FROM {name}").fetchall()
            assert there.between(name, "", "z").to_pylist() == here.between(name, "", "z").to_pylist()
        assert there.sql("SELECT DISTINCT repairs FROM parts").fetchall() == [(None,)]
        assert set(here.between("parts", "", "z", ["repairs"])["repairs"].to_pylist()) == {None}


def test_a_file_that_a_prune_took_is_told_in_one_line(remote: Remote) -> None:
    version = remote.publish()
    with partonomy_data.open(remote.address) as store:
        for name in ("parts", "questions"):
            remote.delete(f"versions/{version}/{name}/0.parquet")
        with pytest.raises(StoreError, match="gone, perhaps by a prune"):
            store.select("SELECT max(part_id) FROM parts")
        with pytest.raises(StoreError, match="gone, perhaps by a prune"):
            store.questions()


def test_a_version_that_lacks_a_file_is_not_opened(remote: Remote) -> None:
    version = remote.publish()
    remote.put(f"versions/{version}/parts/0.parquet", b"short")
    with pytest.raises(StoreError, match=r"parts/0\.parquet has 5 bytes"):
        partonomy_data.open(remote.address)
    remote.delete(f"versions/{version}/parts/0.parquet")
    with pytest.raises(StoreError, match=r"parts/0\.parquet is missing"):
        partonomy_data.open(remote.address)
    with pytest.raises(StoreError, match="there is no version 0123456789abcdef"):
        partonomy_data.open(remote.address, "0123456789abcdef")
