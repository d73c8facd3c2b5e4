"""What the region's shape tells of the parts and of the object, and that it decides nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from partonomy_data.questions import audit
from partonomy_data.questions.audit import AuditTable, attack, shapes
from partonomy_data.questions.audit.credit import credit, ties
from partonomy_data.questions.audit.report import SHAPES
from tests.questions.audit.conftest import QUICK
from tests.questions.audit.test_against_loops import table_of

BLOCKS = 300


def table(*, told: bool, region: bool = True) -> AuditTable:
    """Blocks of two: buses show a wheel, and are wide; vans show a door. Where `told` is false, all shapes are alike."""
    generator = np.random.default_rng(0)
    n = 2 * BLOCKS
    wide = np.arange(n) % 2 == 0
    sides = generator.uniform(40, 60, (n, 2))
    sides[wide & told, 0] *= 2
    boxes = np.column_stack([generator.uniform(0, 50, (n, 2)), sides])
    return table_of(
        [[frozenset({"wheel"}), frozenset({"door"})]] * n,
        image_id=[f"image {row:03}" for row in generator.permutation(n)],
        question_type=["whole_to_part"] * n,
        correct_index=(~wide).astype(int).tolist(),
        texts=[["a wheel", "a door"]] * n,
        group_id=[f"group {row // 2}" for row in range(n)],
        block_id=[f"block {row // 2}" for row in range(n)],
        balanced=[True] * n,
        object_choices=[["bus", "van"]] * n,
        correct_object_index=(~wide).astype(int).tolist(),
        object_balanced=[True] * n,
        region=boxes.tolist() if region else None,
    )


def with_category(found: AuditTable) -> AuditTable:
    answers = found.answers
    return replace(found, answers=replace(answers, category=answers.object_correct.astype(np.int32)))


def accuracy(found: AuditTable) -> tuple[float, float]:
    """Of the attackers on parts and on objects."""
    fold = np.asarray(found.unit % 3, np.int64)
    answers, offered = found.answers, found.questions.object_choice >= 0
    parts: NDArray[Any] = ties(shapes.parts(found, fold), found.questions.valid, answers.correct)
    objects: NDArray[Any] = ties(shapes.objects(found, fold), offered, answers.object_correct)
    return float(credit(parts).mean()), float(credit(objects).mean())


def test_what_is_wide_is_told_from_what_is_not() -> None:
    assert min(accuracy(with_category(table(told=True)))) > 0.9


def test_shapes_that_are_alike_tell_nothing() -> None:
    assert accuracy(with_category(table(told=False))) == pytest.approx((0.5, 0.5), abs=0.15)


def test_without_a_region_there_is_nothing_to_go_by() -> None:
    found = table(told=True, region=False)
    assert accuracy(with_category(found)) == (0.5, 0.5)
    assert not SHAPES & attack.attack(found, QUICK).parts.keys()


def test_answers_of_the_own_unit_are_not_seen() -> None:
    found = with_category(table(told=True))
    fold = np.asarray(found.unit % 3, np.int64)
    own = found.unit == 7
    answers = found.answers
    moved = replace(answers, correct=np.where(own, 1 - answers.correct, answers.correct))
    before, after = shapes.parts(found, fold), shapes.parts(replace(found, answers=moved), fold)
    np.testing.assert_allclose(before[own], after[own], atol=1e-12)
    assert not np.allclose(before[~own], after[~own])


def test_shapes_are_reported_and_decide_nothing() -> None:
    report = audit.audit(with_category(table(told=True)), QUICK)
    rows = {row.attacker: row for row in report.rows if row.slice == "balanced=true" and row.question_type == "all"}
    assert rows.keys() >= SHAPES
    assert not any(rows[name].within_chance for name in SHAPES)
    # The blocks mix categories, which the true first answer tells.
    assert {row.attacker for row in report.beyond("balanced=true")} == {"first_turn"}
