"""Reading a version while others are published, moved to and removed."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from partonomy_data.errors import StoreError
from partonomy_data.store import Store, open, prune, reader
from partonomy_data.store.layout import Layout

from .conftest import publish_tables, rectangle, tables


def test_tables_come_back_as_they_were_published(store: Store) -> None:
    for name, rows in tables().items():
        assert store.table(name).equals(rows)
    assert store.table("predictions").num_rows == store.table("plausibility").num_rows == 0


def test_columns_and_filters_choose(store: Store) -> None:
    rows = tables()["parts"]
    some = store.table("parts", ["part_id", "area"], [("source", "=", "paco"), ("part_category", "in", ["leg"])])
    expected = rows.filter((pc.field("source") == "paco") & (pc.field("part_category") == "leg"))
    assert some.equals(expected.select(["part_id", "area"]))
    assert store.table("parts", filters=pc.field("area") > 8).num_rows == 0


def test_questions_are_chosen_by_split_and_type(store: Store) -> None:
    rows = tables()["questions"].to_pylist()
    for split in (None, "train", "test", "none"):
        for kind in (None, "difference", "identification"):
            expected = [r for r in rows if split in (None, r["split"]) and kind in (None, r["question_type"])]
            assert store.questions(split=split, question_type=kind).to_pylist() == expected
    assert store.questions(columns=["question"]).column_names == ["question"]


def test_masks_are_decoded(store: Store) -> None:
    mask = store.mask("prt_000003" + "0" * 9 + "1")
    assert (mask.dtype, mask.shape) == (np.uint8, (40, 60))
    np.testing.assert_array_equal(mask, rectangle(31))
    np.testing.assert_array_equal(store.mask("obj_000003" + "0" * 10), rectangle(1003))


def test_many_masks_are_looked_up_at_once(store: Store) -> None:
    ids = [*store.table("parts")["part_id"].to_pylist(), "obj_000004" + "0" * 10]
    found = store.masks([*ids, ids[0]])
    assert list(found) == ids
    for name in ids:
        np.testing.assert_array_equal(found[name], store.mask(name))
    assert store.masks([]) == {}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("prt_ffffffffffffffff", "is no part or object"),
        ("obj_ffffffffffffffff", "is no part or object"),
        ("' OR 1=1 --", "is no part or object"),
        ("obj_0000000000000000", "obj_0000000000000000 has no mask"),
    ],
)
def test_a_mask_that_is_not_there_is_a_clear_error(name: str, message: str, store: Store) -> None:
    with pytest.raises(StoreError, match=message):
        store.mask(name)


def test_unknown_tables_and_columns_are_named_with_what_there_is(store: Store) -> None:
    with pytest.raises(StoreError, match=r"there is no table 'part'.*attributes"):
        store.table("part")
    with pytest.raises(StoreError, match=r"has no column 'nmae'.*part_id"):
        store.table("parts", ["nmae"])
    with pytest.raises(StoreError, match="table parts: "):
        store.table("parts", filters=[("nmae", "=", 1)])


def test_stores_that_cannot_be_opened_are_one_clear_line(published: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    cases = [
        (tmp_path / "none", None, "there is no store here. Run `partonomy build`"),
        (tmp_path / "empty", None, "nothing is published here yet"),
        (published, "0" * 16, "there is no version 0000000000000000. `partonomy versions`"),
        (published, "../../x", "is not the name of a version"),
    ]
    for root, version, message in cases:
        with pytest.raises(StoreError) as error:
            open(root, version)
        assert message in str(error.value)
        assert "\n" not in str(error.value)
    assert list((tmp_path / "empty").iterdir()) == []
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("f" * 16, "CURRENT names version f{16}, which is not there"),
        ("", "holds ''"),
        ("../x\n", "holds '../x'"),
    ],
)
def test_a_wrong_pointer_is_a_clear_error(text: str, message: str, published: Path) -> None:
    Layout(published).current.write_text(text)
    with pytest.raises(StoreError, match=message):
        open(published)


def test_an_open_store_keeps_its_version(published: Path) -> None:
    with open(published) as store:
        rows = store.table("parts")
        relation = store.sql("SELECT * FROM parts")
        new = publish_tables(published, seed=1)
        assert prune(published, keep=1) == []
        assert store.table("parts").equals(rows)
        assert relation.to_arrow_table().to_pylist() == rows.to_pylist()
        old = store.version
    assert prune(published, keep=1) == [old]
    with open(published) as store:
        assert store.version == new


def test_closing_ends_reading_and_may_be_repeated(published: Path) -> None:
    store = open(published)
    assert store.version in repr(store)
    store.close()
    store.close()
    with pytest.raises(Exception, match="closed"):
        store.sql("SELECT 1")


def test_a_pickled_store_opens_the_same_version(published: Path) -> None:
    with open(published) as store:
        publish_tables(published, seed=1)
        with pickle.loads(pickle.dumps(store)) as copy:  # noqa: S301
            assert copy.version == store.version
            assert copy.table("parts").equals(store.table("parts"))


def test_a_store_on_a_read_only_medium_can_be_read(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> bool:
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr(reader.Lock, "acquire", refuse)
    with open(published) as store:
        assert store.table("parts").num_rows == 27


def test_a_relative_root_survives_a_change_of_folder(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(published.parent)
    with open(published.name) as store:
        monkeypatch.chdir("/")
        assert store.sql("SELECT count(*) FROM parts").fetchall() == [(27,)]
        assert store.mask("prt_0000010000000000").shape == (40, 60)


def test_the_version_in_use_is_a_view(store: Store) -> None:
    assert store.sql("SELECT version FROM current_version").fetchall() == [(store.version,)]
    assert store.manifest["version"] == store.version


PUBLISHER = """
import sys
from pathlib import Path
from store.conftest import publish_tables
from partonomy_data.store import prune
root = Path(sys.argv[1])
for i in range(6):
    publish_tables(root, seed=2 + i % 4)
    prune(root, keep=1)
"""


def test_readers_never_see_an_error_or_a_mixed_version_while_another_process_publishes_and_prunes(
    published: Path,
) -> None:
    here = Path(__file__).resolve().parents[1]
    known = {seed: tables(seed=seed)["parts"] for seed in (0, 2, 3, 4, 5)}
    stop, seen, errors = threading.Event(), set(), []

    def read() -> None:
        try:
            while not stop.is_set():
                with open(published) as store:
                    seed = store.manifest["config"]["seed"]
                    seen.add(seed)
                    assert store.table("parts").equals(known[seed])
                    rows = store.sql("FROM parts").to_arrow_table().to_pylist()
                    assert rows == known[seed].to_pylist()
                    assert store.sql("SELECT version FROM current_version").fetchall() == [(store.version,)]
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            errors.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    command = [sys.executable, "-c", PUBLISHER, str(published)]
    done = subprocess.run(command, env={"PYTHONPATH": str(here)}, capture_output=True, text=True, check=False)
    stop.set()
    thread.join()
    assert done.returncode == 0, done.stderr
    assert errors == []
    assert len(seen) > 1
