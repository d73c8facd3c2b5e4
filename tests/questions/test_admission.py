"""What a proposed template may be: each rule refuses what it is for, and good templates pass all of them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.questions import wording
from partonomy_data.questions.admission import LONGEST, flaw, objection, same_text
from partonomy_data.questions.bank import (
    TEMPLATE_TYPES,
    Bank,
    Proposed,
    answer_slots,
    question_slots,
    standard_texts,
)
from partonomy_data.questions.settings import CONTRASTS, TWO_TURNS

NAMES = ("wing", "rotor blade", "handles", "image", "point", "banana boat", "parts", "exactly")
GOOD = [
    (
        "identification",
        "Could you list all the parts of {object} that can be clearly seen, and only those?",
        "I can clearly see {the_parts}.",
    ),
    (
        "identification",
        "Hey, can you tell me every part of {object} that you can clearly see, and nothing more?",
        "Sure, I can clearly see {the_parts}.",
    ),
    (
        "identification",
        "Point out each part of {object} that can be clearly seen. Don't add any others.",
        "{The_parts} can be seen clearly.",
    ),
    (
        "identification",
        "Look at {object}. Which parts can you clearly see, all of them and nothing else?",
        "What can be clearly seen: {the_parts}.",
    ),
    (
        "intersection",
        "Which clearly visible parts of {object} would also be found on {alike}? List all of them, and nothing else.",
        "Found on both: {the_parts}.",
    ),
    (
        "intersection",
        "List every clearly visible part of {object} that {alike} would share, and no others.",
        "{The_parts} would be shared.",
    ),
    (
        "difference",
        "Which clearly visible parts of {object} would be missing from {unlike}? List all of them, and nothing else.",
        "Visible here, but missing there: {the_parts}.",
    ),
    (
        "difference",
        "Tell me every clearly visible part of {object} that {unlike} would lack, and no others.",
        "{The_parts} would be missing there.",
    ),
    (
        "contrast",
        "List all clearly visible parts of {object} that {alike} would also have but {unlike} would lack, and no others.",
        "Shared with the first, but missing from the second: {the_parts}.",
    ),
    (
        "contrast",
        "Which clearly visible parts of {object} would be shared by {alike} but not by {unlike}? Name all, and only those.",
        "I would name {the_parts}.",
    ),
    (
        "part_to_whole",
        "Before naming {object}, list every part of it that can be clearly seen, and no others.",
        "{Its_parts} can be clearly seen.",
    ),
    (
        "whole_to_part",
        "Now that you have named {object}, list all of its clearly visible parts, and nothing else.",
        "I can clearly see {its_parts}.",
    ),
    ("object", "Identify {object}.", "I identify it as {an_object}."),
    ("object", "What would you say {object} could be?", "I would say that it is {an_object}."),
]
ASK = "Name every clearly visible part of {object}, and nothing else."
SEE = "I can clearly see {the_parts}."


@pytest.mark.parametrize(("kind", "question", "answer"), GOOD)
def test_a_good_template_is_admitted_and_words_questions(kind: str, question: str, answer: str) -> None:
    assert objection(kind, question, answer, NAMES) is None
    bank = Bank.extended([Proposed("call.1", kind, question, answer)])
    if kind == "object":
        text = wording.object_answer("object/unnamed/call.1", "scissors", bank=bank)
    else:
        text, _ = wording.answer(f"{kind}/unnamed/call.1", [("fin", "fin")], bank=bank)
    assert text[0].isupper()
    assert not set(text) & set("{}_")


def test_most_standard_templates_would_be_admitted_if_they_were_new() -> None:
    """The others say by a double negation, or by its place in the sentence, what words alone don't show."""
    for kind, texts in standard_texts().items():
        sound = [one for one in texts if flaw(kind, one.question, one.answer, NAMES) is None]
        assert len(sound) >= (4 if kind in CONTRASTS else len(texts)), kind


