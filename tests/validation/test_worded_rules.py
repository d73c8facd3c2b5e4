"""Texts that a language model worded: taken back to their templates, and told where these ask for something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from partonomy_data.questions import keyed
from partonomy_data.questions.bank import cut
from partonomy_data.questions.nouns import definite, indefinite
from partonomy_data.questions.wording import PLACES, filled, listed
from partonomy_data.validation.rules import worded as module
from tests.validation.asking import alone, compared_with, set_values
from tests.validation.damage import first
from tests.validation.staged import Once, Row, Staged, two_sources_in_few_files

ASK = "Could you list each clearly visible part of {object} that {unlike} would lack, and nothing else?"
SAID = "Lacking there: {the_parts}."


@pytest.fixture
def staged(once: Once, tmp_path: Path) -> Staged:
    return Staged.of(two_sources_in_few_files(once), tmp_path)


def reworded(folder: Path, row: Row, question: str, answer: str, name: str) -> dict[str, Any]:
    """A question's columns in the words of a template, which is called `name`."""
    template = cut(row["question_type"], question, answer)
    own = first(folder, "objects", object_id=row["object_id"])["object_category"]
    thing = (definite(own) if row["names_object"] else "the object") + PLACES[row["referent"] == "box"]
    choices = []
    for choice in row["choices"]:
        text, spans = listed(template.answer, [(part, part) for part in choice["parts"]])
        new = [{"start": start, "end": end, "part": part} for start, end, part in spans]
        choices.append(choice | {"text": text, "spans": new})
    return {
        "question": filled(template.question, {"object": thing, "unlike": indefinite(compared_with(row))}),
        "choices": choices,
        "wording": f"{row['question_type']}/{'named' if row['names_object'] else 'unnamed'}/{name}",
    }


def told(staged: Staged) -> dict[str, set[str]]:
    return {rule: set(rows) for (_, rule), rows in staged.found({"questions": module.CHECKS}).items()}


def of_paraphrase(question: str, answer: str) -> str:
    return f"call_1.p{keyed.hexdigest(question, answer, size=4)}"


@pytest.mark.parametrize("name", [of_paraphrase(ASK, SAID), "call_1.plain-2"], ids=["paraphrase", "template"])
def test_what_a_language_model_worded_is_as_good_as_any_but_for_its_call(staged: Staged, name: str) -> None:
    row = alone(staged.folder, question_type="difference")
    set_values(staged.folder, row, **reworded(staged.folder, row, ASK, SAID, name))
    assert told(staged) == {"wording_known": {row["question_id"]}}  # no call of this name is in `llm_calls`


@pytest.mark.parametrize("name", [of_paraphrase(ASK, SAID), "call_1.plain-2"], ids=["paraphrase", "template"])
@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (ASK.replace("would lack", "would also have"), SAID),
        (ASK.replace("clearly visible part of {object} that", "part around {object} that"), SAID),
        (ASK, "Found there too: {the_parts}."),
    ],
)
def test_a_text_that_asks_for_something_else_is_told(staged: Staged, name: str, question: str, answer: str) -> None:
    row = alone(staged.folder, question_type="difference")
    set_values(staged.folder, row, **reworded(staged.folder, row, question, answer, name))
    assert told(staged)["worded_by_template"] == {row["question_id"]}


def test_a_paraphrase_that_says_something_else_of_the_same_is_told(staged: Staged) -> None:
    row = alone(staged.folder, question_type="difference")
    new = reworded(staged.folder, row, ASK, SAID, of_paraphrase(ASK, "There one would not find {the_parts}."))
    set_values(staged.folder, row, **new)
    assert told(staged)["worded_by_template"] == {row["question_id"]}


def test_a_choice_that_reads_otherwise_than_its_template_is_told(staged: Staged) -> None:
    row = alone(staged.folder)
    choices = [choice | {"text": f"{choice['text'][:-1]}, perhaps."} for choice in row["choices"]]
    set_values(staged.folder, row, choices=choices)
    assert told(staged) == {"worded_by_template": {row["question_id"]}}
