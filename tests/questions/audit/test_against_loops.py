"""Vectorised set algebra, rates and ranks against plain Python."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.questions.audit import AuditTable, Report, crossfit, cues, linking
from partonomy_data.questions.audit import sets as algebra
from partonomy_data.questions.audit.assemble import assemble
from partonomy_data.questions.audit.credit import credit, ties
from partonomy_data.questions.audit.encode import Encoder, plain
from partonomy_data.questions.audit.table import Metadata, chunks

Audited: TypeAlias = Callable[[str], tuple[AuditTable, Report]]
LETTERS = [f"part {number}" for number in range(70)]
CHOICES = st.lists(st.frozensets(st.sampled_from(LETTERS), max_size=70), min_size=2, max_size=6)


def table_of(questions: Sequence[Sequence[frozenset[str]]], **columns: Any) -> AuditTable:
    """A table of questions with these choices, each on a photograph of its own unless `image_id` says otherwise."""
    n = len(questions)
    given_columns: dict[str, Any] = {
        "image_id": [f"image {place:04d}" for place in range(n)],
        "source": ["some"] * n,
        "split": ["test"] * n,
        "question_type": ["identification"] * n,
        "question": ["What parts?"] * n,
        "texts": [[f"{place} {' '.join(sorted(one))}" for place, one in enumerate(sets)] for sets in questions],
        "parts": [[sorted(one) for one in sets] for sets in questions],
        "correct_index": [0] * n,
    }
    encoder = Encoder()
    encoder.add(plain({**given_columns, **columns}, n), "here")
    return assemble(encoder, "here")


def choices_of(table: AuditTable) -> list[list[frozenset[str]]]:
    """The part sets of a table, read back from its flat arrays."""
    questions = table.questions
    found = []
    for row in range(len(table)):
        flat = range(row * questions.width, row * questions.width + int(questions.count[row]))
        bounds = [(questions.part_start[c], questions.part_start[c + 1]) for c in flat]
        found.append([frozenset(questions.parts[code] for code in questions.part[a:b]) for a, b in bounds])
    return found


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a | b else 1.0


def slow_cues(sets: list[frozenset[str]]) -> dict[str, list[float]]:
    k = len(sets)
    voted = frozenset(p for p in frozenset().union(*sets) if sum(p in one for one in sets) * 2 > k)
    median = statistics.median(len(one) for one in sets)
    others = [[other for place, other in enumerate(sets) if place != own] for own in range(k)]
    return {
        "most_similar": [statistics.fmean(jaccard(a, b) for b in rest) for a, rest in zip(sets, others, strict=True)],
        "majority_vote": [-len(one ^ voted) for one in sets],
        "middle_size": [-abs(len(one) - median) for one in sets],
        "nearest": [-min(max(len(a - b), len(b - a)) for b in rest) for a, rest in zip(sets, others, strict=True)],
        "only_here": [
            len([p for p in a if not any(p in b for b in rest)]) for a, rest in zip(sets, others, strict=True)
        ],
    }


@given(st.lists(CHOICES, min_size=1, max_size=6))
def test_cues_equal_plain_loops(questions: list[list[frozenset[str]]]) -> None:
    table = table_of(questions)
    sets = algebra.sets_of(table.questions)
    found = {
        "most_similar": cues.similarity(sets),
        "majority_vote": cues.majority(sets),
        "middle_size": cues.middle(sets),
        "nearest": cues.nearest(sets),
        "only_here": algebra.votes(sets)[1],
    }
    for row, read in enumerate(choices_of(table)):
        for name, values in slow_cues(read).items():
            np.testing.assert_allclose(found[name][row, : len(read)], values, atol=1e-12, err_msg=name)
    assert sorted(map(str, choices_of(table))) == sorted(
        str(list(sets)) for sets in choices_of(table_of(questions[::-1]))
    )


@given(CHOICES, CHOICES)
def test_links_equal_plain_loops(first: list[frozenset[str]], second: list[frozenset[str]]) -> None:
    table = table_of([first, second], image_id=["one", "one"], question_type=["identification", "intersection"])
    found = linking.links(table.questions.subject, algebra.sets_of(table.questions))
    assert found.linked.all()
    here, there = choices_of(table)
    for row, (mine, theirs) in enumerate([(here, there), (there, here)]):
        my_parts, their_parts = frozenset().union(*mine), frozenset().union(*theirs)
        for place, one in enumerate(mine):
            likeness = [jaccard(one & their_parts, other & my_parts) for other in theirs]
            expected = [
                any(one == other for other in theirs),
                any(one & their_parts == other for other in theirs),
                any(one == other & my_parts for other in theirs),
                sum(other <= one for other in theirs) / len(theirs),
                sum(one <= other for other in theirs) / len(theirs),
                sum(not one & other for other in theirs) / len(theirs),
                max(likeness),
                statistics.fmean(likeness),
            ]
            np.testing.assert_allclose(found.features[row, place], expected, atol=1e-12)
        np.testing.assert_allclose(np.exp(found.log_share[row, : len(mine)]).sum(), 1.0)


def test_rates_equal_plain_counts(audited: Audited) -> None:
    table, _ = audited("edited")
    fold = crossfit.folds(table, 3, 0)
    context = table.answers.category.astype(np.int64)
    rates = crossfit.Rates.of(table.questions, table.answers, context, fold, np.ones(len(table), bool))
    having: dict[tuple[int, int, str], int] = defaultdict(int)
    total: dict[tuple[int, int], int] = defaultdict(int)
    right = [sets[place] for sets, place in zip(choices_of(table), table.answers.correct.tolist(), strict=True)]
    for one, where, held in zip(right, context.tolist(), fold.tolist(), strict=True):
        for other in {0, 1, 2} - {held}:
            total[where, other] += 1
            for part in one:
                having[where, other, part] += 1
    generator = np.random.default_rng(5)
    for _ in range(300):
        where, held, part = (int(generator.integers(top)) for top in (context.max() + 1, 3, len(table.questions.parts)))
        n, m = rates.counts(np.array([where]), np.array([part]), np.array([held]))
        assert (n[0], m[0]) == (having[where, held, table.questions.parts[part]], total[where, held])


def test_the_expected_number_of_parts_follows_the_size_and_other_folds_only() -> None:
    generator = np.random.default_rng(0)
    n = 3_000
    context = generator.integers(0, 20, n)
    area = generator.normal(-3, 1, n).astype(np.float32)
    size = 4.0 + context * 0.1 + 0.8 * area + generator.normal(0, 0.1, n)
    fold = generator.integers(0, 3, n)
    unknown = np.full(n, np.nan, np.float32)
    metadata = Metadata(area, unknown, unknown, unknown)
    found = crossfit.expect(size, context, np.zeros(n, np.int64), metadata, fold)
    assert np.abs(found - (4.0 + context * 0.1 + 0.8 * area)).mean() < 0.1
    changed = np.where(fold == 1, size + 100, size)
    again = crossfit.expect(changed, context, np.zeros(n, np.int64), metadata, fold)
    np.testing.assert_array_equal(found[fold == 1], again[fold == 1])


@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 4)), min_size=1, max_size=25))
def test_ranks_in_blocks_equal_plain_loops(rows: list[tuple[int, int]]) -> None:
    block = np.array([one for one, _ in rows], np.int32)
    values = np.array([float(value) for _, value in rows])
    found = linking.rank_in_block(values, block)
    for place, (own, value) in enumerate(rows):
        others = [v for other, (b, v) in enumerate(rows) if b == own and other != place]
        if own < 0:
            assert math.isnan(found[place])
        elif not others:
            assert found[place] == 0.5
        else:
            below = sum(v < value for v in others) + 0.5 * sum(v == value for v in others)
            assert found[place] == pytest.approx(below / len(others))


@given(st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=5), min_size=1, max_size=8), st.data())
def test_ties_are_divided_evenly(scores: list[list[int]], data: st.DataObject) -> None:
    correct = [data.draw(st.integers(0, len(row) - 1)) for row in scores]
    width = max(map(len, scores))
    padded = np.array([row + [99] * (width - len(row)) for row in scores], float)
    valid = np.arange(width) < np.array([len(row) for row in scores])[:, None]
    found = credit(ties(padded, valid, np.array(correct)))
    for row, (values, right) in enumerate(zip(scores, correct, strict=True)):
        best = [place for place, value in enumerate(values) if value == max(values)]
        assert found[row] == pytest.approx(1 / len(best) if right in best else 0.0)


def test_neighbours_are_the_other_questions_of_a_photograph_and_bounded() -> None:
    subject = np.repeat(np.arange(4, dtype=np.int32), [1, 2, 5, 60])
    pairs = [
        pair for row, other in linking.neighbours(subject) for pair in zip(row.tolist(), other.tolist(), strict=True)
    ]
    assert len(pairs) == len(set(pairs))
    assert all(subject[row] == subject[other] and row != other for row, other in pairs)
    counts = np.bincount([row for row, _ in pairs], minlength=len(subject))
    assert counts.tolist() == [0] + [1] * 2 + [4] * 5 + [linking.MOST_LINKED] * 60


@pytest.mark.parametrize("most", [64, 200, 10_000])
def test_chunks_cover_all_questions_and_cut_no_photograph(audited: Audited, most: int) -> None:
    questions = audited("edited")[0].questions
    ranges = chunks(questions, most)
    assert [0, *(stop for _, stop in ranges)] == [*(start for start, _ in ranges), len(questions)]
    for _, stop in ranges[:-1]:
        assert questions.subject[stop - 1] != questions.subject[stop]


def test_shares_are_evened_out_over_a_block() -> None:
    a, b = frozenset({"part 1"}), frozenset({"part 2"})
    table = table_of([[a, b], [a, b], [a, b]], block_id=["x", "x", None], image_id=["1", "2", "3"])
    order = [row for row in range(3) if table.questions.block[row] >= 0]
    scores = np.zeros((3, 2), np.float32)
    scores[order[0], 0] = 3.0
    found = np.exp(linking.shared_out(scores, table.questions))
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-4)
    np.testing.assert_allclose(found[order].sum(axis=0), 1.0, atol=1e-2)
    assert found[order[1], 1] > 0.7
    alone = next(row for row in range(3) if table.questions.block[row] < 0)
    np.testing.assert_allclose(found[alone], 0.5, atol=1e-6)


def test_a_table_is_read_whole(audited: Audited, leaky: Callable[[str], tuple[Any, object]]) -> None:
    tables, _ = leaky("grouped")
    table, _ = audited("grouped")
    questions = table.questions
    wanted = sorted(
        (
            row["question_type"],
            row["names_object"],
            [sorted(choice["parts"]) for choice in row["choices"]],
            [len(choice["text"]) for choice in row["choices"]],
            row["correct_index"],
            row["contrast_categories"],
            [choice["object_category"] for choice in row["object_choices"] or []],
            -1 if row["correct_object_index"] is None else row["correct_object_index"],
            row["balanced"],
        )
        for row in tables.questions.to_pylist()
    )
    read = []
    for row, sets in enumerate(choices_of(table)):
        named = questions.contrast[questions.contrast_start[row] : questions.contrast_start[row + 1]]
        offered = questions.object_choice[row, : questions.object_count[row]]
        read.append(
            (
                questions.types[questions.type[row]],
                bool(questions.names_object[row]),
                [sorted(one) for one in sets],
                questions.text_length[row, : questions.count[row]].tolist(),
                int(table.answers.correct[row]),
                [questions.categories[code] for code in named],
                [questions.categories[code] for code in offered],
                int(table.answers.object_correct[row]),
                bool(table.balanced[row]),
            )
        )
    assert sorted(read) == wanted
    ids = tables.objects["object_id"].to_pylist()
    category = dict(zip(ids, tables.objects["object_category"].to_pylist(), strict=True))
    true = sorted(category[one] for one in tables.questions["object_id"].to_pylist())
    assert sorted(questions.categories[code] for code in table.answers.category) == true
