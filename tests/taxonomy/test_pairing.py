"""The indexes find what comparing all pairs of names finds, and the list of near words is what it should be."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.taxonomy import pairing
from partonomy_data.taxonomy.pairing import near_words, words_of
from partonomy_data.taxonomy.words import normalise


def test_all_near_words_are_canonical_and_on_a_line_once() -> None:
    listed = near_words()
    lines = [*listed.near, *listed.kinds.values()]
    strange = {word: normalise(word) for line in lines for word in line if normalise(word) != word}
    strange |= {kind: normalise(kind) for kind in listed.kinds if normalise(kind) != kind}
    assert strange == {}
    assert [line for line in lines if len(set(line)) < len(line)] == []
    assert [kind for kind, line in listed.kinds.items() if kind in line] == []
    assert all(len(line) > 1 for line in listed.near)
    # A name is looked up by three words at most.
    assert max(len(word.split()) for line in lines for word in line) <= 3


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rotor blade", ("rotor", "blade")),
        ("row of windows", ("window", "row")),
        ("end of the rod", ("rod", "end")),
        ("monitor with screen", ("screen", "monitor")),
        ("line 1", ("1", "line")),
        ("driver's seat", ("driver", "seat")),
        ("shell (crew boat)", ("shell",)),
        ("on", ("on",)),
        ("of", ("of",)),
    ],
)
def test_the_head_of_a_name_comes_last(name: str, words: tuple[str, ...]) -> None:
    assert words_of(name) == words


_NAMES = st.lists(
    st.lists(
        st.sampled_from(
            [
                "left",
                "wing",
                "wings",
                "boom",
                "tailboom",
                "grip",
                "handle",
                "lid",
                "top",
                "seating",
                "area",
                "1",
                "lever",
            ]
        ),
        min_size=1,
        max_size=3,
    ).map(" ".join),
    max_size=20,
    unique=True,
)


@given(_NAMES)
def test_heads_words_and_near_words_are_those_of_all_pairs(names: list[str]) -> None:
    words = {name: words_of(name) for name in sorted(names)}
    kinds: dict[str, set[str]] = {name: set() for name in names}
    pairs = list(combinations(sorted(names), 2))
    assert {pair for pair, _ in pairing.same_head(words)} == {(a, b) for a, b in pairs if words[a][-1] == words[b][-1]}
    assert {pair for pair, _ in pairing.same_word(words)} == {
        (a, b)
        for a, b in pairs
        if words[a][-1] != words[b][-1] and (set(words[a]) & set(words[b])) - {"left", "top", "1"}
    }
    assert {pair for pair, _ in pairing.near(words, kinds)} == {
        (a, b) for a, b in pairs if words[a][-1] != words[b][-1] and _listed_together(words[a], words[b])
    }


def _listed_together(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    ends = [_ends(a), _ends(b)]
    if any(ends[0] & set(line) and ends[1] & set(line) for line in near_words().near):
        return True
    return any(
        (kind in one and other & {kind, *line})
        for kind, line in near_words().kinds.items()
        for one, other in (ends, ends[::-1])
    )


def _ends(words: tuple[str, ...]) -> set[str]:
    found = {" ".join(words[-n:]) for n in range(1, 4)}
    if len(words) > 1 and words[-1] in ("top", "area"):
        found |= {words[-2], words[-2].removesuffix("ing") if len(words[-2]) > 6 else words[-2]}
    return found


_LETTERS = st.text("abc", min_size=4, max_size=7)


@given(st.lists(_LETTERS, max_size=12, unique=True))
def test_one_slip_is_what_a_letter_less_in_each_makes_equal(names: list[str]) -> None:
    words = {name: (name,) for name in sorted(names)}

    def shorter(name: str) -> set[str]:
        return {name, *(name[:i] + name[i + 1 :] for i in range(len(name)))} if len(name) >= 5 else set()

    expected = {(a, b) for a, b in combinations(sorted(names), 2) if shorter(a) & shorter(b)}
    assert {pair for pair, _ in pairing.misspelled(words)} == expected


@given(_NAMES)
def test_all_strengths_are_shares(names: list[str]) -> None:
    words = {name: words_of(name) for name in sorted(names)}
    wholes = {name: {f"object {i % 3}"} for i, name in enumerate(words)}
    parents = {f"object {i}": {f"object {i}", "kind"} for i in range(3)}
    made = [
        *pairing.same_head(words),
        *pairing.same_word(words),
        *pairing.compounds(words),
        *pairing.misspelled(words),
        *pairing.near(words, wholes),
        *pairing.siblings(wholes, parents),
    ]
    assert all(0.0 <= strength <= 1.0 and a < b for (a, b), strength in made)


@given(st.integers(100, 400))
def test_a_long_entry_gives_each_name_few_others(n: int) -> None:
    """Each has the eight shortest, and the sixteen that end most like it on either side."""
    words = {name: words_of(name) for name in ["button", *(f"sort{i} button" for i in range(n - 1))]}
    pairs = {pair for pair, _ in pairing.same_head(words)}
    assert len(pairs) <= 24 * n
    partners = Counter(name for pair in pairs for name in pair)
    # The bare head is the shortest, and meets every other.
    assert partners["button"] == n - 1
    assert min(partners.values()) >= 16
