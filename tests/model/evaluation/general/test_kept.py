"""What was said is there again; a line that isn't whole is as if it had not been said, and does the next no harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.evaluation.general.kept import Kept, Said

said = st.builds(Said, st.text(max_size=8), st.none() | st.text(), st.text(max_size=8))


@given(st.lists(st.lists(said, max_size=4), max_size=4))
def test_what_was_said_is_there_again(tmp_path_factory: pytest.TempPathFactory, batches: list[list[Said]]) -> None:
    path = tmp_path_factory.mktemp("kept") / "model" / "said.jsonl"
    for batch in batches:
        Kept(path).add(batch)
    last = {one.question_id: one for batch in batches for one in batch}
    again = Kept(path)
    assert len(again) == len(last)
    assert all(again[name] == one for name, one in last.items())


@given(st.lists(said, min_size=1, max_size=3, unique_by=lambda one: one.question_id), st.data())
def test_a_file_cut_anywhere_keeps_its_whole_lines(
    tmp_path_factory: pytest.TempPathFactory, several: list[Said], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("kept") / "said.jsonl"
    Kept(path).add(several)
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    whole = path.read_bytes().count(b"\n")
    known = Kept(path)
    assert whole <= len(known) <= whole + 1, "the last line may lack nothing but its end"
    known.add(several[len(known) :])
    assert [Kept(path)[one.question_id] for one in several] == several
    assert Kept(path)["another id, that nobody asked"] is None
