"""With a sister's photograph the sister's choice is right: who looks takes it, who only reads takes what it took before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from model.evaluation import candidates, swapping
from model.evaluation.adapters.baselines import Random
from model.evaluation.asking import Asked, Chosen
from model.evaluation.job import EvaluationConfig
from model.evaluation.predicting import PredictionConfig
from model.plum.errors import ModelError
from partonomy_data.store.reader import open as open_store
from tests.helpers.command import partonomy

CONFIG = EvaluationConfig(PredictionConfig(split="train", limit=60))


class Looking(Random):
    """Knows each view's right choices by heart."""

    name = "looking"

    def __init__(self, right: dict[tuple[str, str], str]) -> None:
        super().__init__()
        self._right = right

    def choose(self, asked: Sequence[Asked]) -> list[Chosen | None]:
        return [Chosen(one.choices.index(self._right[one.view_id, one.question])) for one in asked]


class Reading(Random):
    """Takes the choice that comes first in the alphabet."""

    name = "reading"

    def choose(self, asked: Sequence[Asked]) -> list[Chosen | None]:
        return [Chosen(one.choices.index(min(one.choices))) for one in asked]


def swapped(root: Path, model: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """Metric → row, of all questions."""
    monkeypatch.setattr(candidates, "load", lambda *_, **__: (model, ""))
    rows = swapping.swap(root, model.name, CONFIG).rows
    return {row["metric"]: row for row in rows if row["question_type"] == "all"}


def test_who_looks_follows_the_photograph(own_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right: dict[tuple[str, str], str] = {}
    came_to = swapping.Pair.asked

    def noted(pair: swapping.Pair) -> tuple[Asked, Asked]:
        for one in (pair.posed, pair.sister):
            sample = one.turns["parts"]
            right[sample.view_id, sample.question] = sample.choices[sample.correct]
        own, other = came_to(pair)
        assert own.choices == other.choices
        assert own.view_id != other.view_id
        assert other.image is pair.sister.turns["parts"].view.image
        return own, other

    monkeypatch.setattr(swapping.Pair, "asked", noted)
    found = swapped(own_store, Looking(right), monkeypatch)
    assert (found["swap_follows"]["value"], found["swap_stays"]["value"], found["swap_same"]["value"]) == (1, 0, 0)
    assert found["swap_follows"]["low"] > 0.5, "of six groups at least"
    assert 20 <= found["swap_follows"]["n"] <= 60


def test_who_only_reads_stays_and_its_rows_can_be_queried(own_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = swapped(own_store, Reading(), monkeypatch)
    assert found["swap_same"]["value"] == 1
    chance = found["swap_chance"]["value"]
    assert 1 / 5 <= chance <= 1 / 3
    for metric in ("swap_follows", "swap_stays"):
        assert found[metric]["low"] <= chance <= found[metric]["high"], "each choice is right once in its block"
    with open_store(own_store) as store:
        sql = "SELECT value, n FROM evaluations WHERE model_id = 'reading' AND metric = 'swap_same' AND question_type = 'all'"
        assert store.sql(sql).fetchall() == [(1.0, found["swap_same"]["n"])]
        types = store.sql("SELECT count(DISTINCT question_type) FROM evaluations WHERE model_id = 'reading'").fetchall()
        assert types[0][0] > 2


def test_where_the_true_object_is_told_the_sister_has_the_same() -> None:
    with duckdb.connect() as store:
        store.sql("""CREATE TABLE questions AS SELECT question_id, question_type, block_id, 'val' AS split, true AS balanced,
            CASE WHEN told IS NOT NULL THEN [{object_category: 'bus'}, {object_category: told}] END AS object_choices,
            CASE WHEN told IS NOT NULL THEN 1 END AS correct_object_index
            FROM (VALUES ('a', 'whole_to_part', 'mixed', 'car'), ('b', 'whole_to_part', 'mixed', 'van'),
                ('c', 'whole_to_part', 'cars', 'car'), ('d', 'whole_to_part', 'cars', 'car'),
                ('e', 'part_to_whole', 'parts first', 'car'), ('f', 'part_to_whole', 'parts first', 'van'),
                ('g', 'identification', 'one turn', NULL)) AS t(question_id, question_type, block_id, told)""")
        found = store.execute(swapping._BLOCKS, {"split": "val"}).fetchall()
    assert [name for name, _ in found] == ["c", "d", "g", "e", "f"]


def test_what_looks_at_nothing_or_cannot_be_asked_is_refused(own_store: Path) -> None:
    with pytest.raises(ModelError, match="the oracle looks at no photograph"):
        swapping.swap(own_store, "oracle", CONFIG)
    with pytest.raises(ModelError, match="there is no such model"):
        swapping.swap(own_store, "said.jsonl", CONFIG)


def test_the_command_says_it_below_the_other_metrics(own_store: Path) -> None:
    done = partonomy("evaluate", "--root", own_store, "--model", "random", "--split", "val", "--limit", "30", "--swap")
    assert done.status == 0, done.err
    said = done.out.splitlines()
    assert "with the photograph of a sister question:" in said
    assert said[-1].strip().startswith(tuple(str(number) for number in range(2, 31)))
    assert "chance is 0." in said[-1]
