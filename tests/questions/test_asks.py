"""Which questions a group is asked: true and answerable for each member, and telling all of them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.questions import truth
from partonomy_data.questions.asks import Ask, Masks, choose, largest, masks_of, prospects, shuffled_best
from partonomy_data.questions.contrasts import MOST_PAIRS, Contrasts
from partonomy_data.questions.settings import CONTRASTS, TWO_TURNS
from partonomy_data.questions.truth import Bools, Sets

#: Letters stand for parts; of capitals the same letter in small is a relative.
PARTS = "abcdA"


def sets_of(members: Sequence[str], parts: str = PARTS, tiny: Sequence[str] = ()) -> Sets:
    """A set of visible parts for each member, and of tiny ones."""

    def matrix(of: Sequence[str]) -> Bools:
        return np.array([part in one for one in of for part in parts], bool).reshape(len(of), len(parts))

    related = np.array([[a.lower() == b.lower() for b in parts] for a in parts], bool)
    return Sets(tuple(parts), matrix(members), matrix(tiny or [""] * len(members)) & ~matrix(members), related)


def contrasts_of(
    has: Mapping[str, str],
    *,
    unsettled: Mapping[str, str] | None = None,
    loose: Collection[str] = (),
    parts: str = PARTS,
) -> Contrasts:
    """Contrast category → the parts it shares, the nearest first."""

    def matrix(of: Mapping[str, str]) -> Bools:
        return np.array([p in of.get(name, "") for name in has for p in parts], bool).reshape(len(has), len(parts))

    return Contrasts(
        names=tuple(has),
        shared=matrix(has),
        unsettled=matrix(unsettled or {}),
        curated=np.array([name not in loose for name in has], bool),
    )


def letters(mask: Bools, parts: str = PARTS) -> str:
    return "".join(part for part, inside in zip(parts, mask, strict=True) if inside)


def told(masks: Masks) -> list[tuple[tuple[str, ...], str, str, bool]]:
    """Of each question: the categories it names, the parts it asks for, those that are unsettled, whether curated."""
    rows = zip(masks.contrasts, masks.masks, masks.unsettled, masks.curated, strict=True)
    return [(names, letters(mask), letters(may), bool(curated)) for names, mask, may, curated in rows]


def test_a_question_asks_for_what_its_contrast_categories_share_and_lack() -> None:
    found = masks_of(contrasts_of({"bus": "ab", "dog": "bc"}, unsettled={"dog": "d"}, loose=["dog"]))
    assert told(found["intersection"]) == [(("bus",), "ab", "", True), (("dog",), "bc", "d", False)]
    assert told(found["difference"]) == [(("bus",), "cdA", "", True), (("dog",), "aA", "d", False)]
    assert told(found["contrast"]) == [(("bus", "dog"), "a", "d", False), (("dog", "bus"), "c", "d", False)]


def test_a_pair_that_asks_for_nothing_is_no_question() -> None:
    found = masks_of(contrasts_of({"bus": "ab", "van": "abc"}))
    assert told(found["contrast"]) == [(("van", "bus"), "c", "", True)]


def test_pairs_of_near_categories_come_first_and_there_is_a_limit() -> None:
    many = {f"category {i}": "abcdA"[i % 5] for i in range(20)}
    found = masks_of(contrasts_of(many))["contrast"].contrasts
    assert len(found) == MOST_PAIRS
    at = {name: place for place, name in enumerate(many)}
    sums = [at[a] + at[b] for a, b in found]
    assert sums == sorted(sums)


@pytest.mark.parametrize("has", [{}, {"bus": ""}, {"bus": "abcdA"}])
def test_few_contrast_categories_make_few_questions(has: Mapping[str, str]) -> None:
    found = masks_of(contrasts_of(has))
    assert found.keys() == CONTRASTS.keys()
    assert [len(masks.masks) for masks in found.values()] == [len(has), len(has), 0]
    for masks in found.values():
        assert masks.masks.shape == masks.unsettled.shape == (len(masks.contrasts), len(PARTS))


some_letters = st.text(PARTS, max_size=5)
any_contrasts = st.lists(st.tuples(some_letters, some_letters, st.booleans()), max_size=6).map(
    lambda rows: contrasts_of(
        {f"category {i}": has for i, (has, _, _) in enumerate(rows)},
        unsettled={f"category {i}": may for i, (_, may, _) in enumerate(rows)},
        loose=[f"category {i}" for i, (_, _, loose) in enumerate(rows) if loose],
    )
)


@given(any_contrasts)
def test_masks_against_loops(contrasts: Contrasts) -> None:
    names, shared, may = contrasts.names, contrasts.shared, contrasts.unsettled
    columns = range(len(PARTS))
    found = {kind: told(masks) for kind, masks in masks_of(contrasts).items()}
    expected = []
    for total in range(2 * len(names)):
        for a, b in sorted(permutations(range(len(names)), 2)):
            asked = [p for p in columns if shared[a, p] and not shared[b, p] and not may[b, p]]
            if a + b == total and asked:
                doubt = letters(may[a] | may[b])
                curated = bool(contrasts.curated[a] and contrasts.curated[b])
                expected.append(((names[a], names[b]), "".join(PARTS[p] for p in asked), doubt, curated))
    assert found["contrast"] == expected[:MOST_PAIRS]
    for row, name in enumerate(names):
        of_one = (letters(may[row]), bool(contrasts.curated[row]))
        assert found["intersection"][row] == ((name,), letters(shared[row]), *of_one)
        lacking = "".join(PARTS[p] for p in columns if not shared[row, p] and not may[row, p])
        assert found["difference"][row] == ((name,), lacking, *of_one)


def answers_of(sets: Sets, mask: Iterable[bool], unsettled: Iterable[bool]) -> list[frozenset[int]]:
    """The answer of each member; empty for one that shows a part that the question can't settle."""
    inside, doubt = set(np.flatnonzero(list(mask)).tolist()), set(np.flatnonzero(list(unsettled)).tolist())
    shown = [set(np.flatnonzero(row).tolist()) for row in sets.visible]
    return [frozenset() if one & doubt else frozenset(one & inside) for one in shown]


