"""gIoU, cIoU and the matchings on runs, against dense masks and every permutation."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given

from model.evaluation import segmentation
from model.evaluation.answers import PartMask, Prediction, Truth
from model.evaluation.checking import check
from model.evaluation.overlaps import overlap
from tests.model.evaluation import made_up
from tests.model.evaluation.made_up import seeds


def answers(truths: list[Truth], predictions: list[Prediction]) -> list[tuple[Truth, tuple[PartMask, ...]]]:
    of = {one.question_id: one.masks or () for one in predictions}
    return [(truth, of.get(truth.question_id, ())) for truth in truths]


@given(seeds)
def test_masks_by_name_score_as_dense_masks_do(seed: int) -> None:
    truths, predictions = made_up.world(seed, 10)
    checked = check(truths, predictions)
    found = {name: one.value for name, one in segmentation.by_name(checked, [overlap(one) for one in checked]).items()}
    micro, macro, strict, strict_micro, shared, either = [], [], [], [], 0, 0
    for truth, said in answers(truths, predictions):
        true, predicted = made_up.by_name(truth.masks), made_up.by_name(said)
        nothing = np.zeros(truth.size, np.bool_)
        ious = [made_up.iou(pixels, predicted.get(part, nothing)) for part, pixels in true.items()]
        shared += sum(int((pixels & predicted.get(part, nothing)).sum()) for part, pixels in true.items())
        either += sum(int((pixels | predicted.get(part, nothing)).sum()) for part, pixels in true.items())
        # One zero for each name that isn't true, and for each time that a true one is repeated.
        said_names = [one.part for one in said]
        zeros = [0.0 for at, part in enumerate(said_names) if part not in true or part in said_names[:at]]
        micro += ious
        macro.append(np.mean(ious))
        strict.append(np.mean(ious + zeros))
        strict_micro += ious + zeros
    wanted = {"giou_micro": np.mean(micro), "giou_macro": np.mean(macro), "strict_giou": np.mean(strict)}
    wanted |= {"strict_giou_micro": np.mean(strict_micro), "ciou": shared / either}
    assert found == pytest.approx(wanted, abs=1e-12)


def best(each: np.ndarray) -> float:
    """The largest sum over all ways to match, tried one by one."""
    rows, columns = each.shape
    if rows > columns:
        return best(each.T)
    return max(
        (sum(each[row, at] for row, at in enumerate(way)) for way in permutations(range(columns), rows)), default=0.0
    )


def step_by_step(each: np.ndarray) -> float:
    """The best pair, then the best of what is left."""
    pairs = sorted(((each[row, at], row, at) for row, at in np.ndindex(*each.shape)), key=lambda one: -one[0])
    total, rows, columns = 0.0, set[int](), set[int]()
    for value, row, at in pairs:
        if row not in rows and at not in columns:
            total += value
            rows.add(row)
            columns.add(at)
    return total


@given(seeds)
def test_masks_without_names_score_as_dense_masks_in_every_matching(seed: int) -> None:
    truths, predictions = made_up.world(seed, 8)
    checked = check(truths, predictions)
    marks = segmentation.matched(checked, [overlap(one) for one in checked]) | segmentation.in_union(checked)
    for number, (truth, said) in enumerate(answers(truths, predictions)):
        true, given_masks = list(made_up.by_name(truth.masks).values()), [made_up.dense(one.mask) for one in said]
        each = np.array([[made_up.iou(one, other) for other in true] for one in given_masks])
        each = each.reshape(len(given_masks), len(true))
        larger = max(each.shape)
        wanted = {
            "hungarian_giou": best(each) / larger,
            "paired_giou": sum(each[at, at] for at in range(min(each.shape))) / larger,
            "union_giou": made_up.iou(np.any(given_masks, axis=0), np.any(true, axis=0)) if given_masks else 0.0,
        }
        if len(np.unique(each)) == each.size:  # where pairs tie, which of them is taken may matter
            wanted["greedy_giou"] = step_by_step(each) / larger
        assert {name: marks[name].top[number] for name in wanted} == pytest.approx(wanted, abs=1e-12)
        assert all(one.bottom[number] == 1 for one in marks.values())


def test_greedy_takes_the_best_pair_and_hungarian_the_best_sum() -> None:
    each = np.array([[0.9, 0.8], [0.8, 0.0]])
    assert segmentation.greedy(each) == pytest.approx(0.9)
    assert segmentation.hungarian(each) == pytest.approx(1.6)
    assert segmentation.paired(each[::-1]) == pytest.approx(1.6)


@given(seeds)
def test_sizes_of_parts_share_out_all_that_is_counted(seed: int) -> None:
    truths, predictions = made_up.world(seed, 8)
    checked = check(truths, predictions)
    overlaps = [overlap(one) for one in checked]
    whole, sizes = segmentation.by_name(checked, overlaps), segmentation.by_size(checked, overlaps)
    for name in ("giou_micro", "ciou"):
        assert sum(lot[name].bottom for lot in sizes.values()) == pytest.approx(whole[name].bottom)
        assert sum(lot[name].top for lot in sizes.values()) == pytest.approx(whole[name].top)


@pytest.mark.parametrize(("side", "size"), [(31, "small"), (32, "medium"), (95, "medium"), (96, "large"), (1, "small")])
def test_a_part_is_small_medium_or_large_by_its_true_pixels(side: int, size: str) -> None:
    pixels = np.zeros((120, 120), np.bool_)
    pixels[:side, :side] = True
    generator = np.random.default_rng(0)
    truth = made_up.truth(generator, size=(120, 120), masks=(PartMask("wing", made_up.rle(pixels)),))
    (checked,) = check([truth], [])
    found = segmentation.by_size([checked], [overlap(checked)])
    assert {name for name, lot in found.items() if lot["giou_micro"].bottom.sum()} == {size}


@given(seeds)
def test_the_order_of_masks_changes_nothing_but_pairs_by_position(seed: int) -> None:
    truths, predictions = made_up.world(seed, 6)
    turned = [Prediction(one.question_id, masks=(one.masks or ())[::-1]) for one in predictions]
    values = []
    for lot in (predictions, turned):
        checked = check(truths, lot)
        overlaps = [overlap(one) for one in checked]
        marks = segmentation.by_name(checked, overlaps) | segmentation.in_union(checked)
        marks |= segmentation.matched(checked, overlaps, ["hungarian"])
        values.append({name: one.value for name, one in marks.items()})
    assert values[0] == pytest.approx(values[1])


def test_a_question_without_true_parts_counts_only_where_something_was_predicted() -> None:
    generator = np.random.default_rng(1)
    truths = [made_up.truth(generator, number, size=(4, 4), masks=()) for number in range(2)]
    whole = PartMask("wing", made_up.rle(np.ones((4, 4), np.bool_)))
    checked = check(truths, [Prediction("qst_0", masks=(whole,)), Prediction("qst_1", masks=())])
    marks = segmentation.by_name(checked, [overlap(one) for one in checked])
    assert marks["giou_macro"].bottom.tolist() == [0, 0]
    assert marks["strict_giou"].bottom.tolist() == [1, 0]
    assert marks["strict_giou"].value == 0
    assert segmentation.in_union(checked)["union_giou"].bottom.tolist() == [1, 0]
