"""Choices, calibration, blocks, paraphrases and attackers, against plain loops; and what can't flatter a model."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.evaluation import attackers, calibration, choices, parts_named
from model.evaluation.answers import Choice, Prediction, Truth
from model.evaluation.checking import Checked, check
from model.evaluation.consistency import Blocks, Paraphrases
from tests.model.evaluation import made_up
from tests.model.evaluation.made_up import PARTS, seeds


def best(scores: tuple[float, ...] | None, chosen: int | None) -> int | None:
    """The one choice that beats every other."""
    if scores is None:
        return chosen
    winners = [
        one for one in range(len(scores)) if all(scores[one] > scores[two] for two in range(len(scores)) if two != one)
    ]
    return winners[0] if winners else None


@given(seeds)
def test_every_accuracy_is_that_of_a_plain_loop(seed: int) -> None:
    truths, predictions = made_up.world(seed, 12)
    of = {one.question_id: one for one in predictions}
    checked = check(truths, predictions)
    marks = choices.accuracy(checked) | choices.normalized(checked) | choices.objects(checked)
    marks |= choices.generation(checked) | parts_named.of_choices(checked) | parts_named.spans(checked)
    sums = dict.fromkeys(("hit", "length", "object", "both", "asked", "generated", "same", "shared", "said", "true"), 0)
    spans = dict.fromkeys(("right", "said", "true"), 0)
    for truth in truths:
        given_answer = of.get(truth.question_id, Prediction(truth.question_id))
        took = best(given_answer.scores, given_answer.chosen)
        hit = took == truth.correct
        sums["hit"] += hit
        if given_answer.scores is not None and given_answer.tokens is not None:
            per_token = tuple(one / n for one, n in zip(given_answer.scores, given_answer.tokens, strict=True))
            sums["length"] += best(per_token, None) == truth.correct
        if truth.correct_object is not None:
            right = best(given_answer.object_scores, None) == truth.correct_object
            sums["asked"] += 1
            sums["object"] += right
            sums["both"] += right and hit
        sums["generated"] += given_answer.generated == truth.correct
        sums["same"] += took is not None and took == given_answer.generated
        named = set(truth.choices[took].parts) if took is not None else set()
        correct = set(truth.choices[truth.correct].parts)
        sums["shared"] += len(named & correct)
        sums["said"] += len(named)
        sums["true"] += len(correct)
        tagged, spelled = list(given_answer.spans or ()), [(one.start, one.end) for one in truth.spans]
        spans["right"] += len(set(tagged) & set(spelled))
        spans["said"] += len(tagged)
        spans["true"] += len(spelled)
    n, chance = len(truths), sum(truth.chance for truth in truths) / len(truths)
    wanted = {
        "accuracy": sums["hit"] / n,
        "chance": chance,
        "chance_corrected": (sums["hit"] / n - chance) / (1 - chance),
        "accuracy_by_length": sums["length"] / n,
        "object_accuracy": sums["object"] / sums["asked"] if sums["asked"] else math.nan,
        "both_accuracy": sums["both"] / sums["asked"] if sums["asked"] else math.nan,
        "generation_accuracy": sums["generated"] / n,
        "likelihood_agrees": sums["same"] / n,
        "choice_precision": sums["shared"] / sums["said"] if sums["said"] else math.nan,
        "choice_recall": sums["shared"] / sums["true"],
        "choice_f1": 2 * sums["shared"] / (sums["said"] + sums["true"]),
        "span_precision": spans["right"] / spans["said"] if spans["said"] else math.nan,
        "span_recall": spans["right"] / spans["true"],
        "span_f1": 2 * spans["right"] / (spans["said"] + spans["true"]),
    }
    assert {name: one.value for name, one in marks.items()} == pytest.approx(wanted, nan_ok=True)


@given(seeds)
def test_the_calibration_error_is_that_of_a_plain_loop(seed: int) -> None:
    truths, predictions = made_up.world(seed, 15)
    checked = check(truths, predictions)
    lots: dict[int, list[tuple[bool, float]]] = {}
    for one in checked:
        if one.prediction.scores is not None:
            raised = [math.exp(score) for score in one.prediction.scores]
            certainty = max(raised) / sum(raised)
            hit = best(one.prediction.scores, None) == one.truth.correct
            lots.setdefault(max(math.ceil(certainty * 10), 1), []).append((hit, certainty))
    n = sum(map(len, lots.values()))
    wanted = sum(abs(sum(hit for hit, _ in lot) - sum(sure for _, sure in lot)) for lot in lots.values()) / max(n, 1)
    found = float(calibration.calibration_error(calibration.bins(checked).sum(axis=0)))
    assert found == pytest.approx(wanted) if n else math.isnan(found)


@pytest.mark.parametrize(
    ("scores", "certainty"),
    [((-math.inf,) * 4, 0.25), ((-1e9, 0.0), 1.0), ((-math.inf, -2.0), 1.0), ((-800.0, -800.0), 0.5)],
)
def test_probabilities_hold_for_any_scores(scores: tuple[float, ...], certainty: float) -> None:
    assert choices.probabilities(scores).max() == pytest.approx(certainty)
    assert choices.probabilities(scores).sum() == pytest.approx(1)


names = st.lists(st.sampled_from(["blade", "rotor blade", "tail blade", "hull", "Hull"]), max_size=4)
relations = st.dictionaries(
    st.sampled_from(["blade", "hull"]), st.sets(st.sampled_from(["rotor blade", "tail blade"]), min_size=1), max_size=2
)


@given(names, names, relations)
def test_names_are_paired_in_the_best_of_all_ways(
    said: list[str], true: list[str], related: dict[str, set[str]]
) -> None:
    def fit(one: str, other: str) -> bool:
        one, other = one.lower(), other.lower()
        return one == other or other in related.get(one, ()) or one in related.get(other, ())

    longer, shorter = (said, true) if len(said) >= len(true) else (true, said)
    ways = itertools.permutations(range(len(longer)), len(shorter))
    wanted = max(sum(fit(longer[at], shorter[place]) for place, at in enumerate(way)) for way in ways)
    assert parts_named.right(said, true, related) == wanted
    exact = sum(
        min([one.lower() for one in said].count(name), [one.lower() for one in true].count(name))
        for name in ("blade", "rotor blade", "tail blade", "hull")
    )
    assert parts_named.right(said, true) == exact


def block(generator: np.random.Generator, name: str, k: int) -> list[Truth]:
    """k questions with the same k choices, each right once, in an order of its own for each question."""
    sets = [parts for n in (1, 2, 3) for parts in itertools.combinations(PARTS, n)]
    kept = [sets[at] for at in generator.choice(len(sets), k, replace=False)]
    made = []
    for right in range(k):
        order = generator.permutation(k)
        shown = tuple(Choice("It has a " + " and a ".join(kept[at]) + ".", kept[at]) for at in order)
        correct = int(np.flatnonzero(order == right)[0])
        plain = made_up.truth(generator, choices=shown, correct=correct, chance=1 / k, block=name)
        made.append(replace(plain, question_id=f"{name}/{right}"))
    return made


@given(seeds, st.integers(2, 5))
def test_whoever_does_not_look_is_at_chance_in_a_block_and_never_right_in_all_of_it(seed: int, k: int) -> None:
    truths = block(np.random.default_rng(seed), "block", k)
    checked = check(truths, [])
    marks = attackers.blind(checked)
    for name in ("longest", "shortest", "most_parts", "central"):
        assert marks[f"blind_{name}"].value == pytest.approx(1 / k), name
    for name in ("longest", "central"):
        attack = attackers.ATTACKERS[name]
        said = [Prediction(one.question_id, scores=tuple(attack(one.choices))) for one in truths]
        lot = check(truths, said)
        # A model that ties is wrong, so that it can only be worse than the attacker who draws.
        assert choices.accuracy(lot)["accuracy"].value <= 1 / k + 1e-9
        assert choices.accuracy(lot)["chance_corrected"].value <= 1e-9
        blocks = Blocks()
        closed = [found for one in lot if (found := blocks.add(one, ())) is not None]
        assert [right for right, _ in closed] == [False]
        assert not blocks.open


def test_the_first_choice_is_right_by_chance_where_choices_are_shuffled() -> None:
    generator = np.random.default_rng(5)
    truths = [one for number in range(300) for one in block(generator, str(number), 5)]
    said = [Prediction(one.question_id, chosen=0) for one in truths]
    value = choices.accuracy(check(truths, said))["accuracy"].value
    assert value == pytest.approx(0.2, abs=0.04)
    assert attackers.blind(check(truths, []))["blind_first"].value == pytest.approx(value)


def test_attackers_that_tie_draw() -> None:
    assert attackers.expected([1.0, 1.0, 0.0, 1.0], 0) == pytest.approx(1 / 3)
    assert attackers.expected([1.0, 1.0, 0.0, 1.0], 2) == 0


def test_the_most_central_choice_is_the_one_from_which_the_others_were_edited() -> None:
    sets = [("a", "b", "d"), ("a", "b", "c"), ("a", "c"), ("a", "b", "c", "e")]
    scores = attackers.central([Choice("", one) for one in sets])
    assert max(range(4), key=scores.__getitem__) == 1
    assert scores[2] == pytest.approx((1 / 4 + 2 / 3 + 2 / 4) / 3)


@given(seeds)
def test_blocks_and_paraphrases_come_out_the_same_in_any_order(seed: int) -> None:
    generator = np.random.default_rng(seed)
    truths = [one for number in range(3) for one in block(generator, str(number), 3)]
    truths = [replace(one, paraphrases=f"set {int(generator.integers(0, 3))}") for one in truths]
    said = [Prediction(one.question_id, chosen=one.correct if generator.random() < 0.8 else None) for one in truths]
    checked = check(truths, said)
    found = []
    for lot in (checked, [checked[at] for at in generator.permutation(len(checked))]):
        blocks, sets = Blocks(), Paraphrases()
        right = sorted(closed[0] for one in lot if (closed := blocks.add(one, ())) is not None)
        found.append((right, *np.sum([sets.add(one) for one in lot], axis=0).tolist()))
    assert found[0] == found[1]
    taken = {one.question_id: one.chosen for one in said}
    whole = [all(taken[f"{number}/{right}"] is not None for right in range(3)) for number in range(3)]
    assert found[0][0] == sorted(whole)
    pairs = [two for two in itertools.combinations(truths, 2) if two[0].paraphrases == two[1].paraphrases]
    agree = [
        two for two in pairs if _choice(two[0], taken) is not None and _choice(two[0], taken) == _choice(two[1], taken)
    ]
    assert found[0][1:] == (len(agree), len(pairs))


def _choice(of: Truth, taken: dict[str, int | None]) -> frozenset[str] | None:
    number = taken[of.question_id]
    return None if number is None else frozenset(of.choices[number].parts)


def test_a_block_that_is_not_complete_is_not_judged() -> None:
    lot: list[Checked] = check(block(np.random.default_rng(0), "block", 3)[:2], [])
    blocks = Blocks()
    assert [blocks.add(one, ()) for one in lot] == [None, None]
    assert list(blocks.open) == ["block"]
