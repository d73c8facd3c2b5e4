"""Older schemas: read as they are, and published once more under the current one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import partonomy_data
from partonomy_data.errors import StoreError
from partonomy_data.store import build_lock, diff, migrate, open, parquet, prune, rollback, verify, versions
from partonomy_data.store.layout import Layout
from partonomy_data.store.migrations import STEPS
from schemas.tables import SCHEMA_VERSION, TABLES
from tests.helpers.command import partonomy

from .conftest import from_rows, publish_tables, stage, tables
from .older import LACKED, MISSING, publish_older

REPAIRED = [name for name in TABLES if any(column.name == "repairs" for column in TABLES[name].columns)]


def content(root: Path, version: str | None = None) -> dict[str, pa.Table]:
    with open(root, version) as store:
        return {name: store.table(name) for name in TABLES}


def current(root: Path) -> str:
    return Layout(root).current.read_text().strip()


@pytest.fixture(params=sorted(LACKED))
def older(request: pytest.FixtureRequest, demo_store: Path, root: Path) -> tuple[Path, int, str, str]:
    """A store whose current version is one of an older schema, beside the one that a build made of the same sources:
    root, schema version, the older version, the one that was built."""
    shutil.copytree(demo_store, root, ignore=shutil.ignore_patterns("demo", "work", "runs"))
    built = current(root)
    return root, request.param, publish_older(root, request.param, beside=True), built


def test_every_rise_of_the_schema_version_has_a_step() -> None:
    assert len(STEPS) == SCHEMA_VERSION - 1
    assert sorted(LACKED) == list(range(1, SCHEMA_VERSION)), "the tests know each older schema"


def test_a_version_of_an_older_schema_opens_and_lacks_read_as_null(older: tuple[Path, int, str, str]) -> None:
    root, schema_version, version, fresh_version = older
    expected = content(root, fresh_version)
    with open(root) as store:
        assert (store.version, store.manifest["schema_version"]) == (version, schema_version)
        for name in TABLES:
            lacked = LACKED[schema_version].get(name, ())
            found = store.table(name)
            by_sql = store.select(f"SELECT * FROM {name}").rows
            assert by_sql.column_names == found.column_names == expected[name].column_names
            if name in MISSING[schema_version]:
                assert found.num_rows == by_sql.num_rows == 0
                continue
            assert found.num_rows == by_sql.num_rows == expected[name].num_rows
            for column in found.column_names:
                if column in lacked:
                    assert found[column].null_count == by_sql[column].null_count == found.num_rows
                else:
                    assert found[column].equals(expected[name][column]), column
        some = store.table("parts", ["part_id"])["part_id"][0].as_py()
        assert store.mask(some).any()
        assert store.table("parts", filters=[("part_id", "=", some)]).num_rows == 1
    with duckdb.connect(str(Layout(root).catalog), read_only=True) as connection:
        assert connection.execute("SELECT schema_version FROM current_version").fetchall() == [(schema_version,)]
        assert connection.execute("SELECT count(*) FROM parts WHERE repairs IS NULL").fetchall() == [
            (expected["parts"].num_rows,)
        ]


def test_migrating_gives_the_rows_of_a_fresh_version_but_for_what_was_not_written_down(
    older: tuple[Path, int, str, str],
) -> None:
    root, schema_version, version, fresh_version = older
    expected = content(root, fresh_version)
    done = migrate(root)
    assert (done.old, done.new, done.current) == (version, True, True)
    assert current(root) == done.version
    assert verify(root) == verify(root, version) == []
    found = content(root)
    with open(root) as store, open(root, version) as old:
        said = store.manifest
        assert (said["schema_version"], said["migrated_from"], said["parent"]) == (SCHEMA_VERSION, version, version)
        assert all(said[key] == old.manifest[key] for key in ("config", "inputs", "counts", "rules", "tool"))
        assert (store.folder / "README.md").read_bytes() == (old.folder / "README.md").read_bytes()
    for name in TABLES:
        if name in MISSING[schema_version]:
            assert found[name].num_rows == 0
            continue
        for column in found[name].column_names:
            if name in REPAIRED and column == "repairs":
                assert found[name][column].null_count == found[name].num_rows
            elif (schema_version, name, column) == (1, "object_categories", "source_categories"):
                assert found[name][column].to_pylist() == [[]] * found[name].num_rows
            elif (schema_version, column) == (1, "phrase"):
                assert found[name][column].equals(found[name]["part_category"])
            elif (schema_version, column) == (1, "contrast_part"):
                assert found[name][column].null_count == found[name].num_rows
            else:
                assert found[name][column].equals(expected[name][column]), (name, column)
    assert expected["question_masks"].num_rows


def test_files_in_which_nothing_changed_are_shared_and_the_others_are_as_the_writer_writes_them(
    older: tuple[Path, int, str, str],
) -> None:
    root, schema_version, version, fresh_version = older
    made = migrate(root).version
    folder, old, fresh = (Layout(root).version(name) for name in (made, version, fresh_version))
    for path in sorted(folder.glob("*/**/*.parquet")):
        name = path.relative_to(folder)
        table = name.parts[0]
        assert pq.read_schema(path).equals(parquet.written_schema(table))
        assert path.stat().st_mode & 0o222 == 0
        if table not in LACKED[schema_version] and table not in MISSING[schema_version]:
            assert path.stat().st_ino == (old / name).stat().st_ino
            assert path.read_bytes() == (fresh / name).read_bytes()


def test_what_is_migrated_has_the_bytes_of_the_same_rows_published_now(published: Path) -> None:
    now = current(published)
    publish_older(published, 2)
    done = migrate(published)
    assert (done.version, done.new) == (now, True)


def test_migrating_again_does_nothing_more(published: Path) -> None:
    old = publish_older(published, 2)
    first = migrate(published)
    listed = [info.version for info in versions(published)]
    before = {p: p.stat().st_mtime_ns for p in Layout(published).version(first.version).rglob("*")}
    again = migrate(published, old)
    assert (again.version, again.new, again.current) == (first.version, False, True)
    onto_itself = migrate(published)
    assert (onto_itself.old, onto_itself.version, onto_itself.new) == (first.version, first.version, False)
    assert [info.version for info in versions(published)] == listed
    assert {p: p.stat().st_mtime_ns for p in Layout(published).version(first.version).rglob("*")} == before
    rollback(published, old)
    assert migrate(published).version == first.version
    assert current(published) == first.version


def test_only_the_place_of_the_old_version_is_taken(published: Path) -> None:
    old = publish_older(published, 2)
    newer = publish_tables(published, seed=1)
    done = migrate(published, old)
    assert (done.new, done.current) == (True, False)
    assert current(published) == newer
    with open(published, done.version) as store:
        assert store.manifest["parent"] == old
    with duckdb.connect(str(Layout(published).catalog), read_only=True) as connection:
        assert connection.execute("SELECT version FROM current_version").fetchall() == [(newer,)]


def test_versions_say_their_schema_and_diff_leaves_out_what_one_lacks(published: Path) -> None:
    fresh = current(published)
    old = publish_older(published, 2, beside=True)
    assert {info.version: info.schema_version for info in versions(published)} == {fresh: SCHEMA_VERSION, old: 2}
    found = diff(published, old, fresh)
    assert found.same
    assert {one.table for one in found.tables if one.not_compared == ("repairs",)} == set(REPAIRED) - {"quarantine"}
    assert [(fact.name, fact.old, fact.new) for fact in found.facts] == [("schema_version", 2, SCHEMA_VERSION)]


def test_the_commands_migrate_and_versions(published: Path) -> None:
    old = publish_older(published, 2)
    assert f"* {old}" in partonomy("versions", "--root", published).out
    assert "  schema version 2\n" in partonomy("versions", "--root", published).out
    query = partonomy("query", "SELECT count(*) AS n, count(repairs) AS r FROM parts", "--root", published)
    assert query.out.split()[4:6] == ["27", "0"]
    done = partonomy("migrate", "--root", published)
    new = current(published)
    assert done.out == f"published: version {new}, migrated from {old}; it is current\n"
    again = partonomy("migrate", "--root", published, "--version", old)
    assert again.out == f"unchanged: version {new}, migrated from {old}; it is current\n"
    assert partonomy("migrate", "--root", published).out == f"version {new} has the current schema already\n"
    assert partonomy("migrate", "--root", published, "--version", "0" * 16).status == 2


def test_a_damaged_version_is_not_made_whole_by_migrating_it(published: Path) -> None:
    old = publish_older(published, 2)
    path = Layout(published).version(old) / "parts" / "0.parquet"
    path.chmod(0o644)
    damaged = bytearray(path.read_bytes())
    damaged[40] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(StoreError, match="another content than published"):
        migrate(published)
    assert current(published) == old


def test_one_that_a_newer_tool_made_is_refused_in_one_line(published: Path) -> None:
    version = current(published)
    path = Layout(published).manifest(version)
    path.chmod(0o644)
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "schema_version": SCHEMA_VERSION + 1}))
    for call in (lambda: open(published), lambda: migrate(published), lambda: diff(published, version, version)):
        with pytest.raises(StoreError, match="made by a newer partonomy-data") as error:
            call()
        assert "\n" not in str(error.value)
    done = partonomy("query", "SELECT 1", "--root", published)
    assert (done.status, len(done.err.splitlines())) == (2, 1)


def test_migrating_waits_for_no_build(published: Path) -> None:
    publish_older(published, 2)
    with build_lock(published), pytest.raises(StoreError, match="another build is running"):
        migrate(published)


def test_the_migrated_version_stands_without_the_old_one(published: Path) -> None:
    old = publish_older(published, 2)
    expected = content(published)
    done = migrate(published)
    os.utime(Layout(published).manifest(old), (0, 0))
    assert old in prune(published, keep=1)
    assert verify(published, done.version) == []
    assert all(rows.equals(expected[name]) for name, rows in content(published).items())


def test_masks_that_are_not_there_and_more_rows_than_a_row_group_go_through(root: Path) -> None:
    rows = tables()
    one = rows["objects"].slice(0, 1).to_pylist()[0]
    assert one["mask"] is None
    many = [one | {"object_id": f"obj_{i:016x}"} for i in range(parquet.ROWS_PER_GROUP + 5)]
    staged = stage(root, rows | {"objects": from_rows(many, "objects")})
    partonomy_data.store.publish(root, staged, {}, readme="")
    publish_older(root, 2)
    expected = content(root)["objects"]
    migrate(root)
    assert content(root)["objects"].equals(expected)
    (path,) = (Layout(root).version(current(root)) / "objects").glob("*.parquet")
    assert pq.read_metadata(path).num_row_groups == 2


KILLED = """
import os, signal, sys
from pathlib import Path
import duckdb, pyarrow.parquet
from partonomy_data.store import migrate
root = Path(sys.argv[1])
for line in sys.stdin:
    child = os.fork()
    if not child:
        left = int(line)
        def count():
            global left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        def killing(function):
            def call(*arguments):
                count()
                function(*arguments)
                count()
            return call
        os.replace, os.rename, os.link = map(killing, (os.replace, os.rename, os.link))
        migrate(root)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_a_kill_around_any_rename_leaves_the_old_version_or_the_new_and_a_second_try_ends_it(
    published: Path, tmp_path: Path
) -> None:
    old = publish_older(published, 2)
    expected = content(published)
    shutil.copytree(published, tmp_path / "unbroken")
    new = migrate(tmp_path / "unbroken").version
    seen, status = [], -9
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(published)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        while status:
            process.stdin.write(f"{3 * len(seen)}\n")
            process.stdin.flush()
            status = int(process.stdout.readline())
            seen.append(current(published))
            assert verify(published, old) == verify(published) == []
            assert all(rows.equals(expected[name]) for name, rows in content(published).items())
            if status:
                assert status == -9
                done = migrate(published, old)
                assert (done.version, current(published)) == (new, new)
                assert verify(published, new) == []
                rollback(published, old)
                Layout(published).version(new).rename(tmp_path / f"undone-{len(seen)}")
    assert seen == sorted(seen, key=[old, new].index), "once moved, CURRENT stays moved"
    assert seen.count(new) >= 2
    assert seen.count(old) > 10