members = st.lists(st.text(PARTS, min_size=1, max_size=5), min_size=1, max_size=12)


@given(members, any_contrasts, st.integers(2, 4))
def test_prospects_are_of_the_contrast_that_promises_most(shown: list[str], contrasts: Contrasts, k: int) -> None:
    sets = sets_of(shown)
    possible = masks_of(contrasts)
    for kind, found in prospects(sets, contrasts, k).items():
        of = possible[kind]
        answers = [answers_of(sets, mask, may) for mask, may in zip(of.masks, of.unsettled, strict=True)]
        assert found.askable.tolist() == [any(one[i] for one in answers) for i in range(len(shown))]
        bounds = []
        for one in answers:
            counts = np.array(list(Counter(answer for answer in one if answer).values()), np.int64)
            bounds.append(k * truth.most_groups(counts, k))
        assert found.bound == max(bounds, default=0)
        taken = [frozenset(np.flatnonzero(row).tolist()) for row in found.answers]
        if found.bound:
            assert taken == answers[bounds.index(found.bound)]  # of equals the nearest
        else:
            assert not any(taken)


def test_an_instance_that_shows_an_unsettled_part_is_not_asked() -> None:
    found = prospects(sets_of(["ab", "bc", "c"]), contrasts_of({"bus": "ab"}, unsettled={"bus": "c"}), 2)
    assert found["intersection"].askable.tolist() == [True, False, False]
    assert found["difference"].askable.tolist() == [False, False, False]


@given(members)
def test_the_largest_number_of_members_is_the_first_that_allows_a_group(shown: list[str]) -> None:
    different = len({frozenset(one) for one in shown})
    assert largest(sets_of(shown), [5, 4, 3]) == (5 if different >= 5 else 4 if different == 4 else 3)


CHOICES = {"bus": "ab", "van": "b", "dog": "cd", "tram": "abc", "cat": "d"}


def asks_of(
    group: Sequence[str],
    has: Mapping[str, str] = CHOICES,
    *,
    names_object: bool = True,
    key: str = "key",
    most: int = 9,
    tiny: Sequence[str] = (),
    unsettled: Mapping[str, str] | None = None,
) -> list[Ask]:
    return choose([sets_of(group, tiny=tiny)], contrasts_of(has, unsettled=unsettled), names_object, key, most)


def kinds(asks: Sequence[Ask]) -> list[str]:
    return [ask.question_type for ask in asks]


def test_identification_comes_first_then_one_of_each_type_then_second_ones() -> None:
    first = ["identification", "intersection", "difference", "contrast", *TWO_TURNS]
    found = kinds(asks_of(["ac", "bd"], {"bus": "ab", "van": "cd"}, names_object=False))
    assert found == [*first, "intersection", "difference", "contrast"]
    assert kinds(asks_of(["ac", "bd"], {"bus": "ab"}, names_object=False)) == [
        one for one in first if one != "contrast"
    ]


def test_a_question_that_names_the_object_does_not_ask_for_it() -> None:
    assert kinds(asks_of(["a", "b", "c"], {})) == ["identification"]
    assert kinds(asks_of(["a", "b", "c"], {}, names_object=False)) == ["identification", *TWO_TURNS]


def test_whether_the_object_is_named_decides_nothing_else() -> None:
    named, unnamed = (asks_of(["ac", "bd"], names_object=value) for value in (True, False))
    told_of = [(ask.question_type, ask.contrasts) for ask in unnamed if ask.question_type not in TWO_TURNS]
    assert [(ask.question_type, ask.contrasts) for ask in named] == told_of


def test_at_most_so_many_are_asked() -> None:
    everything = kinds(asks_of(["ac", "bd"], names_object=False))
    assert [kinds(asks_of(["ac", "bd"], names_object=False, most=n)) for n in range(1, 9)] == [
        everything[:n] for n in range(1, 9)
    ]


