"""Parentheses go where nothing calls for them, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.taxonomy.qualifiers import normalise_all, qualified
from partonomy_data.taxonomy.words import normalise

_NAMES = st.builds(
    lambda word, plural, gloss, upper: (word + plural + gloss).upper() if upper else word + plural + gloss,
    st.sampled_from(["crane", "shell", "crew boat", "crew_boat", "mouse"]),
    st.sampled_from(["", "s"]),
    st.sampled_from(["", " (bird)", "_(birds)", " (machine)", " ()"]),
    st.booleans(),
)


def test_a_qualifier_goes_only_if_no_other_name_is_left_the_same() -> None:
    assert normalise_all(["car (automobile)"]) == {"car (automobile)": "car"}
    assert normalise_all(["shell", "shell (crew boat)"]) == {"shell": "shell", "shell (crew boat)": "shell (crew boat)"}
    assert set(normalise_all(["crane (bird)", "crane (machine)"]).values()) == {"crane (bird)", "crane (machine)"}


def test_spellings_of_one_name_become_one() -> None:
    made = normalise_all(
        ["trash_can", "trash can", "Trash Cans", "wing", "wings", "drum_(instrument)", "drums (instrument)"]
    )
    assert set(made.values()) == {"trash can", "wing", "drum"}


@given(st.lists(_NAMES, max_size=12))
def test_names_become_one_exactly_if_they_are_the_same_name(names: list[str]) -> None:
    made = normalise_all(names)
    for a in names:
        for b in names:
            assert (made[a] == made[b]) == (normalise(a) == normalise(b))


@given(st.lists(_NAMES, max_size=12))
def test_the_order_of_names_makes_no_difference(names: list[str]) -> None:
    assert normalise_all(names) == normalise_all(reversed(names))


@pytest.mark.parametrize(
    ("name", "by", "made"),
    [
        ("crane", "bird (animal)", "crane (bird animal)"),
        ("crane (f)", "machine", "crane (f-machine)"),
        ("crane", "2", "crane (2)"),
    ],
)
def test_a_qualified_name_has_one_pair_of_parentheses_and_is_canonical(name: str, by: str, made: str) -> None:
    assert qualified(name, by) == made == normalise(made)