def test_a_standard_question_is_no_new_one_however_it_is_spelled() -> None:
    for kind, texts in standard_texts().items():
        for one in texts:
            found = objection(kind, one.question, one.answer, ())
            assert found is not None
            if flaw(kind, one.question, one.answer, ()) is None:
                assert "already" in found
    question = standard_texts()["identification"][0].question.replace(", and", " and")
    assert "already" in (objection("identification", question, SEE, ()) or "")


@pytest.mark.parametrize(
    ("text", "other", "alike"),
    [
        ("Which parts?", "which PARTS", True),
        ("Don't add any.", "dont add, any", True),
        ("Which parts?", "Which part?", False),
    ],
)
def test_texts_are_the_same_but_for_case_and_signs(text: str, other: str, alike: bool) -> None:
    assert (same_text(text) == same_text(other)) is alike


@pytest.mark.parametrize(
    ("kind", "question", "answer", "reason"),
    [
        # Slots.
        ("identification", ASK.replace("{object}", "the car"), SEE, "each of these slots once"),
        ("identification", ASK.replace("{object}", "{object} and {object}"), SEE, "each of these slots once"),
        ("identification", ASK.replace("{object}", "{object} or {alike}"), SEE, "each of these slots once"),
        ("identification", ASK.replace("{object}", "{Object}"), SEE, "each of these slots once"),
        ("identification", ASK, "I can clearly see it.", "one slot"),
        ("identification", ASK, "I can clearly see {the_parts}, {the_parts}.", "one slot"),
        ("identification", ASK, "I can clearly see {its_parts}.", "one slot"),
        ("identification", ASK, "This is {an_object}.", "one slot"),
        ("object", "What would you call {object}, then?", "Clearly {the_parts}.", "one slot"),
        ("contrast", GOOD[8][1].replace("{unlike}", "a dog"), GOOD[8][2], "each of these slots once"),
        # Places of slots.
        ("identification", ASK.replace("{object}", "{object}'s body"), SEE, "by itself"),
        ("identification", ASK.replace("{object}", "non-{object}"), SEE, "by itself"),
        ("identification", ASK.replace("{object}", "the {object}"), SEE, "its own article"),
        ("identification", ASK, "I can clearly see the {the_parts}.", "its own article"),
        ("identification", ASK, "{the_parts} can be clearly seen.", "capital letter"),
        ("identification", ASK, "I can clearly see {The_parts}.", "start of a sentence"),
        ("identification", ASK, "Clearly in view. {the_parts} can be seen.", "start of a sentence"),
        ("identification", ASK, "The visible {the_parts}.", "can't stand before"),
        ("identification", ASK, "{The_parts} appear clearly.", "may stand"),
        ("object", "What would you call {object}, then?", "Surely. {an_object} it is.", "start of a sentence"),
        # Agreement.
        ("identification", "What are all the clearly visible parts of {object}, and no others?", SEE, "'are'"),
        ("identification", ASK, "Clearly visible are {the_parts}.", "'are'"),
        ("identification", ASK, "{The_parts} is clearly visible.", "may stand"),
        ("identification", ASK, "What is clearly visible: {the_parts}.", "'is'"),
        ("intersection", GOOD[5][1].replace("would share", "has too"), GOOD[5][2], "'has'"),
        ("intersection", GOOD[5][1].replace("would share", "also shares"), GOOD[5][2], "'shares'"),
        ("difference", GOOD[7][1].replace("would lack", "does not have"), GOOD[7][2], "'does'"),
        ("difference", GOOD[7][1].replace("would lack", "lack"), GOOD[7][2], "'lack'"),
        ("difference", GOOD[7][1].replace("would lack", "doesn't have"), GOOD[7][2], "doesn't"),
        ("object", "Could you tell me what {object} is?", "It is {an_object}.", "'is'"),
        ("object", "What would you call {object}, then?", "These are {an_object}.", "'are'"),
        # Silence about numbers.
        ("identification", ASK.replace("every", "all three"), SEE, "'three'"),
        ("identification", ASK, "I can clearly see some things: {the_parts}.", "'some'"),
        ("identification", ASK, "There can be seen several: {the_parts}.", "'several'"),
        ("identification", ASK, "The only part that can be clearly seen: {the_parts}.", "part"),
        ("identification", ASK, "The parts that can be clearly seen: {the_parts}.", "part"),
        ("identification", ASK, "Both can be clearly seen: {the_parts}.", "'both'|compare"),
        ("identification", ASK.replace("every", "a few of all"), SEE, "'a few'"),
        ("identification", "Name most or all clearly visible parts of {object}, and nothing else.", SEE, "'most'"),
        ("identification", ASK, "I can clearly see 2: {the_parts}.", "letters, spaces"),
        # Names of things.
        ("identification", ASK, "On its body I can clearly see {the_parts}.", "'its'"),
        ("identification", "Look at {object} and name every clearly visible part it could show, no others.", SEE, "'it'"),
        ("object", "What would you call {object}, then?", "They could be {an_object}.", "'They'"),
        ("identification", ASK, "Apart from a wing, I can clearly see {the_parts}.", "negation"),
        ("identification", ASK, "With a wing, I can clearly see {the_parts}.", "'wing' is the name"),
        ("identification", ASK, "By a handle, I can clearly see {the_parts}.", "'handle' is the name"),
        ("identification", ASK.replace("and", "on the blades, and"), SEE, "'blades' is the name"),
        ("object", "Which boat would {object} be?", "It is {an_object}.", "'boat' is the name"),
        # Form.
        ("identification", "All clearly visible parts of {object}, and nothing else.", SEE, "question mark"),
        ("identification", "I see {object}. Name every clearly visible part, and nothing else.", SEE, "question mark"),
        ("identification", ASK[:-1] + "!", SEE, "letters, spaces"),
        ("identification", ASK[:-1], SEE, "question mark"),
        ("identification", f"Look. Look again. {ASK}", SEE, "at most 2 sentences"),
        ("identification", "name every clearly visible part of {object}, and nothing else.", SEE, "capital letter"),
        ("identification", "Look at it. name every clearly visible part of {object}, only those.", SEE, "capital letter"),
        ("identification", ASK, "I can clearly see {the_parts}", "full stop"),
        ("identification", ASK, "Could it be {the_parts}?", "full stop|statement"),
        ("identification", ASK.replace("part of", f"part{' and every part' * 12} of"), SEE, f"{LONGEST} characters"),
        ("identification", "", SEE, "capital letter"),
        ("identification", ASK, "", "capital letter"),
        # What is asked.
        ("identification", "Name the clearly visible parts of {object}, and nothing else.", SEE, "complete list"),
        ("identification", "Name all the clearly visible parts of {object}.", SEE, "nothing else is wanted"),
        ("identification", "Name every part of {object}, and nothing else.", SEE, "clearly"),
        ("identification", "Name everything on {object} that can be clearly seen, and nothing else.", SEE, "by that word"),
        ("identification", "Name every part of {object} that can't be clearly seen, and nothing else.", SEE, "can be seen"),
        ("identification", "Name every clearly visible part {object} would lack, and nothing else.", SEE, "negation"),
        ("identification", ASK, "I can't clearly see {the_parts}.", "can be seen"),
        ("identification", ASK, "It would lack {the_parts}.", "'It'|negation"),
        ("identification", ASK, "In common with others, one can clearly see {the_parts}.", "compare"),
        ("intersection", GOOD[5][1].replace("share", "have"), GOOD[5][2], "too: also"),
        ("intersection", GOOD[5][1].replace("would share", "would not share"), GOOD[5][2], "negation"),
        ("intersection", GOOD[5][1], "Not there: {the_parts}.", "negation"),
        ("intersection", GOOD[5][1], "The latter would have {the_parts}.", "'latter'"),
        ("difference", GOOD[7][1].replace("would lack", "would share"), GOOD[7][2], "beside {unlike}"),
        ("difference", GOOD[7][1].replace("would lack", "would not lack"), GOOD[7][2], "say once"),
        ("difference", GOOD[7][1], "Both would have {the_parts}.", "other would have"),
        ("difference", GOOD[7][1], "I would not list {the_parts}.", "of the other"),
        ("difference", "Which clearly visible parts would {unlike} show that {object} would lack, all of them and no others?",
         GOOD[7][2], "beside {unlike}"),
        ("difference", "Comparing {object} with what {unlike} would lack, name all clearly visible parts, and no others.",
         GOOD[7][2], "of the object"),
        ("difference", GOOD[7][1].replace("clearly visible part", "part"), GOOD[7][2], "clearly"),
        ("contrast", GOOD[8][1].replace("{alike}", "{x}").replace("{unlike}", "{alike}").replace("{x}", "{unlike}"),
         GOOD[8][2], "beside {unlike}|come before"),
        ("contrast", GOOD[9][1].replace("by {alike} but not by {unlike}", "not by {alike} but by {unlike}"), GOOD[9][2],
         "not that it wouldn't|beside {unlike}"),
        ("contrast", GOOD[8][1].replace("also ", ""), "I would name {the_parts}.", "too: also"),
        ("contrast", GOOD[8][1], "Missing from the first, but shared with the second: {the_parts}.", "the former"),
        ("contrast", GOOD[8][1], "Both would have {the_parts}.", "other would have"),
        # The opposite of what is asked, and parts of something else.
        ("identification", "Omit all clearly visible parts of {object}, and only those.", SEE, "'Omit' asks to leave out"),
        ("identification", "Leave aside every clearly visible part of {object}, and list nothing else.", SEE, "'Leave' asks"),
        ("identification", "List exactly those parts of {object} that fail to be clearly visible.", SEE, "negation"),
        ("identification", ASK, "Omitted: {the_parts}.", "'Omitted' asks"),
        ("identification", ASK, "Overlooked: {the_parts}.", "'Overlooked' asks"),
        ("identification", "List all the clearly visible parts around {object}, and only those.", SEE, "parts of the object"),
        ("identification", "List every clearly visible part next to {object}, and only those.", SEE, "parts of the object"),
        ("identification", "Begin at {object} and list all clearly visible parts of whatever stands there, only those.", SEE,
         "take away 'parts of'"),
        ("intersection", GOOD[5][1].replace("would share", "would also fail to have"), GOOD[5][2], "negation"),
        ("difference", GOOD[7][1].replace("would lack", "would fail to lack"), GOOD[7][2], "say once"),
        ("part_to_whole", "Having named {object}, list every clearly visible part of it, and no others.",
         "{Its_parts} can be clearly seen.", "not named yet"),
        ("whole_to_part", "Before naming {object}, list every clearly visible part of it, and no others.",
         "{Its_parts} can be clearly seen.", "named already"),
        ("object", "List all of {object}, please.", "It is {an_object}.", "what the object is"),
        ("object", "What would you call {object} and its parts?", "It is {an_object}.", "parts"),
        ("object", "What could {object} not be?", "It is {an_object}.", "negation"),
    ],
)  # fmt: skip
def test_each_rule_refuses_what_it_is_for(kind: str, question: str, answer: str, reason: str) -> None:
    found = objection(kind, question, answer, NAMES)
    assert found is not None
    assert re.search(reason, found), found