def test_a_contrast_under_which_two_members_answer_alike_is_not_taken() -> None:
    assert kinds(asks_of(["ac", "bc"], {"bus": "ab"})) == ["identification", "intersection"]
    assert kinds(asks_of(["ac", "ad"], {"bus": "ab"})) == ["identification", "difference"]


def test_members_that_differ_by_a_relative_alone_do_not_differ() -> None:
    """Nothing is asked that both "wing" and "left wing" would answer."""
    assert kinds(asks_of(["ab", "Ab"], {"bus": "aA"})) == ["identification"]


def test_members_that_differ_by_a_tiny_part_alone_do_not_differ() -> None:
    assert kinds(asks_of(["ac", "bd"], {"bus": "ab"})) == ["identification", "intersection", "difference"]
    # The first may show b too, so that "a and b" is no wrong choice for it.
    assert kinds(asks_of(["a", "ab"], {"bus": "ab"}, tiny=["b", ""])) == ["identification"]


def test_a_contrast_with_an_unsettled_part_that_a_member_shows_is_not_taken() -> None:
    assert kinds(asks_of(["ac", "bd"], {"bus": "ab"}, unsettled={"bus": "d"})) == ["identification"]


def test_a_question_that_all_parts_answer_compares_nothing_and_is_taken_only_if_there_is_no_other() -> None:
    def taken(has: Mapping[str, str]) -> list[str]:
        possible = masks_of(contrasts_of(has, parts="abc"))["intersection"]
        best = shuffled_best([sets_of(["ac", "bc"], "abc")], possible, "key", "intersection")
        return [possible.contrasts[place][0] for place in best]

    assert taken({"bus": "abc", "van": "ab"}) == ["van"]
    assert taken({"bus": "abc", "van": "c"}) == ["bus"]


def test_the_key_decides_between_the_nearest_that_do_and_takes_each_of_them() -> None:
    has = {f"category {i}": "ab" for i in range(9)}
    taken = Counter(asks_of(["ac", "bc"], has, key=f"key {i}")[1].contrasts[0] for i in range(600))
    assert taken.keys() == {f"category {i}" for i in range(6)}
    assert all(60 < count < 140 for count in taken.values())


def test_several_groups_are_asked_only_what_tells_the_members_of_each_apart() -> None:
    contrasts = contrasts_of({"bus": "ab"})
    clear, blurred = sets_of(["ac", "abd"]), sets_of(["ac", "abd"], tiny=["b", ""])
    for groups, expected in (([clear], True), ([clear, clear], True), ([blurred], False), ([clear, blurred], False)):
        assert ("intersection" in kinds(choose(groups, contrasts, True, "key", 9))) is expected


def test_a_single_instance_is_asked_nothing_that_it_has_no_answer_to() -> None:
    """The nearest contrasts would ask for parts that it doesn't show; one that does ask for some is taken."""
    found = asks_of(["ac"], {"bus": "bd", "van": "b", "tram": "ab"})
    assert [ask.contrasts for ask in found if ask.question_type == "intersection"] == [("tram",)]
    assert asks_of(["ac"], {"bus": "bd"})[1].question_type == "difference"
    for ask in found:
        assert set(letters(ask.mask)) & set("ac")


def plainly_wrong(choice: set[str], shown: set[str], tiny: set[str]) -> bool:
    """Whether a list of letters is surely wrong of one who shows some and may show others."""
    left_out = any(part.lower() not in {one.lower() for one in choice} for part in shown)
    put_in = any(part.lower() not in {one.lower() for one in shown | tiny} for part in choice)
    return left_out or put_in


any_group = st.lists(st.tuples(st.text(PARTS, min_size=1, max_size=5), some_letters), min_size=3, max_size=5)


@given(any_group, any_contrasts, st.booleans(), st.text("xyz"))
def test_under_each_question_every_other_member_s_answer_is_wrong_for_sure(
    group: list[tuple[str, str]], contrasts: Contrasts, names_object: bool, key: str
) -> None:
    shown, tiny = [one for one, _ in group], [one for _, one in group]
    found = choose([sets_of(shown, tiny=tiny)], contrasts, names_object, key, 9)
    assert len({(ask.question_type, ask.contrasts) for ask in found}) == len(found)
    at = {name: row for row, name in enumerate(contrasts.names)}
    for ask in found:
        assert len(ask.contrasts) == len(set(ask.contrasts)) == CONTRASTS.get(ask.question_type, 0)
        assert not any(contrasts.unsettled[at[name]].any() for name in ask.contrasts)
        assert ask.curated == all(contrasts.curated[at[name]] for name in ask.contrasts)
        mask = set(letters(ask.mask))
        if not ask.contrasts:
            assert mask == set(PARTS)
            continue
        answers = [set(one) & mask for one in shown]
        for i, mine in enumerate(answers):
            assert mine
            for j, other in enumerate(answers):
                assert i == j or plainly_wrong(other, mine, set(tiny[i]) & mask)
