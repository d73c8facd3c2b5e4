"""When answers are the same: against slow and plain oracles, and the examples of docs/evaluation.md."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model.evaluation.general import normalizing
from tests.docs.pages import DOCS

PAGE = (DOCS / "evaluation.md").read_text(encoding="utf-8")
WORDS = [
    "No",
    "no",
    "not",
    "NO",
    "yes",
    "Yes",
    "dog",
    "no.",
    "a",
    "The",
    "an",
    "ten",
    "none",
    "dont",
    "she's",
    "3.5",
    "1,000",
]
texts = st.lists(
    st.sampled_from([*WORDS, ",", ".", "?", "!", " ", "-", "/", "\n", "\t", "'", "`", "co-op", "Éa"]), max_size=9
)
said = texts.map("".join) | texts.map(" ".join) | st.text(max_size=12)


def table(header: str) -> list[dict[str, str]]:
    lines = re.search(rf"^\| {re.escape(header)}.*?(?=\n\n)", PAGE, re.MULTILINE | re.DOTALL)
    assert lines, header
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[0].split("\n")]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


@given(said)
@example("It has no, not one. Yes")
@example("yes.no")
def test_pope_takes_what_has_no_or_not_in_its_first_sentence_for_no(answer: str) -> None:
    first, found = "", "yes"
    for sign in answer:
        if sign == ".":
            break
        first += sign if sign != "," else ""
    word = ""
    for sign in first + " ":
        if sign != " ":
            word += sign
            continue
        if word == "No" or word == "no" or word == "not":
            found = "no"
        word = ""
    assert normalizing.pope(answer) == found


def test_whether_it_says_yes_or_no_at_all_is_seen_in_any_case() -> None:
    assert all(normalizing.says_either(one) for one in ("Yes", "YES, it is.", "there is NOT one", "no"))
    assert not any(normalizing.says_either(one) for one in ("", "A dog.", "A dog. Yes.", "nothing", "yesterday"))


def slowly(answer: str) -> str:
    """The answer processing of the VQA challenge, a sign at a time."""
    text = answer.lower()
    for before, after in ((",", ""), ("?", ""), ("'s", " 's")):
        text = after.join(text.split(before))
    text = text.strip()
    text = "".join(" " if sign in "\n\t" else sign for sign in text).strip()
    out = text
    for sign in [
        ";",
        "/",
        "[",
        "]",
        '"',
        "{",
        "}",
        "(",
        ")",
        "=",
        "+",
        "\\",
        "_",
        "-",
        ">",
        "<",
        "@",
        "`",
        ",",
        "?",
        "!",
    ]:
        beside = any(text[place : place + 2] in (sign + " ", " " + sign) for place in range(len(text)))
        out = "".join(("" if beside else " ") if one == sign else one for one in out)
    kept, stops = "", 0
    for place, one in enumerate(out):
        before_digit = re.match(r"\d", out[place + 1 : place + 2])
        if one == "." and not before_digit and stops < 32:
            stops += 1
        else:
            kept += one
    words = []
    for word in kept.lower().split():
        digits = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
        word = str(digits.index(word)) if word in digits else "0" if word == "none" else word
        if word not in ("a", "an", "the"):
            words.append(normalizing.CONTRACTIONS.get(word, word))
    return " ".join(words)


@given(said)
@example("..." * 20)
@example("U.S.A. 3.5")
def test_textvqa_answers_are_compared_as_the_server_does(answer: str) -> None:
    assert normalizing.textvqa(answer) == slowly(answer)


def test_a_contraction_without_one_of_its_apostrophes_is_the_same() -> None:
    for wrong, right in {
        "dont": "don't", "twas": "'twas", "couldntve": "couldntve", "couldnt've": "couldn't've", "couldn'tve": "couldn't've",
        "yall'd've": "y'all'd've", "oclock": "o'clock", "somebody'd": "somebodyd",
    }.items():  # fmt: skip
        assert normalizing.textvqa(wrong) == right
    # The server parts `'s` off first, so that it finds these only where it compares words alone.
    assert {normalizing.CONTRACTIONS[one] for one in ("ow's'at", "'ows'at", "'ow'sat")} == {"'ow's'at"}
    assert len(normalizing.CONTRACTIONS) == 114


people = st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=10, max_size=10)


@given(people, st.sampled_from(["a", "b", "c", "d", "e"]))
def test_soft_accuracy_is_the_mean_over_people_left_out(answers: list[str], answer: str) -> None:
    marks = []
    for left in range(10):
        others = [one for place, one in enumerate(answers) if place != left]
        marks.append(min(1.0, sum(one == answer for one in others) / 3))
    assert normalizing.soft_accuracy(answer, answers) == pytest.approx(sum(marks) / 10)


@pytest.mark.parametrize("row", table("said | compared as"), ids=lambda row: str(row["said"]))
def test_the_answers_of_the_page_get_the_marks_that_it_says(row: dict[str, str]) -> None:
    found = re.search(r"three people say `(.*?)`, two `(.*?)`, one `(.*?)`,\s+and four `(.*?)`", PAGE)
    assert found
    people = [
        normalizing.textvqa(one) for one, times in zip(found.groups(), (3, 2, 1, 4), strict=True) for _ in range(times)
    ]
    assert normalizing.textvqa(row["said"]) == row["compared as"]
    assert normalizing.soft_accuracy(row["compared as"], people) == pytest.approx(float(Fraction(row["mark"])))


@pytest.mark.parametrize(
    ("answer", "true", "same"),
    [
        (" Left.", "left", True),
        ("left", "Left", True),
        ("to the left", "left", False),
        ("left..", "left", True),
        ("", "left", False),
    ],
)
def test_gqa_answers_are_equal_but_for_case_blanks_and_a_full_stop(answer: str, true: str, same: bool) -> None:
    assert (normalizing.gqa(answer) == normalizing.gqa(true)) is same
