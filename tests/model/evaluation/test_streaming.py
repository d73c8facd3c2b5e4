"""A stream's sums are those of all questions at once, in every slice, in any order, in bounded memory; two models compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.evaluation import calibration, intervals, streaming
from model.evaluation.answers import Choice, EvaluationError, Prediction, Truth
from model.evaluation.average_precision import Ranking, hits
from model.evaluation.checking import check
from model.evaluation.comparing import compare
from model.evaluation.overlaps import overlap
from model.evaluation.scoring import Wanted, score
from model.evaluation.slices import Slice, slices_of
from model.evaluation.streaming import Row, Stream
from tests.model.evaluation import made_up
from tests.model.evaluation.made_up import seeds

CHOICES = Wanted(frozenset({"choices"}))


def members(of: Slice, truths: list[Truth]) -> list[Truth]:
    """The questions of a slice, one condition after the other."""
    found = []
    for truth in truths:
        number = len({one.part for one in truth.masks})
        named = {
            "all": "all",
            "source": truth.source,
            "photographs": truth.collection,
            "object": truth.object_category,
            "parts": "5+" if number >= 5 else str(number),
        }
        kind, _, value = of.name.partition("=")
        if (
            of.split == truth.split
            and of.question_type in ("all", truth.question_type)
            and of.evidence in ("all", "verified" if truth.verified else "unverified")
            and named[kind] == (value or "all")
        ):
            found.append(truth)
    return found


def in_batches(truths: list[Truth], predictions: list[Prediction], at_once: int, wanted: Wanted) -> Stream:
    stream = Stream(wanted)
    for start in range(0, len(truths), at_once):
        some = truths[start : start + at_once]
        ids = {one.question_id for one in some}
        stream.add(some, [one for one in predictions if one.question_id in ids])
    return stream


@settings(max_examples=5)
@given(seeds, st.integers(1, 12))
def test_each_slice_has_what_its_questions_alone_would_have(seed: int, at_once: int) -> None:
    truths, predictions = made_up.world(seed, 12)
    rows = in_batches(truths, predictions, at_once, Wanted()).rows(5)
    by_slice: dict[Slice, dict[str, Row]] = {}
    for row in rows:
        by_slice.setdefault(row.slice, {})[row.metric] = row
    assert {one.split for one in by_slice} == {truth.split for truth in truths}
    for of, found in by_slice.items():
        if of.name.startswith("part_size"):
            continue
        own = members(of, truths)
        ids = {one.question_id for one in own}
        checked = check(own, [one for one in predictions if one.question_id in ids])
        scored = score(checked, Wanted())
        for name, marks in scored.marks.items():
            if not marks.bottom.sum():
                assert name not in found
                continue
            assert found[name].interval.value == pytest.approx(marks.value), name
            assert found[name].n == np.count_nonzero(marks.bottom)
            missing = np.array(scored.unusable[name]) & (marks.bottom > 0)
            assert found[name].n_skipped == np.count_nonzero(missing)
        error = float(calibration.calibration_error(calibration.bins(checked).sum(axis=0)))
        assert np.isnan(error) or found["calibration_error"].interval.value == pytest.approx(error)
        if of.name == "all":
            ranking = Ranking()
            for one in checked:
                ranking.add(one, hits(one, overlap(one)))
            assert found["ap50_oracle"].interval.value == pytest.approx(ranking.value)


@settings(max_examples=5)
@given(seeds)
def test_sizes_of_parts_have_slices_of_their_own(seed: int) -> None:
    truths, predictions = made_up.world(seed, 10)
    rows = in_batches(truths, predictions, 10, Wanted()).rows(5)
    found = {(row.slice, row.metric): row for row in rows if row.slice.name.startswith("part_size")}
    assert {metric for _, metric in found} == {"giou_micro_oracle", "ciou_oracle"}
    # All parts here are small.
    for row in rows:
        if row.slice.name == "all" and row.metric in ("giou_micro_oracle", "ciou_oracle"):
            small = found[replace(row.slice, name="part_size=small"), row.metric]
            ends = [(one.interval.value, one.interval.low, one.interval.high) for one in (small, row)]
            assert ends[0] == pytest.approx(ends[1], nan_ok=True)
            assert (small.n, small.n_skipped) == (row.n, row.n_skipped)


def test_order_and_batches_change_nothing() -> None:
    choices = tuple(Choice(f"A {part}.", (part,)) for part in made_up.PARTS[:3])
    truths, predictions = made_up.world(7, 42, split="val", choices=choices, correct=0, chance=1 / 3)
    truths = [replace(one, block=f"block {at // 3}", correct=at % 3) for at, one in enumerate(truths)]
    for number in range(0, 42, 6):  # so that some blocks are all right
        predictions[number : number + 6] = [
            replace(one, scores=tuple(-float(at != number % 3) for at in range(3)))
            for number, one in ((int(each.question_id[4:]), each) for each in predictions[number : number + 6])
        ]
        if number >= 18:
            break
    first = in_batches(truths, predictions, 40, Wanted())
    order = np.random.default_rng(0).permutation(42)
    second = in_batches([truths[at] for at in order], predictions, 7, Wanted())
    for row, other in zip(first.rows(40), second.rows(40), strict=True):
        assert (row.slice, row.metric, row.n, row.n_skipped) == (other.slice, other.metric, other.n, other.n_skipped)
        ends = [(one.interval.value, one.interval.low, one.interval.high) for one in (row, other)]
        assert ends[0] == pytest.approx(ends[1], nan_ok=True)
    whole = next(row for row in first.rows(5) if row.metric == "block_consistent" and row.slice.label == "all")
    assert whole.n == 14
    assert 0 < whole.interval.value < 1


def test_intervals_are_of_blocks_or_of_photographs_where_there_is_none() -> None:
    truths, _ = made_up.world(3, 30, split="val")
    blocks = [replace(one, block=f"block {number // 3}" if number < 15 else None) for number, one in enumerate(truths)]
    groups = [replace(one, group="group") for one in blocks]
    photographs = {one.photograph for one in blocks[15:]}
    for lot, unit, units in (
        (blocks, "block", 5 + len(photographs)),
        (groups, "group", 1),
        (blocks, "photograph", len({one.photograph for one in blocks})),
    ):
        stream = Stream(CHOICES, unit=unit)
        stream.add(lot, [])
        row = next(one for one in stream.rows(20) if one.metric == "chance" and one.slice.label == "all")
        assert row.units == units
        assert np.isnan(row.interval.low) == (units == 1)


def test_groups_are_drawn_where_types_count_together_and_blocks_within_one() -> None:
    truths, predictions = made_up.world(3, 48, split="val", object_category="boat", source="paco")
    kinds = ("identification", "difference")
    truths = [
        replace(one, block=f"block {number // 3}", group=f"group {number // 12}", question_type=kinds[number // 3 % 2])
        for number, one in enumerate(truths)
    ]
    streams = {unit: Stream(CHOICES, unit=unit) for unit in ("slice", "block", "group")}
    for stream in streams.values():
        stream.add(truths, predictions)
    found = {unit: {(row.slice, row.metric): row for row in stream.rows(50)} for unit, stream in streams.items()}
    assert {row.slice.question_type for row in found["slice"].values()} == {"all", *kinds}
    for place, row in found["slice"].items():
        alone = found["group" if place[0].question_type == "all" else "block"][place]
        assert repr(row) == repr(alone), "as text, in which no number equals no number"
    for name in ("all", "object=boat", "source=paco"):
        of = Slice("val", "all", name, "all")
        assert found["slice"][of, "accuracy"].units == 4
        assert found["slice"][replace(of, question_type="difference"), "accuracy"].units == 8


def test_an_interval_over_all_types_is_as_wide_as_what_photographs_have_in_common_makes_it() -> None:
    """Some photographs are easy and some are hard, whatever is asked about them: the same in a block of each of six types."""
    generator, choices = np.random.default_rng(1), tuple(Choice(f"A {one}.", (one,)) for one in "abcd")
    base = made_up.truth(generator, masks=(), spans=(), object_choices=(), correct_object=None)
    base = replace(base, choices=choices, chance=0.25, split="test", correct=0)
    easy = generator.choice([0.9, 0.3], (60, 4))
    truths, said = [], []
    for (group, photograph, kind), hit in np.ndenumerate(generator.random((60, 4, 6)) < easy[..., None]):
        more: dict[str, Any] = {"question_id": f"{group}.{photograph}.{kind}", "photograph": f"{group}.{photograph}"}
        more |= {"question_type": f"type {kind}", "block": f"{group}.{kind}", "group": f"{group}"}
        truths.append(replace(base, **more))
        said.append(Prediction(more["question_id"], chosen=int(not hit)))
    stream = Stream(CHOICES)
    stream.add(truths, said)
    keys, sums = stream.tallies[Slice("test", "all", "all", "all")].sums()
    drawn = stream.value("accuracy", intervals.resampled(keys, sums))
    interval = intervals.bounds(float(stream.value("accuracy", sums.sum(axis=0))), drawn, len(keys))
    # The variance of the photographs' means of 0.9 and 0.3, and of the questions beside them.
    deviation = (0.3**2 / 240 + (0.9 * 0.1 + 0.3 * 0.7) / 2 / 1440) ** 0.5
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * deviation, rel=0.2)


def test_an_interval_is_that_of_the_units_sums() -> None:
    truths, predictions = made_up.world(11, 60, split="val")
    truths = [replace(one, group=f"group {number // 5}") for number, one in enumerate(truths)]
    stream = in_batches(truths, predictions, 13, CHOICES)
    row = next(one for one in stream.rows(200, seed=4) if one.metric == "accuracy" and one.slice.label == "all")
    hit = score(check(truths, predictions), CHOICES).marks["accuracy"].top.reshape(12, 5).sum(axis=1)
    keys = np.array([intervals.key_of(f"group group {number}") for number in range(12)], np.uint64)
    weight = intervals.weights(keys, 200, seed=4).astype(float)
    found = intervals.bounds(row.interval.value, weight @ hit / (weight @ np.full(12, 5.0)), 12)
    assert (row.interval.low, row.interval.high) == pytest.approx((found.low, found.high))


def test_memory_does_not_grow_with_questions_and_the_values_stay_exact() -> None:
    generator = np.random.default_rng(5)
    base = made_up.truth(generator, masks=(), spans=(), object_choices=(), correct_object=None)
    small, whole = Stream(CHOICES, most_units=50), Stream(CHOICES)
    sizes = []
    for batch in range(6):
        truths = [
            replace(base, question_id=f"{batch}/{at}", photograph=f"{batch}/{at}", object_category="boat")
            for at in range(200)
        ]
        said = [Prediction(one.question_id, chosen=int(generator.integers(0, len(base.choices)))) for one in truths]
        small.add(truths, said)
        whole.add(truths, said)
        sizes.append(max(tally._sums.nbytes for tally in small.tallies.values()))
    assert len(set(sizes)) == 1
    assert all(tally.units <= 50 for tally in small.tallies.values())
    pairs = list(zip(small.rows(300), whole.rows(300), strict=True))
    for row, other in pairs:
        assert row.interval.value == pytest.approx(other.interval.value)
        assert (row.n, row.n_skipped) == (other.n, other.n_skipped)
    row, other = next(both for both in pairs if both[0].metric == "accuracy")
    widths = [one.interval.high - one.interval.low for one in (row, other)]
    assert widths[0] == pytest.approx(widths[1], rel=0.4)
    assert row.units == 50 < other.units == 1200


def test_memory_does_not_grow_with_blocks_of_many_objects_that_come_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streaming, "MOST_UNITS_BY_OBJECT", 2)
    monkeypatch.setattr(streaming, "MOST_UNITS_IN_PART", 4)
    choices = tuple(Choice(f"A {part}.", (part,)) for part in made_up.PARTS[:3])
    base = made_up.truth(np.random.default_rng(5), masks=(), spans=(), object_choices=(), correct_object=None)
    base = replace(base, choices=choices, chance=1 / 3, split="val")
    stream, sizes = Stream(CHOICES, most_units=8), []
    for turn in range(5):
        for category in range(20):
            truths = [
                replace(
                    base,
                    question_id=f"{turn}/{category}/{number}",
                    object_category=f"object {category}",
                    block=f"{turn}/{category}/{number // 3}",
                    correct=number % 3,
                )
                for number in range(15)
            ]
            # A batch ends within a block.
            for some in (truths[:7], truths[7:]):
                stream.add(some, [])
                assert stream.open_blocks <= 1
        sizes.append(sum(tally._sums.nbytes for tally in stream.tallies.values()))
    assert sizes[1:] == sizes[1:2] * 4
    most = {"object": 2, "all": 8}
    assert all(tally.units <= most.get(of.name.partition("=")[0], 4) for of, tally in stream.tallies.items())
    found = {(row.slice, row.metric): row for row in stream.rows(5)}
    assert found[Slice("val", "all", "object=object 7", "all"), "accuracy"].n == 75
    assert found[Slice("val", "all", "all", "all"), "block_consistent"].n == 500


def test_questions_that_are_alike_share_their_slices() -> None:
    first, second = (made_up.truth(np.random.default_rng(2), number, photograph=f"{number}") for number in (0, 3))
    assert slices_of(first) is slices_of(second)
    third = replace(first, source="another")
    mine, other = ({one.name: one for one in slices_of(truth) if one.evidence == "all"} for truth in (first, third))
    assert mine["all"] is other["all"]
    assert f"source={third.source}" in other


def test_what_was_missing_and_malformed_is_counted_and_said() -> None:
    truths, _ = made_up.world(1, 4, split="val")
    said = [Prediction("qst_0", chosen=99), Prediction("qst_1", chosen=0)]
    stream = Stream(CHOICES)
    stream.add(truths, said)
    assert stream.problems == {"unanswered": 2, "malformed": 1}
    assert stream.lines == [f"prediction for qst_0: `chosen` is 99, and there are {len(truths[0].choices)} choices"]
    row = next(one for one in stream.rows(5) if one.metric == "accuracy" and one.slice.label == "all")
    assert (row.n, row.n_skipped) == (4, 3)


def test_blocks_that_wait_for_questions_are_told() -> None:
    truths, predictions = made_up.world(2, 1, block="block", chance=0.2)
    stream = in_batches(truths, predictions, 1, CHOICES)
    assert stream.open_blocks == 1
    assert not any(row.metric == "block_consistent" for row in stream.rows(5))


def two_models(n: int) -> tuple[list[Truth], list[Prediction], list[Prediction]]:
    """Two models that find the same questions hard; the first is right somewhat more often."""
    generator = np.random.default_rng(8)
    truths, _ = made_up.world(8, n, split="val", question_type="difference")
    truths = [replace(one, photograph=f"{number // 2}") for number, one in enumerate(truths)]
    easy, spoiled = generator.random(n) < 0.5, generator.random(n) < 0.1

    def said(right: bool, truth: Truth) -> Prediction:
        chosen = truth.correct if right else (truth.correct + 1) % len(truth.choices)
        return Prediction(truth.question_id, chosen=chosen)

    first = [said(bool(one), truth) for one, truth in zip(easy, truths, strict=True)]
    second = [said(bool(one), truth) for one, truth in zip(easy & ~spoiled, truths, strict=True)]
    return truths, first, second


def test_two_models_are_told_apart_by_what_they_do_on_the_same_questions() -> None:
    truths, first, second = two_models(300)
    streams = [in_batches(truths, said, 100, CHOICES) for said in (first, second)]
    found = next(
        one for one in compare(*streams, replicates=300) if one.metric == "accuracy" and one.slice.label == "all"
    )
    rows = [
        next(one for one in stream.rows(300) if one.metric == "accuracy" and one.slice.label == "all").interval
        for stream in streams
    ]
    assert found.interval.value == pytest.approx(rows[0].value - rows[1].value)
    assert 0 < found.interval.low < found.interval.value < found.interval.high
    assert found.higher > 0.99
    assert rows[1].high > rows[0].low, "their own intervals overlap, or this shows nothing"
    back = next(one for one in compare(*streams[::-1], replicates=300) if one.metric == "accuracy")
    assert back.interval.value == pytest.approx(-found.interval.value)


def test_a_model_does_not_differ_from_itself() -> None:
    truths, first, _ = two_models(40)
    streams = [in_batches(truths, first, size, CHOICES) for size in (40, 7)]
    for one in compare(*streams, replicates=50):
        assert one.interval.value == pytest.approx(0, abs=1e-12)
        assert one.interval.low == pytest.approx(0, abs=1e-12) or one.units == 1
        assert one.higher == pytest.approx(0.5, abs=0.5)


def test_models_that_can_do_different_things_are_compared_on_what_both_can() -> None:
    truths, predictions = made_up.world(4, 40, split="val")
    first = in_batches(truths, predictions, 40, CHOICES)
    # The second names other parts, so that other questions have a say in the precision of its names.
    second = in_batches(truths, predictions[::-1], 40, Wanted(frozenset({"choices", "names"}), "oracle"))
    third = in_batches(
        truths, [replace(one, parts=()) for one in predictions], 40, Wanted(frozenset({"choices", "names"}), "oracle")
    )
    assert first.metrics != second.metrics
    of = Slice("val", "all", "all", "all")
    found = {one.metric: one for one in compare(first, second, replicates=50, of=[of])}
    assert found.keys() <= set(first.metrics)
    assert found["accuracy"].interval.value == 0
    by_name = {one.metric: one for one in compare(second, third, replicates=50, of=[of])}
    assert by_name["part_recall"].interval.value > 0
    assert "part_precision" not in by_name, "the third says no names"


def test_models_that_were_not_asked_the_same_are_not_compared() -> None:
    truths, first, second = two_models(40)
    whole = in_batches(truths, first, 40, CHOICES)
    for other in (
        in_batches(truths[:-2], second[:-2], 40, CHOICES),
        in_batches(truths[:-1], second[:-1], 40, CHOICES),
        in_batches([*truths[:-1], replace(truths[-1], question_id="another")], second[:-1], 40, CHOICES),
        in_batches(truths, second, 40, Wanted(frozenset({"choices"}), "predicted")),
    ):
        with pytest.raises(EvaluationError, match="Evaluate both on the same questions"):
            compare(whole, other, replicates=5)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Wanted(frozenset({"mask"})), "no measure 'mask'"),
        (lambda: Wanted(conditioning="gold"), "no conditioning 'gold'"),
        (lambda: Stream(Wanted(), unit="row"), "no unit 'row'"),
    ],
)
def test_settings_that_do_not_exist_are_said(make: object, said: str) -> None:
    assert callable(make)
    with pytest.raises(EvaluationError, match=said):
        make()


def test_masks_under_own_spans_have_names_of_their_own() -> None:
    oracle, predicted = Stream(Wanted()), Stream(Wanted(conditioning="predicted"))
    ours = {name for name in oracle.metrics if name.endswith("_oracle")}
    assert {name.replace("_oracle", "_predicted") for name in ours} <= set(predicted.metrics)
    assert not ours & set(predicted.metrics)


def test_labels_of_slices_say_what_is_in_them() -> None:
    assert Slice("val", "all", "all", "all").label == "all"
    assert Slice("val", "all", "source=paco", "verified").label == "source=paco, verified"
    assert Slice("val", "all", "all", "unverified").label == "unverified"
