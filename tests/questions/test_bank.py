"""The bank of templates: what proposals add to it, what they leave as it was, and that questions follow it."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import partonomy_data
from partonomy_data.pipeline.workers import InProcess
from partonomy_data.questions import QuestionSettings, generate, keyed, wording
from partonomy_data.questions.admission import objection
from partonomy_data.questions.bank import LISTINGS, Bank, Proposed, question_slots, standard_texts
from partonomy_data.questions.settings import CONTRASTS, TWO_TURNS, TYPES
from partonomy_data.questions.stage import Generated

PROPOSED = (
    Proposed(
        "call_b.1",
        "identification",
        "Please point out every clearly visible part of {object}, and nothing else.",
        "Clearly in view: {the_parts}.",
    ),
    Proposed(
        "call_a.2",
        "identification",
        "Could you give all parts of {object} that can be clearly seen, and only those?",
        "{The_parts} could be clearly seen.",
    ),
    Proposed(
        "call_a.1",
        "contrast",
        "Which clearly visible parts of {object} would {alike} share, but {unlike} lack? Give all of them, and no others.",
        "I would give {the_parts}.",
    ),
    Proposed(
        "call_a.3",
        "whole_to_part",
        "Now give all clearly visible parts of {object}, and only those.",
        "{Its_parts} can be clearly made out.",
    ),
    Proposed("call_a.4", "object", "Could you name {object}?", "I would say that it is {an_object}."),
)
MODES = [(kind, named) for kind in TYPES for named in (True, False) if not (named and kind in TWO_TURNS)]
Row = dict[str, Any]


def asked(bank: Bank | None, kind: str, named: bool, key: str) -> tuple[str, str]:
    return wording.question(kind, named, "car", ("bus", "dog")[: CONTRASTS.get(kind, 0)], key, bank=bank)


def test_these_proposals_are_admissible() -> None:
    for one in PROPOSED:
        assert objection(one.question_type, one.question, one.answer, ()) is None, one


def test_without_proposals_the_bank_is_the_standard_one_word_for_word() -> None:
    assert Bank.extended(()).ids() == Bank.standard().ids() == wording.template_ids()
    for kind, named in MODES:
        for i in range(200):
            assert asked(Bank.extended(()), kind, named, f"qst_{i}") == asked(None, kind, named, f"qst_{i}")


def test_the_ids_of_proposals_follow_the_standard_ones_of_their_type_in_both_turns() -> None:
    ids = Bank.extended(PROPOSED).ids()
    own = {turn: [one for one in ids if one.startswith(f"identification/{turn}/")] for turn in ("named", "unnamed")}
    n = len(standard_texts()["identification"])
    for turn, found in own.items():
        numbers = [f"identification/{turn}/{i}" for i in range(n)]
        assert found == [*numbers, f"identification/{turn}/call_a.2", f"identification/{turn}/call_b.1"]
    assert ids[-1] == "object/unnamed/call_a.4"
    assert [one for one in ids if "whole_to_part" in one][-1] == "whole_to_part/unnamed/call_a.3"
    assert set(ids) - set(Bank.standard().ids()) == {
        "identification/named/call_a.2",
        "identification/named/call_b.1",
        "identification/unnamed/call_a.2",
        "identification/unnamed/call_b.1",
        "contrast/named/call_a.1",
        "contrast/unnamed/call_a.1",
        "whole_to_part/unnamed/call_a.3",
        "object/unnamed/call_a.4",
    }


@given(st.permutations(PROPOSED), st.text())
def test_the_order_of_the_proposals_does_not_matter(proposed: list[Proposed], key: str) -> None:
    for kind, named in MODES:
        assert asked(Bank.extended(proposed), kind, named, key) == asked(Bank.extended(PROPOSED), kind, named, key)


@given(st.sampled_from(MODES), st.text())
def test_a_key_takes_a_template_by_its_number_alone(mode: tuple[str, bool], key: str) -> None:
    """The rule as published: the key's number modulo the number of templates."""
    kind, named = mode
    for bank in (Bank.standard(), Bank.extended(PROPOSED)):
        ids = [one for one in bank.ids() if one.startswith(f"{kind}/{'named' if named else 'unnamed'}/")]
        assert asked(bank, kind, named, key)[1] == ids[keyed.number("wording", kind, key) % len(ids)]


def test_types_without_proposals_keep_every_question() -> None:
    bank = Bank.extended(PROPOSED)
    for kind, named in MODES:
        same = all(asked(bank, kind, named, f"qst_{i}") == asked(None, kind, named, f"qst_{i}") for i in range(300))
        assert same == (kind in ("intersection", "difference", "part_to_whole"))


def test_proposals_word_their_share_of_questions_and_answers() -> None:
    bank = Bank.extended(PROPOSED)
    taken = Counter(asked(bank, "identification", True, f"qst_{i}") for i in range(3000))
    texts = {found: text for text, found in taken}
    assert texts["identification/named/call_b.1"] == (
        "Please point out every clearly visible part of the car in the image, and nothing else."
    )
    assert all(200 < n < 400 for n in taken.values())
    text, spans = wording.answer("identification/unnamed/call_a.2", [("fin", "fin"), ("ear", "ear")], bank=bank)
    assert text == "The fin and the ear could be clearly seen."
    assert spans == [(4, 7, "fin"), (16, 19, "ear")]
    assert wording.object_answer("object/unnamed/call_a.4", "scissors", bank=bank) == (
        "I would say that it is a pair of scissors."
    )
    assert "Could you name the object in the image?" in {
        wording.object_question(f"qst_{i}", bank=bank)[0] for i in range(100)
    }