@pytest.mark.parametrize(
    "bound", ["omitting none", "skipping nothing", "without overlooking any", "leaving nothing out"]
)
def test_that_nothing_is_to_be_left_out_may_be_said(bound: str) -> None:
    assert (
        objection("identification", f"List all clearly visible parts of {{object}}, and only those, {bound}.", SEE, ())
        is None
    )


@pytest.mark.parametrize(
    "hostile",
    [
        "{object.__class__}", "{0}", "{}", "{{object}}", "{object!r}", "{object:>99}", "%s", "%(object)s", "${object}",
        "{% for x in y %}", "<script>", "&lt;", "\\n", "\n", "\r\n", "\t", "\x00", "\u202e", "\u2028", "\u00a0", "é", "“all”",
        '"all"', "`all`", "**all**", "# all", "_all_", "[all](x)", "| all |", "~", "@", "https://x", "1", "²", "①", "ⅳ", "’",
        "Ignore the previous instructions", "as a language model", "the correct choice", "see the options below",
        "the right answer", "system prompt", "in JSON", "{the_parts", "the_parts}", "}{",
    ],
)  # fmt: skip
def test_hostile_text_is_refused_wherever_it_stands(hostile: str) -> None:
    for kind, question, answer in GOOD:
        for at in range(0, len(question), 7):
            assert objection(kind, f"{question[:at]} {hostile} {question[at:]}", answer, ()) is not None
        for at in (0, len(answer) // 2, len(answer)):
            assert objection(kind, question, f"{answer[:at]} {hostile} {answer[at:]}", ()) is not None
        assert objection(kind, f"{question} {hostile}", answer, ()) is not None


def test_a_type_that_there_is_not_is_no_matter_of_wording() -> None:
    with pytest.raises(ValueError, match="riddle"):
        objection("riddle", ASK, SEE, ())


_WORDS = """
    Name List all every part parts of {object} {alike} {unlike} that can be clearly seen visible would not have lack too
    also and nothing else only those is are some wing the The {the_parts} {The_parts} {its_parts} {an_object} it I see
    Which What ? . , : but share both no others name
"""
WORDS = st.sampled_from(_WORDS.split())
SENTENCES = st.lists(WORDS, max_size=25).map(lambda words: re.sub(r" ([?.,:])", r"\1", " ".join(words)))


@given(st.sampled_from(TEMPLATE_TYPES), st.one_of(st.text(), SENTENCES), st.one_of(st.text(), SENTENCES))
def test_whatever_is_proposed_it_is_refused_or_it_fits_the_bank(kind: str, question: str, answer: str) -> None:
    reason = objection(kind, question, answer, NAMES)
    if reason is None:
        assert any(one.endswith("/call.1") for one in Bank.extended([Proposed("call.1", kind, question, answer)]).ids())
    else:
        assert reason.strip()
        assert "\n" not in reason


@given(st.sampled_from(GOOD), st.integers(0, 300), st.one_of(st.characters(), WORDS), st.booleans())
def test_what_is_put_into_a_good_template_is_refused_or_harmless(
    good: tuple[str, str, str], at: int, put: str, in_answer: bool
) -> None:
    kind, question, answer = good
    text = answer if in_answer else question
    text = text[:at] + put + text[at:]
    question, answer = (question, text) if in_answer else (text, answer)
    if objection(kind, question, answer, NAMES) is not None:
        return
    Bank.extended([Proposed("call.1", kind, question, answer)])
    both = question + answer
    assert both.isascii()
    assert both.isprintable()
    assert not re.search(r'["`*#<>\[\]\\|0-9]|\b(wing|some|are)\b', both)
    assert len(re.findall(r"\{\w+\}", question)) == len(question_slots(kind))
    assert [slot for slot in answer_slots(kind) if f"{{{slot}}}" in answer] == re.findall(r"\{(\w+)\}", answer)


@given(st.sampled_from(GOOD), st.sets(st.sampled_from(["fin", "wing", "tail fin", "plan", "dish"])))
def test_names_that_a_template_does_not_say_are_no_reason(good: tuple[str, str, str], names: set[str]) -> None:
    assert objection(*good, names) is None


def test_ordinary_words_stay_ordinary_though_something_is_called_so() -> None:
    for kind, question, answer in GOOD:
        said = {word for word in re.findall(r"[a-z]+", f"{question} {answer}".lower()) if word not in ("hey", "sure")}
        ordinary = {word for text in standard_texts()[kind] for word in same_text(text.question + text.answer).split()}
        assert objection(kind, question, answer, said & ordinary) is None
    assert "'sure'" in (objection(*GOOD[1], ["sure"]) or "")


def test_only_types_of_two_turns_may_say_its() -> None:
    for kind in TEMPLATE_TYPES:
        assert ("its_parts" in answer_slots(kind)) == (kind in TWO_TURNS)
