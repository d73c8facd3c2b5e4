"""An answer in words is the choice that the page says; with letters, the one that the export for lmms-eval takes it for."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model.evaluation import measuring
from model.evaluation.naming import named
from partonomy_data.export.lmms_eval_task import utils
from tests.docs.pages import DOCS

CHOICES = ["A hull.", "A hull and a sail.", "A hull, a sail and a mast."]
PAGE = (DOCS / "evaluation.md").read_text(encoding="utf-8")
WORKED = re.search(r"^\| written \| taken for \|\n\|---\|---\|\n(.*?)\n\n", PAGE, re.MULTILINE | re.DOTALL)
assert WORKED
ROWS = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in WORKED[1].split("\n")]


def prediction(text: str | None, conditioning: str = "predicted") -> int | None:
    """Which choice the metrics take it for."""
    nothing = dict.fromkeys(("scores", "lengths", "choice", "object_choice", "spans", "masks"))
    row = {"question_id": "a", "choices": [{"text": one} for one in CHOICES], "text": text, **nothing}
    return measuring._prediction(row, conditioning).generated


@pytest.mark.parametrize(("written", "taken"), ROWS)
def test_what_the_page_says_is_parsed_is_what_is_measured(written: str, taken: str) -> None:
    assert len(ROWS) == 6
    place = prediction(written.replace("↵", "\n"))
    assert ("none" if place is None else CHOICES[place]) == taken


@pytest.mark.parametrize("text", CHOICES)
def test_a_choice_is_named_by_its_words_whatever_stands_around_them(text: str) -> None:
    place = CHOICES.index(text)
    for said in (
        text,
        text.rstrip("."),
        text.lower(),
        text.upper(),
        f"  {text}\n",
        f'"{text}"',
        text.replace(" ", "  "),
    ):
        assert prediction(said) == place
    assert prediction(text, "oracle") is None
    assert prediction(None) is prediction("") is None


PIECES = st.sampled_from(
    ["A", "b", "C", "D", "(B)", "A.", "B)", "Answer:", "the answer is", "</think>", "\\boxed{", "}", "\n", "**", "or", "hull",
     "A hull", "a sail and a mast", *CHOICES, *(one.lower() for one in CHOICES)]
)  # fmt: skip
SAID = st.one_of(st.text(), st.lists(PIECES, max_size=6).map(" ".join), st.lists(PIECES, max_size=6).map("".join))


@given(SAID, st.lists(st.one_of(st.sampled_from(CHOICES), st.text()), min_size=1, max_size=30))
@example("A. A hull.\nB. A hull and a sail.", CHOICES)
@example("B. A hull.", CHOICES)
@example("", ["", "."])
def test_with_letters_it_is_what_the_export_has(said: str, choices: list[str]) -> None:
    place = named(said, choices, letters=True)
    assert place == utils.named(said, choices)
    by_text = named(said, choices, letters=False)
    assert by_text is None or 0 <= by_text < len(choices)
