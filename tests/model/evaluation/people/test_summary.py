"""What people came to, against plain counting, and against cases worked by hand."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.evaluation.people import summary
from model.evaluation.people.answers import Answer, Answers
from model.evaluation.people.sheet import Sheet
from model.evaluation.people.summary import Known

KEYS = (None, "right", "wrong", "unsure")
Place = tuple[str, str]


def person(name: str, answers: list[Answer]) -> Answers:
    return Answers(Sheet(2, "0" * 16, "test", 0, 60, (), (), "digest"), name, answers)


@st.composite
def sheets(draw: st.DrawFn) -> tuple[list[Answers], dict[Place, Known]]:
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    known = {
        (f"qst_{number}", turn): Known(f"block {number // 3}", int(generator.integers(3)), 1 / 3)
        for number in range(draw(st.integers(1, 12)))
        for turn in ("parts", "object")
    }
    people = []
    for name in range(draw(st.integers(0, 4))):
        said = [
            Answer(question, turn, int(generator.integers(3)), KEYS[int(generator.integers(4))])  # type: ignore[arg-type]
            for question, turn in known
            if generator.random() < 0.7
        ]
        people.append(person(f"p{name}", said))
    return people, known


def share(values: list[bool]) -> float:
    return sum(values) / len(values) if values else float("nan")


@settings(deadline=None)
@given(sheets())
def test_the_numbers_are_those_of_plain_counting(given: tuple[list[Answers], dict[Place, Known]]) -> None:
    people, known = given
    found = summary.summarized(people, known)
    said = {place: [one.by_turn[place] for one in people if place in one.by_turn] for place in known}
    answers = [(place, one) for place, several in said.items() for one in several]
    wrong = {place for place, one in answers if one.key == "wrong"}
    pairs = [(one.choice == other.choice) for several in said.values() for one, other in combinations(several, 2)]
    keys = {place: [one.key for one in several if one.key] for place, several in said.items()}
    judged = [several for several in keys.values() if several]
    expected = {
        "accuracy": share([one.choice == known[place].right for place, one in answers]),
        "accuracy_where_key_right": share([o.choice == known[p].right for p, o in answers if p not in wrong]),
        "agreement": share(pairs),
        "beyond_chance": (share(pairs) - 1 / 3) / (2 / 3),
        "wrong_keys": share([one.count("wrong") > one.count("right") for one in judged]),
        "unsure_keys": share([key == "unsure" for one in judged for key in one]),
    }
    for name, value in expected.items():
        one = getattr(found, name)
        assert one.value == pytest.approx(value, nan_ok=True)
        assert math.isnan(one.low) or one.low <= one.value <= one.high
    assert (found.turns, found.judged) == (sum(map(bool, said.values())), len(judged))
    for one in people:
        assert found.raters[one.rater][0] == len(one.answers)


def test_two_who_always_agree_agree_beyond_chance_and_one_alone_says_nothing_of_it() -> None:
    known = {(f"qst_{number}", "parts"): Known(f"block {number}", number % 2, 0.5) for number in range(6)}
    right = [Answer(question, "parts", of.right, "right") for (question, _), of in known.items()]
    both = summary.summarized([person("a", right), person("b", right)], known)
    assert (both.agreement.value, both.beyond_chance.value, both.accuracy.value, both.wrong_keys.value) == (1, 1, 1, 0)
    assert both.wrong_keys.high == pytest.approx(1 - 0.025 ** (1 / 6))
    alone = summary.summarized([person("a", right)], known)
    assert math.isnan(alone.agreement.value)
    told = summary.text(alone, "0" * 16, "test")
    assert "Agreement needs the answers of two people" in told
    assert "| a | 6 | 1.000 |" in told