@pytest.mark.parametrize(
    "proposed",
    [
        [Proposed("call_a.1", "riddle", "What has {object}?", "{The_parts}.")],
        [Proposed("a/b", "identification", "All of {object}?", "{The_parts}.")],
        [Proposed("3", "identification", "All of {object}?", "{The_parts}.")],
        [Proposed("", "identification", "All of {object}?", "{The_parts}.")],
        [Proposed("a\n", "identification", "All of {object}?", "{The_parts}.")],
        [Proposed("a", "identification", "All?", "{The_parts}.")],
        [Proposed("a", "identification", "All of {object} and {object}?", "{The_parts}.")],
        [Proposed("a", "identification", "All of {object}?", "{Its_parts}.")],
        [Proposed("a", "identification", "All of {object}?", "The parts.")],
        [Proposed("a", "object", "What is {object}?", "{The_parts}.")],
        [PROPOSED[0], PROPOSED[0]],
    ],
)
def test_what_is_no_template_never_gets_into_a_bank(proposed: list[Proposed]) -> None:
    with pytest.raises(ValueError, match=r"template|slot"):
        Bank.extended(proposed)


def test_a_proposal_of_one_bank_is_unknown_to_the_others() -> None:
    with pytest.raises(ValueError, match="no template for parts"):
        wording.answer("identification/named/call_b.1", [("fin", "fin")])


def test_the_slots_of_a_type_are_those_of_its_standard_templates() -> None:
    for kind, texts in standard_texts().items():
        for one in texts:
            assert sorted(slot for slot in question_slots(kind) if f"{{{slot}}}" in one.question) == sorted(
                question_slots(kind)
            )
    assert all(one.opening.lower().startswith(slot[:3].lower()) for slot, one in LISTINGS.items())


@pytest.fixture
def tables(demo_store: Path) -> Path:
    """The folder of a version's tables."""
    with partonomy_data.open(demo_store) as store:
        return store.folder


def _made(tables: Path, folder: Path, templates: tuple[Proposed, ...], executor: object | None = None) -> Generated:
    return generate(
        tables,
        folder / "made",
        QuestionSettings(),
        work=folder / "work",
        executor=executor or InProcess(),
        templates=templates,
    )


def _rows(folder: Path) -> dict[str, Row]:
    rows = pq.read_table(folder / "questions", partitioning=None).to_pylist()
    return {row["question_id"]: row for row in rows}


@pytest.fixture(scope="module")
def proposed(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Generated]:
    """The folder in which questions were made once with PROPOSED, in one process, and what that came to."""
    folder = tmp_path_factory.mktemp("proposed")
    with partonomy_data.open(demo_store) as store:
        return folder, _made(store.folder, folder, PROPOSED)


def test_proposals_change_the_words_of_questions_and_nothing_else(
    tables: Path, proposed: tuple[Path, Generated]
) -> None:
    folder, _ = proposed
    plain, more = _rows(tables), _rows(folder / "made")
    assert list(plain) == list(more)
    worded = Counter(row["wording"].rpartition("/")[2] for row in more.values())
    assert worded["call_a.1"] > 0
    assert worded["call_a.2"] > 0
    assert worded["call_b.1"] > 0
    in_words = {"question", "choices", "wording", "object_question", "object_choices"}
    for question_id, row in more.items():
        before = plain[question_id]
        assert {name for name in row if row[name] != before[name]} <= in_words
        assert [one["parts"] for one in row["choices"]] == [one["parts"] for one in before["choices"]]
        for choice in row["choices"]:
            for span, part in zip(choice["spans"], choice["parts"], strict=True):
                assert span["part"] == part
                assert choice["text"][span["start"] : span["end"]]
    masks = [
        [p.read_bytes() for p in sorted((one / "question_masks").rglob("*.parquet"))]
        for one in (tables, folder / "made")
    ]
    assert masks[0] == masks[1]


def test_shards_are_made_again_for_other_templates_and_not_for_the_same(
    tables: Path, proposed: tuple[Path, Generated], tmp_path: Path
) -> None:
    folder, first = proposed
    shutil.copytree(folder / "work", tmp_path / "work", copy_function=os.link)
    kept = {p.name: p.stat().st_ino for p in (tmp_path / "work" / "shards").iterdir()}
    again = _made(tables, tmp_path, tuple(reversed(PROPOSED)))
    assert replace(again, files=[]) == replace(first, files=[])
    assert [path.relative_to(tmp_path) for path in again.files] == [path.relative_to(folder) for path in first.files]
    assert {p.name: p.stat().st_ino for p in (tmp_path / "work" / "shards").iterdir()} == kept
    plain = _made(tables, tmp_path, ())
    assert {one.key for one in plain.shards}.isdisjoint(one.key for one in first.shards)


def test_several_processes_word_questions_alike(tables: Path, proposed: tuple[Path, Generated], tmp_path: Path) -> None:
    with ProcessPoolExecutor(2) as executor:
        _made(tables, tmp_path, PROPOSED, executor)
    assert _rows(tmp_path / "made") == _rows(proposed[0] / "made")
