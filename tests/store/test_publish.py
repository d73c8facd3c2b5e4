"""Publishing: a version appears whole or not at all, and equal content is one version."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from partonomy_data.errors import StoreError
from partonomy_data.store import open, parquet, publish, relink, verify, versions
from partonomy_data.store.layout import Layout
from schemas.tables import TABLES

from .conftest import from_rows, publish_tables, stage, tables


def current(root: Path) -> str:
    return Layout(root).current.read_text().strip()


def test_a_version_holds_every_table_a_manifest_and_a_card(published: Path) -> None:
    version = current(published)
    folder = Layout(published).version(version)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert (folder / "README.md").read_text() == "# A small store\n"
    assert manifest["version"] == version
    assert manifest["config"] == {"seed": 0}
    assert manifest["parent"] is None
    assert set(manifest["tables"]) == set(TABLES)
    assert manifest["tables"]["parts"] == tables()["parts"].num_rows
    for entry in manifest["files"]:
        path = folder / entry["path"]
        assert pq.read_metadata(path).num_rows == entry["rows"]
        assert path.stat().st_size == entry["bytes"]
        assert path.stat().st_mode & 0o222 == 0
    assert verify(published) == []
    assert not list(Layout(published).work.glob("staged*"))


def test_equal_content_is_the_same_version_and_writes_nothing(published: Path) -> None:
    version = current(published)
    folder = Layout(published).version(version)
    before = {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in folder.rglob("*")}
    other = {"config": "another, with the same result"}
    result = publish(published, stage(published, tables()), other, readme="another")
    assert (result.version, result.new) == (version, False)
    assert {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in folder.rglob("*")} == before
    assert not (Layout(published).work / "staged").exists()


def test_another_root_gives_the_same_name_and_the_same_bytes(published: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    assert publish_tables(other) == current(published)
    one, two = (Layout(r).version(current(published)) for r in (published, other))
    names = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(two) for p in two.rglob("*") if p.is_file())
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in names)


def test_a_new_version_names_its_parent_and_leaves_it_untouched(published: Path) -> None:
    first = current(published)
    second = publish_tables(published, seed=1)
    assert second != first
    assert current(published) == second
    assert verify(published, first) == verify(published, second) == []
    with open(published) as store:
        assert store.manifest["parent"] == first


def test_times_of_language_model_calls_do_not_make_a_new_version(published: Path) -> None:
    call = {"call_id": "call_0", "purpose": "names", "model": "m", "prompt_sha256": "0", "request": "{}"}
    rows = pa.table(
        {key: [value] for key, value in (call | {"status": "admitted", "latency_s": 1.5}).items()}
        | {"created_at": pa.array([0], pa.timestamp("us", tz="UTC"))}
    )
    staged = stage(published, tables() | {"llm_calls": rows})
    assert publish(published, staged, {}, readme="").version == current(published)


def test_extra_texts_are_published_and_leftovers_of_an_attempt_are_not(root: Path) -> None:
    staged = stage(root, tables())
    (staged / "manifest.json").write_text("{half")
    (staged / "parts" / ".1.parquet.123.tmp").write_text("half")
    version = publish(root, staged, {}, readme="card", extras={"croissant.json": "{}\n"}).version
    folder = Layout(root).version(version)
    assert (folder / "croissant.json").read_text() == "{}\n"
    assert not list(folder.rglob(".*"))
    assert verify(root) == []


def not_parquet(staged: Path) -> None:
    (staged / "parts" / "1.parquet").write_bytes(b"PAR1 no more")


def empty_file(staged: Path) -> None:
    (staged / "parts" / "1.parquet").write_bytes(b"")


def unknown_table(staged: Path) -> None:
    (staged / "part").mkdir()
    pq.write_table(pa.table({"a": [1]}), staged / "part" / "0.parquet")


def other_columns(staged: Path) -> None:
    pq.write_table(pa.table({"part_id": ["prt_0"]}), staged / "parts" / "1.parquet")


def stray_file(staged: Path) -> None:
    (staged / "parts" / "notes.txt").write_text("x")


def stray_text(staged: Path) -> None:
    (staged / "notes.txt").write_text("x")


def link_out(staged: Path) -> None:
    outside = staged.parent / "outside.parquet"
    (staged / "parts" / "0.parquet").rename(outside)
    (staged / "parts" / "0.parquet").symlink_to(outside)


@pytest.mark.parametrize(
    "damage",
    [not_parquet, empty_file, unknown_table, other_columns, stray_file, stray_text, link_out],
)
def test_a_staged_folder_that_is_not_as_it_should_be_changes_nothing(
    damage: Callable[[Path], None], published: Path
) -> None:
    version = current(published)
    staged = stage(published, tables(seed=3))
    damage(staged)
    with pytest.raises(StoreError) as error:
        publish(published, staged, {}, readme="")
    assert "\n" not in str(error.value)
    assert current(published) == version
    assert [info.version for info in versions(published)] == [version]


def test_no_staged_folder_is_refused(root: Path) -> None:
    with pytest.raises(StoreError, match="there is no staged folder here"):
        publish(root, root / "work" / "none", {}, readme="")


def test_a_folder_on_another_file_system_is_refused(published: Path) -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == published.stat().st_dev:
        pytest.skip("there is no second file system here")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        staged = stage(Path(folder), tables(seed=1))
        with pytest.raises(StoreError, match="lies on another file system"):
            publish(published, staged, {}, readme="")


def truncate(folder: Path) -> None:
    path = folder / "parts" / "0.parquet"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1])


def flip_a_byte(folder: Path) -> None:
    path = folder / "parts" / "0.parquet"
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)


def remove_file(folder: Path) -> None:
    (folder / "objects" / "0.parquet").unlink()


def remove_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize("damage", [truncate, flip_a_byte, remove_file, remove_manifest])
def test_a_damaged_version_of_the_same_name_is_replaced_by_a_whole_one(
    damage: Callable[[Path], None], published: Path
) -> None:
    version = current(published)
    damage(Layout(published).version(version))
    assert verify(published) != []
    assert publish_tables(published) == version
    assert verify(published) == []


class Fault:
    """Makes the n-th call of one of the given functions of `os` fail as on a full disk."""

    def __init__(self, patch: pytest.MonkeyPatch, at: int) -> None:
        self.left = at
        for name in ("fsync", "replace", "rename", "chmod"):
            patch.setattr(os, name, self.wrapped(getattr(os, name)))

    def wrapped(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return function(*arguments, **options)

        return call


def test_a_full_disk_at_any_step_leaves_the_old_version_or_the_new_and_a_second_try_ends_it(
    published: Path, tmp_path: Path
) -> None:
    old = current(published)
    new = publish_tables(tmp_path / "unbroken", seed=1)
    step, failures = 0, 0
    while True:
        staged = stage(published, tables(seed=1))
        with pytest.MonkeyPatch.context() as patch:
            fault = Fault(patch, step)
            try:
                publish(published, staged, {"config": {"seed": 1}}, readme="# A small store\n")
            except OSError:
                failures += 1
        if fault.left >= 0:
            break
        with open(published) as store:
            assert store.version in (old, new)
            assert store.select("SELECT count(*) AS n FROM parts").rows["n"][0].as_py() == 27
        assert publish_tables(published, seed=1) == new
        assert verify(published) == []
        restart(published, old, new)
        step += 8
    assert failures > 8
    assert current(published) == new


def restart(root: Path, old: str, new: str) -> None:
    """Back to the store as it was before `new` was published."""
    layout = Layout(root)
    layout.current.write_text(old + "\n")
    layout.version(new).rename(layout.work / f"undone-{os.urandom(4).hex()}")
    relink(root)


KILLED = """
import os, signal, sys
from pathlib import Path
import duckdb, pyarrow.parquet
from partonomy_data.store import publish
root, staged = Path(sys.argv[1]), Path(sys.argv[2])
for line in sys.stdin:
    step, folder = line.split()
    child = os.fork()
    if not child:
        left = int(step)
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
        os.replace, os.rename = killing(os.replace), killing(os.rename)
        publish(root, staged / folder, {"config": {"seed": 1}}, readme="# A small store\\n")
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_a_kill_around_any_rename_leaves_the_old_version_or_the_new_and_a_second_try_gives_the_unbroken_bytes(
    published: Path, tmp_path: Path
) -> None:
    old = current(published)
    layout = Layout(published)
    new = publish_tables(tmp_path / "unbroken", seed=1)
    unbroken = Layout(tmp_path / "unbroken").version(new)
    empties = {name: from_rows([], name) for name in TABLES}
    command = [sys.executable, "-c", KILLED, str(published), str(layout.work)]
    seen = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        status = -9
        while status:
            step = len(seen)
            staged = stage(published, tables(seed=1), f"killed-{step}")
            for name in empties.keys() - tables().keys():
                parquet.write(empties[name], staged / name / parquet.EMPTY_FILE, name)
            process.stdin.write(f"{step} killed-{step}\n")
            process.stdin.flush()
            status = int(process.stdout.readline())
            with open(published) as store:
                seen.append(store.version)
                assert store.table("parts").equals(tables(seed=store.manifest["config"]["seed"])["parts"])
            if status:
                assert status == -9
                assert publish_tables(published, seed=1) == new
                same_but_for_parent(layout.version(new), unbroken)
                restart(published, old, new)
    # croissant.json, README.md, manifest.json, the version itself and CURRENT are renamed, then catalog.duckdb: before and
    # after each.
    assert seen == [old] * 9 + [new] * 4


def same_but_for_parent(folder: Path, other: Path) -> None:
    names = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(other) for p in other.rglob("*") if p.is_file())
    for name in names:
        if name.name == "manifest.json":
            one, two = (json.loads((f / name).read_bytes()) for f in (folder, other))
            assert one | {"parent": None} == two
        else:
            assert (folder / name).read_bytes() == (other / name).read_bytes()
