"""Whether the correct choices are true, against plain Python that looks at one question after the other."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from partonomy_data.validation.rules import answers
from tests.validation.asking import alone, right_of
from tests.validation.damage import damaged, doubling, first, setting
from tests.validation.staged import Once, Row, Staged, keeping, questions, two_sources_in_few_files

#: Each takes about a second: a campaign of their own, beside the mutation test of all rules.
pytestmark = pytest.mark.soak

_CHECKS = {"questions": answers.CHECKS}
#: Rules about truth, which the oracle knows.
_TRUE = ("answer_is_visible", "answer_is_complete", "answer_agrees_with_part_graph")


@pytest.fixture
def staged(once: Once, tmp_path: Path) -> Staged:
    return Staged.of(two_sources_in_few_files(once), tmp_path)


def found(staged: Staged) -> dict[str, set[str]]:
    """Rule → the questions that break it."""
    return {rule: set(rows) for (_, rule), rows in staged.found(_CHECKS).items()}


# Against an oracle


class Oracle:
    """What a version's tables say, as dictionaries."""

    def __init__(self, staged: Staged, least: int) -> None:
        pixels: dict[tuple[str, str], int] = defaultdict(int)
        for row in staged.rows("parts"):
            pixels[row["object_id"], row["part_category"]] += row["area"]
        self.visible: dict[str, set[str]] = defaultdict(set)
        for (object_id, part), area in pixels.items():
            if area >= least:
                self.visible[object_id].add(part)
        self.has: dict[str, set[str]] = defaultdict(set)
        for row in staged.rows("part_graph"):
            self.has[row["object_category"]].add(row["part_category"])
        self.related: dict[str, set[str]] = defaultdict(set)
        for row in staged.rows("part_relations"):
            if row["relation"] != "distinct" and row["confidence"] >= 0.8 - 1e-6:
                self.related[row["part_a"]].add(row["part_b"])
                self.related[row["part_b"]].add(row["part_a"])

    def named(self, category: str, part: str) -> bool:
        """Whether the category has the part under any name."""
        return not self.has[category].isdisjoint({part} | self.related[part])

    def faults(self, row: Row) -> Iterator[str]:
        answer, others, kind = set(right_of(row)["parts"]), row["contrast_categories"], row["question_type"]
        alike = others[0] if kind in ("intersection", "contrast") else None
        unlike = others[-1] if kind in ("difference", "contrast") else None
        visible = self.visible[row["object_id"]]
        if answer - visible:
            yield "answer_is_visible"
        for part in visible - answer:
            # What is asked for and left out: a part that the other has under a related name alone may be left out.
            if (alike is None or part in self.has[alike]) and (unlike is None or not self.named(unlike, part)):
                yield "answer_is_complete"
        for part in visible & answer:
            if (alike is not None and not self.named(alike, part)) or (unlike is not None and self.named(unlike, part)):
                yield "answer_agrees_with_part_graph"


def expected(staged: Staged, least: int) -> dict[str, set[str]]:
    oracle = Oracle(staged, least)
    faults: dict[str, set[str]] = defaultdict(set)
    for row in questions(staged.folder):
        for rule in oracle.faults(row):
            faults[rule].add(row["question_id"])
    return dict(faults)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_not_true_any_more_is_found_as_by_an_oracle(staged: Staged, seed: int) -> None:
    """Parts, pairs of the part graph and relations are taken away by chance, relations made surer or less sure."""
    chance = random.Random(seed)
    damaged(staged.folder, "parts", keeping(lambda _: chance.random() > 0.05))
    damaged(staged.folder, "part_graph", keeping(lambda _: chance.random() > 0.05))
    damaged(staged.folder, "part_relations", keeping(lambda _: chance.random() > 0.3))
    sure = {True: 1.0, False: 0.5}
    damaged(
        staged.folder,
        "part_relations",
        lambda rows: rows.set_column(
            rows.column_names.index("confidence"),
            "confidence",
            [[sure[chance.random() > 0.5] for _ in range(len(rows))]],
        ),
    )
    least = chance.choice([1, 16, 100, 400])
    staged.manifest["config"]["questions"]["min_part_pixels"] = least
    due = expected(staged, least)
    assert set(due) == set(_TRUE)
    assert {rule: rows for rule, rows in found(staged).items() if rule in _TRUE} == due


