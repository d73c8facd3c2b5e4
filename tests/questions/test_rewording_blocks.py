"""Rewording blocks made by hand: things of any name, drawn boxes, ids that begin alike, other templates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partonomy_data.questions.admission_paraphrase import Original
from partonomy_data.questions.bank import Bank, Proposed
from partonomy_data.questions.nouns import definite, indefinite, plain
from partonomy_data.questions.rewording import originals, reword
from partonomy_data.questions.settings import CONTRASTS, TWO_TURNS, TYPES
from partonomy_data.questions.units import ObjectQuestion
from partonomy_data.store import parquet
from tests.questions.reworded import LISTS, Row, always, check_blocks, check_only_words_changed, made, paths, rows


def test_questions_that_are_asked_together_are_drawn_together(tmp_path: Path) -> None:
    """Those of sibling categories with the same part sets too, though their blocks are others."""
    seen = set()
    for seed in range(12):
        choices = np.array([[part in one for part in ("body", "tail", "wing")] for one in LISTS], bool)
        groups = ("fedcba9876543210",) * 3 + ("0123456789abcdef",) * 3
        two = {"lists": LISTS * 2, "choices": choices, "right": np.arange(6) % 3, "groups": groups}
        folder = made(tmp_path / str(seed), names_object=False, category="", **two)
        reworded = reword(folder, 50, seed, (), always)
        found = rows(folder)
        assert len({row["block_id"] for row in found}) == 2
        assert len({(row["question"], row["wording"], *(one["text"] for one in row["choices"])) for row in found}) == 1
        seen.add(reworded)
    assert seen == {0, 6}


NAMES = st.text(min_size=1, max_size=12)


def blocks() -> st.SearchStrategy[Row]:
    """Changes that make a block of any type, about things of any name."""

    def of(kind: str, names: list[str], parts: list[str], named: bool, referent: str) -> Row:
        named = named and kind not in TWO_TURNS
        offered = ObjectQuestion((names[0], *names[1:3]), True, True)
        return {
            "question_type": kind,
            "names_object": named,
            "category": names[0] if named else "",
            "contrasts": tuple(names[1 : 1 + CONTRASTS.get(kind, 0)]),
            "lists": [parts[:1], parts[1:], parts],
            "referent": referent,
            "object_question": offered if kind in TWO_TURNS else None,
        }

    # What reads alike once it is written can't be told apart in a text, and no block offers it.
    distinct = st.lists(NAMES, min_size=3, max_size=5, unique_by=plain)
    several = st.lists(NAMES, min_size=2, max_size=5, unique_by=plain)
    return st.builds(of, st.sampled_from(TYPES), distinct, several, st.booleans(), st.sampled_from(("unique", "box")))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(blocks())
def test_whatever_things_are_called_spans_spell_their_phrases(
    tmp_path_factory: pytest.TempPathFactory, block: Row
) -> None:
    if block["object_question"] is not None:
        block["category"] = ""
        block["object_question"] = ObjectQuestion(("car", "bus", "dog"), True, True)
    folder = made(tmp_path_factory.mktemp("block"), **block)
    before = rows(folder)
    (one,) = originals(paths(folder)[0], 100, 0, Bank.standard())
    thing = definite(block["category"]) if block["names_object"] else "the object"
    where = " marked by a box in the image" if block["referent"] == "box" else " in the image"
    assert list(one.kept.values()) == [thing + where, *map(indefinite, block["contrasts"])]
    assert set(block["contrasts"]) <= set(one.names)
    assert not block["names_object"] or plain(block["category"]) in one.names
    assert reword(folder, 100, 0, (), always) == len(before)
    after = rows(folder)
    check_only_words_changed(before, after)
    check_blocks(after)
    for row in after:
        assert row["question"] == "Anew: " + " / ".join(reversed(list(one.kept.values())))
        for choice in row["choices"]:
            for span in choice["spans"]:
                assert choice["text"][span["start"] : span["end"]] == plain(span["part"])


def test_ids_that_begin_alike_in_two_files_are_two_texts(tmp_path: Path) -> None:
    made(tmp_path)
    path = paths(tmp_path)[0]
    path.rename(path.with_name("b.parquet"))
    made(tmp_path, category="bus")
    asked: list[Original] = []

    def words(some: Sequence[Original]) -> list[Proposed | None]:
        asked.extend(some)
        return always(some)

    assert reword(tmp_path, 100, 0, (), words) == 6
    assert len(asked) == 2
    assert {row["question"] for row in rows(tmp_path)} == {"Anew: the car in the image", "Anew: the bus in the image"}


def test_questions_that_a_proposal_worded_are_read_by_it(tmp_path: Path) -> None:
    """Which needs the templates that the questions were made with."""
    proposed = Proposed("call_a.1", "identification", "All parts of {object}, in full?", "{The_parts}.")
    folder = made(tmp_path)
    path = paths(folder)[0]
    table = pq.read_table(path, partitioning=None)
    for name, value in (
        ("question", "All parts of the car in the image, in full?"),
        ("wording", "identification/named/call_a.1"),
    ):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(name), pa.array([value] * len(table)))
    parquet.write(table, path, "questions")
    with pytest.raises(ValueError, match="no template"):
        reword(folder, 100, 0, (), always)
    assert reword(folder, 100, 0, [proposed], always) == 3
    assert {row["question"] for row in rows(folder)} == {"Anew: the car in the image"}


def test_a_text_that_its_template_did_not_word_is_no_guess(tmp_path: Path) -> None:
    folder = made(tmp_path)
    path = paths(folder)[0]
    table = pq.read_table(path, partitioning=None)
    at = table.schema.get_field_index("question")
    table = table.set_column(at, table.schema.field(at), pa.array(["What?"] * len(table)))
    parquet.write(table, path, "questions")
    with pytest.raises(ValueError, match="is not worded by the template"):
        reword(folder, 100, 0, (), always)
