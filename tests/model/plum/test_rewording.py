"""Sentences that are put together around names."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.plum.rewording import reworded
from partonomy_data.questions import bank

NAMES = st.lists(st.text(st.characters(categories=["L"]), min_size=1, max_size=12), min_size=1, max_size=9)


@given(NAMES, st.integers(0, 2**32))
def test_the_names_stand_where_it_says_in_their_order(names: list[str], seed: int) -> None:
    text, places = reworded(names, np.random.default_rng(seed))
    found = [text[start:end] for start, end in places]
    # A name that begins the sentence may have a capital.
    assert found[1:] == names[1:]
    assert found[0] in (names[0], names[0][0].upper() + names[0][1:])
    assert all(before[1] < after[0] for before, after in itertools.pairwise(places))
    assert text.endswith(".")
    assert "  " not in text
    assert text == reworded(names, np.random.default_rng(seed))[0]


def test_they_are_many_and_none_is_a_wording_of_the_bank() -> None:
    rng = np.random.default_rng(0)
    around = set()
    for _ in range(20_000):
        text, ((start, end),) = reworded(["wing"], rng)
        around.add((text[:start].lower(), text[end:]))
    assert len(around) > 10_000
    wordings = [one.answer for kind in bank.standard_texts().values() for one in kind]
    assert len(wordings) > 30
    for wording in wordings:
        for slot, said in (
            ("{the_parts}", "the "),
            ("{The_parts}", "the "),
            ("{its_parts}", "its "),
            ("{Its_parts}", "its "),
        ):
            before, slotted, after = wording.partition(slot)
            if slotted:
                assert ((before + said).lower(), after) not in around, wording