def test_good_questions_break_no_rule_by_either(staged: Staged) -> None:
    least = staged.manifest["config"]["questions"]["min_part_pixels"]
    assert expected(staged, least) == found(staged) == {}


# Cases


def test_a_manifest_that_does_not_say_how_many_pixels_are_visible_means_the_default(staged: Staged) -> None:
    del staged.manifest["config"]
    assert found(staged) == {}


def test_parts_that_show_too_little_are_not_to_be_named(staged: Staged) -> None:
    staged.manifest["config"]["questions"]["min_part_pixels"] = 10**9
    assert found(staged)["answer_is_visible"] == {row["question_id"] for row in questions(staged.folder)}


def _shared(staged: Staged) -> tuple[Row, str, str]:
    """A question whose one part is shared with another category, this category, and the part."""
    row = next(row for row in questions(staged.folder, question_type="intersection") if len(right_of(row)["parts"]) > 1)
    return row, row["contrast_categories"][0], right_of(row)["parts"][0]


@pytest.mark.parametrize("relation", ["same", "broader", "narrower"])
def test_a_part_may_be_shared_under_another_name(staged: Staged, relation: str) -> None:
    row, other, part = _shared(staged)
    pair = first(staged.folder, "part_graph", object_category=other, part_category=part)
    damaged(staged.folder, "part_graph", setting(pair, part_category="flux capacitor"))
    assert row["question_id"] in found(staged)["answer_agrees_with_part_graph"]
    known = first(staged.folder, "part_relations")
    new = {"part_a": part, "part_b": "flux capacitor", "relation": relation}
    damaged(staged.folder, "part_relations", doubling(known, confidence=1.0, **new))
    assert row["question_id"] not in found(staged).get("answer_agrees_with_part_graph", ())


@pytest.mark.parametrize(("relation", "confidence"), [("distinct", 1.0), ("same", 0.79)])
def test_a_name_that_is_another_or_doubtful_is_none(staged: Staged, relation: str, confidence: float) -> None:
    row, other, part = _shared(staged)
    pair = first(staged.folder, "part_graph", object_category=other, part_category=part)
    damaged(staged.folder, "part_graph", setting(pair, part_category="flux capacitor"))
    known = first(staged.folder, "part_relations")
    new = {"part_a": part, "part_b": "flux capacitor", "relation": relation}
    damaged(staged.folder, "part_relations", doubling(known, confidence=confidence, **new))
    assert row["question_id"] in found(staged)["answer_agrees_with_part_graph"]


def test_the_reason_says_which_part_and_whose(staged: Staged) -> None:
    row, other, part = _shared(staged)
    key = (other, part)
    damaged(staged.folder, "part_graph", keeping(lambda one: (one["object_category"], one["part_category"]) != key))
    rows = staged.found(_CHECKS)["questions", "answer_agrees_with_part_graph"]
    assert rows[row["question_id"]] == f"{other} has no {part}"


def test_masks_in_another_order_are_the_same_masks(staged: Staged) -> None:
    row = next(row for row in staged.rows("question_masks") if len(row["part_ids"]) > 1)
    damaged(staged.folder, "question_masks", setting(row, part_ids=row["part_ids"][::-1]))
    assert found(staged) == {}


def test_a_mask_that_is_named_twice_is_one_too_many(staged: Staged) -> None:
    row = first(staged.folder, "question_masks")
    damaged(staged.folder, "question_masks", setting(row, part_ids=row["part_ids"] * 2))
    assert found(staged) == {"masks_are_all_instances": {row["question_id"]}}


def test_a_question_without_any_masks_is_told(staged: Staged) -> None:
    row = alone(staged.folder)
    damaged(staged.folder, "question_masks", keeping(lambda one: one["question_id"] != row["question_id"]))
    assert staged.found(_CHECKS) == {("questions", "named_parts_have_masks"): {row["question_id"]: "masks of nothing"}}
