"""Whole or not at all, one line where it can't be, and no more in memory than a batch."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import partonomy_data
from partonomy_data.errors import UsageError
from partonomy_data.export import FORMATS, folder, slices, streams, write
from tests.export.conftest import Export
from tests.export.stores import Small
from tests.helpers.command import partonomy


@given(
    st.lists(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=9), max_size=2), max_size=4), max_size=4)
)
def test_an_array_of_json_texts_in_any_batches_is_the_array_of_their_values(values: list[list[dict[str, str]]]) -> None:
    file = io.BytesIO()
    texts = [pa.array([json.dumps(value, ensure_ascii=False) for value in batch], pa.string()) for batch in values]
    assert streams.write_array(file, texts) == sum(map(len, values))
    assert json.loads(file.getvalue()) == [value for batch in values for value in batch]


def test_a_batch_is_written_before_the_next_is_asked_for() -> None:
    file, sizes = io.BytesIO(), []

    def texts() -> Iterator[pa.Array]:
        for _ in range(4):
            sizes.append(file.tell())
            yield pa.array(["1"] * 1000)

    streams.write_array(file, texts())
    assert sizes == [1, 3000, 6000, 9000]


def test_rows_come_in_batches_of_bounded_size(demo_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "BATCH_ROWS", 2048)
    with partonomy_data.open(demo_store) as store:
        sizes = [len(batch) for batch in streams.batches(store, "SELECT part_id FROM parts ORDER BY part_id")]
    assert len(sizes) > 1
    assert max(sizes) <= 2048


def test_slices_of_questions_hold_each_once_and_in_order(demo_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "QUESTIONS_PER_SLICE", 20)
    sql = "SELECT question_id FROM questions WHERE split = $split AND question_id >= $low AND question_id < $high ORDER BY 1"
    with partonomy_data.open(demo_store) as store:
        assert len(list(slices.question_slices(store, "train"))) > 10
        found = [one for batch in slices.question_lines(store, sql, "train") for one in batch.to_pylist()]
        assert found == sorted(store.questions(split="train")["question_id"].to_pylist())


def test_the_files_do_not_depend_on_slices_and_batches(
    exported: Export, demo_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = exported("partonomy")  # before the slices get smaller
    monkeypatch.setattr(slices, "QUESTIONS_PER_SLICE", 200)
    monkeypatch.setattr(streams, "BATCH_ROWS", 100)
    done = write(demo_store, "partonomy", tmp_path / "out")
    assert done.files == due.files
    for name in done.files:
        assert (done.out / name).read_bytes() == (due.out / name).read_bytes()


def test_coco_does_not_depend_on_slices_of_photographs(
    exported: Export, demo_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = (exported("coco").out / "val.json").read_bytes()  # before the slices get smaller
    monkeypatch.setattr(slices, "ANNOTATIONS_PER_SLICE", 150)
    done = write(demo_store, "coco", tmp_path / "out", split="val")
    assert (done.out / "val.json").read_bytes() == due


@given(st.integers(0, 2**24))
def test_slices_of_photographs_leave_no_gap(n: int) -> None:
    found = list(slices.photograph_slices(n))
    assert (found[0]["low"], found[-1]["high"]) == ("000000", "~")
    assert [one["high"] for one in found[:-1]] == [one["low"] for one in found[1:]]
    assert sorted(one["low"] for one in found) == [one["low"] for one in found]
    assert n <= len(found) * slices.ANNOTATIONS_PER_SLICE


def test_what_is_at_the_place_already_is_left_as_it_is(small: Small, tmp_path: Path) -> None:
    for kind in ("file", "folder", "link"):
        out = tmp_path / kind
        {"file": out.touch, "folder": out.mkdir, "link": lambda out=out: out.symlink_to("nowhere")}[kind]()
        with pytest.raises(UsageError, match=rf"{kind}: there is something here already\. Name a folder"):
            write(small.root, "coco", out)
        assert out.is_symlink() or out.exists()
    assert len(list(tmp_path.iterdir())) == 3


def test_a_folder_made_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    def meanwhile() -> None:
        with folder.new_folder(tmp_path / "out") as aside:
            (aside / "file").write_text("x")
            (tmp_path / "out").mkdir()

    with pytest.raises(UsageError, match="something here already"):
        meanwhile()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("form", ["llava", "partonomy", "hf", "lmms-eval"])
def test_a_missing_photograph_is_one_line_and_nothing_is_left(small: Small, tmp_path: Path, form: str) -> None:
    copy = tmp_path / "photographs"
    shutil.copytree(small.photographs, copy)
    (copy / small.uris[2]).unlink()
    with pytest.raises(UsageError) as told:
        write(small.root, form, tmp_path / "out", images={"paco": str(copy)})
    places = (
        f"{copy / small.uris[2]}: the photograph is not here",
        f"paco/2: the photograph {small.uris[2]} is not in {copy}",  # where it is the first that is looked for
    )
    assert str(told.value) in [f"{place}. Give the folder that it is in: --images paco=PATH." for place in places]
    assert [path.name for path in tmp_path.iterdir()] == ["photographs"]


def test_photographs_whose_folder_is_not_known_are_one_line(small: Small, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^paco/0: where the photograph .* is isn't known\. Give the folder"):
        write(small.root, "llava", tmp_path / "out")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--format", "voc"], "there is no format 'voc'. Choose one of coco, llava, partonomy, hf, lmms-eval."),
        (["--format", "coco", "--split", "dev"], "has no split 'dev'. It is one of train."),
        (["--format", "coco", "--images", "paco=/nowhere"], "--images paco=/nowhere: there is no such folder."),
        (["--format", "llava", "--images", "paco"], "--images 'paco' is not NAME=PATH."),
        (["--format", "coco", "--version", "0" * 16], "there is no version 0000000000000000."),
    ],
)
def test_wrong_use_ends_with_2_and_one_line(small: Small, tmp_path: Path, arguments: list[str], line: str) -> None:
    done = partonomy("export", tmp_path / "out", "--root", small.root, *arguments)
    assert done.status == 2
    assert line in done.err.strip().splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", FORMATS)
def test_the_command_says_what_it_wrote_and_a_split_can_be_chosen(demo_store: Path, tmp_path: Path, form: str) -> None:
    if form == "hf":
        pytest.importorskip("datasets", reason="the extra [export] is not installed")
    done = partonomy("export", tmp_path / "out", "--root", demo_store, "--format", form, "--split", "val")
    assert done.status == 0, done.err
    (line,) = done.out.splitlines()
    assert Path(line.partition(": ")[0]).is_file()
    assert "val" in line
