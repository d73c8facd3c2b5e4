"""Wording: spans that spell their phrases whatever the names hold, grammar, and silence about the number of parts."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.questions import wording
from partonomy_data.questions.nouns import indefinite, plain
from partonomy_data.questions.settings import CONTRASTS, TWO_TURNS, TYPES

HOSTILE = [
    "{part}", "{object}", "{the_parts}", "{{x}}", "{0.__class__}", "%s", "%(part)s", "$part", "{% raw %}", "\\1", "\\g<0>",
    '"wing"', "'", "wing, and tail", "the ", "a\nb", "tab\tbed", "nul\x00l", "جناح", "\u202eabc", "x" * 300, "", " ",
    "🛩️", "e\u0301", "in the image",
]  # fmt: skip
NAMES = st.one_of(st.text(st.characters()), st.sampled_from(HOSTILE), st.sampled_from(["car", "wing", "scissors"]))
PHRASES = st.lists(st.tuples(NAMES, st.text()), min_size=1, max_size=20)

MODES = [(kind, named) for kind in TYPES for named in (True, False) if not (named and kind in TWO_TURNS)]
IDS = wording.template_ids()
PART_IDS = [one for one in IDS if not one.startswith("object/")]
OBJECT_IDS = [one for one in IDS if one.startswith("object/")]
KEYS = [f"qst_{i}" for i in range(400)]


def ask(
    kind: str, named: bool, key: str, name: str = "car", others: tuple[str, str] = ("bus", "dog")
) -> tuple[str, str]:
    return wording.question(kind, named, name, others[: CONTRASTS.get(kind, 0)], key)


def asked(kind: str, named: bool, name: str = "car", others: tuple[str, str] = ("bus", "dog")) -> dict[str, str]:
    """Every template of a kind of question: its id → its text."""
    return {found: text for key in KEYS for text, found in [ask(kind, named, key, name, others)]}


def test_the_types_are_those_that_may_be_asked_for() -> None:
    assert tuple(wording.QUESTION_SLOTS) == TYPES
    assert {kind: len(slots) - 1 for kind, slots in wording.QUESTION_SLOTS.items() if len(slots) > 1} == CONTRASTS


def test_every_kind_of_question_has_at_least_five_templates_and_keys_reach_all_of_them() -> None:
    counts = Counter(one.rpartition("/")[0] for one in IDS)
    names = {f"{kind}/{'named' if named else 'unnamed'}" for kind, named in MODES}
    assert counts.keys() == {*names, "object/unnamed"}
    assert min(counts.values()) >= 5
    for kind, named in MODES:
        name = f"{kind}/{'named' if named else 'unnamed'}"
        assert len(asked(kind, named)) == counts[name]
        assert len(set(asked(kind, named).values())) == counts[name]
    assert {found for key in KEYS for _, found in [wording.object_question(key)]} == set(OBJECT_IDS)


def test_a_key_takes_all_templates_about_equally_often() -> None:
    for kind, named in MODES:
        taken = Counter(ask(kind, named, f"{kind}{i}")[1] for i in range(4000))
        share = 4000 / len(taken)
        assert all(0.8 * share < count < 1.2 * share for count in taken.values()), kind


def test_equal_keys_get_equal_text_in_any_process() -> None:
    code = (
        "from partonomy_data.questions import wording\n"
        "print([wording.question('contrast', True, 'car', ['bus', 'dog'], f'qst_{i}') for i in range(20)])\n"
        "print([wording.object_question(f'qst_{i}') for i in range(20)])"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True, text=True
        ).stdout
        for seed in ("1", "2")
    }
    here = (
        [ask("contrast", True, f"qst_{i}") for i in range(20)],
        [wording.object_question(f"qst_{i}") for i in range(20)],
    )
    assert runs == {f"{here[0]}\n{here[1]}\n"}


@pytest.mark.parametrize(("kind", "named"), MODES)
def test_a_question_holds_each_of_its_names_once_and_no_slot(kind: str, named: bool) -> None:
    for text in asked(kind, named, "zebra", ("yacht", "unicycle")).values():
        others = ("yacht", "unicycle")[: CONTRASTS.get(kind, 0)]
        assert [text.count(name) for name in others] == [1] * len(others)
        assert text.count("a yacht") + text.count("a unicycle") == len(others)
        assert text.count("zebra") == text.count("the zebra in the image") == named
        assert text.count("the object in the image") == (not named)
        assert not set(text) & set("{}_")
        assert text[0].isupper()
        assert text[-1] in ".?"
        assert "  " not in text
        if len(others) == 2:
            assert text.index("yacht") < text.index("unicycle")


@pytest.mark.parametrize(("kind", "named"), MODES)
def test_a_question_asks_for_all_the_clearly_visible_parts_and_no_other(kind: str, named: bool) -> None:
    complete = r"\ball\b|\bevery\b|\b[Ee]xactly\b|\bcomplete\b"
    alone = (
        r"nothing else|nothing added|adding none|add nothing|only th[eo]se|no other|Exactly|exactly|none that|leave out"
    )
    for text in asked(kind, named).values():
        assert re.search(complete, text), text
        assert re.search(alone, text), text
        assert "clearly" in text


def test_no_text_tells_a_number_or_agrees_with_a_name_or_with_the_parts() -> None:
    number = r"some|several|(a )?few(er)?|many|multiple|various|numbers?|one|two|three|four|five|pair|couple|single"
    verbs = r"is|are|was|were|has|have|does|do|belongs?|remains?|makes"
    # "One can" is no number; "would … have", "you have" and "you were" agree with no name.
    allowed = r"One can|one can|would one|would [^,:;]*?\bhave\b|said to have|[Yy]ou (have|were)"
    texts = [text for kind, named in MODES for text in asked(kind, named, "", ("", "")).values()]
    texts += [wording.answer(one, [("zebra", "zebra")])[0] for one in PART_IDS]
    for text in texts:
        assert not re.search(rf"\b({number}|{verbs})\b", re.sub(allowed, "", text)), text


@pytest.mark.parametrize("wording_id", PART_IDS)
def test_the_frame_of_an_answer_is_the_same_for_one_part_and_for_twenty(wording_id: str) -> None:
    frames = set()
    for count in (1, 2, 20):
        text, spans = wording.answer(wording_id, [(f"zebra {i}", "p") for i in range(count)])
        frames.add((text[: spans[0][0]], text[spans[-1][1] :]))
    assert len(frames) == 1
    (before, after), *_ = frames
    assert before.split()[-1] in ("the", "The", "its", "Its")
    assert after.endswith(".")


def test_only_an_object_that_is_not_named_is_called_it() -> None:
    for one in PART_IDS:
        text, _ = wording.answer(one, [("zebra", "zebra")])
        assert bool(re.search(r"\b[Ii]ts?\b", text)) == (one.split("/")[0] in TWO_TURNS)
    for kind, named in MODES:
        if named:
            assert not any(re.search(r"\bits?\b", text) for text in asked(kind, named).values()), kind


@pytest.mark.parametrize(
    ("wording_id", "count", "expected"),
    [
        ("identification/named/0", 1, "One can clearly see the fin."),
        ("identification/named/0", 2, "One can clearly see the fin and the ear pads."),
        ("identification/named/0", 3, "One can clearly see the fin, the ear pads, and the water."),
        ("identification/unnamed/2", 3, "The fin, the ear pads, and the water can be clearly seen."),
        ("part_to_whole/unnamed/2", 1, "Its fin can be clearly seen."),
        ("part_to_whole/unnamed/2", 2, "Its fin and ear pads can be clearly seen."),
        ("part_to_whole/unnamed/2", 3, "Its fin, ear pads, and water can be clearly seen."),
    ],
)
def test_lists_read_as_english_does(wording_id: str, count: int, expected: str) -> None:
    text, _ = wording.answer(wording_id, [(part, part) for part in ("fin", "ear pads", "water")[:count]])
    assert text == expected


@given(st.sampled_from(PART_IDS), PHRASES)
def test_spans_spell_their_phrases_in_order_without_overlap(wording_id: str, phrases: list[tuple[str, str]]) -> None:
    text, spans = wording.answer(wording_id, phrases)
    assert [text[start:end] for start, end, _ in spans] == [plain(phrase) for phrase, _ in phrases]
    assert [part for _, _, part in spans] == [part for _, part in phrases]
    ends = [0, *(end for _, end, _ in spans)]
    assert all(start > before for (start, _, _), before in zip(spans, ends, strict=False))
    assert all(start < end for start, end, _ in spans)
    assert "\n" not in text
    assert "\r" not in text


@given(st.sampled_from(PART_IDS), PHRASES)
def test_an_answer_is_its_template_with_the_phrases_put_in_and_nothing_else(
    wording_id: str, phrases: list[tuple[str, str]]
) -> None:
    marks = [(chr(0xE000 + i), "p") for i in range(len(phrases))]  # private-use characters: no template has any
    text, _ = wording.answer(wording_id, marks)
    expected = "".join(plain(phrases[ord(ch) - 0xE000][0]) if 0xE000 <= ord(ch) < 0xF8FF else ch for ch in text)
    assert wording.answer(wording_id, phrases)[0] == expected


@given(NAMES, NAMES, NAMES, st.text(st.characters()))
def test_names_are_never_interpreted(name: str, alike: str, unlike: str, key: str) -> None:
    for kind, named in MODES:
        others = (alike, unlike)[: CONTRASTS.get(kind, 0)]
        text, found = wording.question(kind, named, name, others, key)
        plainly, same = wording.question(kind, named, "\ue000", ("\ue001", "\ue002")[: len(others)], key)
        assert found == same
        values = {"\ue000": plain(name)}
        plainly = plainly.replace("a \ue001", "\ue001").replace("a \ue002", "\ue002")
        values |= {mark: indefinite(other) for mark, other in zip("\ue001\ue002", others, strict=False)}
        assert text == "".join(values.get(ch, ch) for ch in plainly)
    question, found = wording.object_question(key)
    assert "the object in the image" in question
    assert wording.object_answer(found, name).endswith(f"{indefinite(name)}.")


def test_a_part_word_within_another_phrase_or_in_the_template_is_no_span() -> None:
    for one in PART_IDS:
        phrases = ["blade", "rotor blade", "image", "one", "part", "the"]
        text, spans = wording.answer(one, [(phrase, phrase) for phrase in phrases])
        assert len(spans) == 6
        assert text.count("blade") == 2
        blade, rotor = spans[:2]
        assert rotor[0] > blade[1]
        assert text[rotor[0] : rotor[1]] == "rotor blade"


def test_an_object_with_the_name_of_a_part_gives_no_span_more() -> None:
    text, found = ask("identification", True, "key", "sail")
    assert "the sail in the image" in text
    assert len(wording.answer(found, [("sail", "sail"), ("sail boat", "sail boat")])[1]) == 2


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        ("airplane", "It is an airplane."),
        ("scissors", "It is a pair of scissors."),
        ("armor", "It is armor."),
        ("guitar (toy)", "It is a guitar (toy)."),
    ],
)
def test_the_object_is_named_as_any_one_of_its_kind(category: str, expected: str) -> None:
    assert wording.object_answer("object/unnamed/0", category) == expected
    assert all(indefinite(category) in wording.object_answer(one, category) for one in OBJECT_IDS)


def test_what_can_not_be_worded_is_refused() -> None:
    for kind, named, others in [
        ("identification", True, ["bus"]),
        ("difference", True, []),
        ("contrast", False, ["bus"]),
        ("part_to_whole", True, []),
        ("object", False, []),
        ("guess", False, []),
    ]:
        with pytest.raises(ValueError, match=kind):
            wording.question(kind, named, "car", others, "key")
    with pytest.raises(ValueError, match="at least one part"):
        wording.answer(PART_IDS[0], [])
    for unknown in ("difference/named/99", "object/unnamed/0", ""):
        with pytest.raises(ValueError, match="no template for parts"):
            wording.answer(unknown, [("wing", "wing")])
    with pytest.raises(ValueError, match="no template for objects"):
        wording.object_answer(PART_IDS[0], "car")
