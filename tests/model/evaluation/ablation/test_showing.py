"""What an ablation says of its numbers, of models that are made up."""

from __future__ import annotations

import pytest

from model.evaluation.ablation import pooling, showing
from model.evaluation.ablation.comparing import Compared
from model.evaluation.ablation.job import Ablated
from model.evaluation.scoring import Wanted
from model.evaluation.streaming import Stream
from tests.model.evaluation import made_up

OF = pooling.whole("test")


def said(**metrics: pooling.Pooled | None) -> list[str]:
    """The sentences about one variant that has these metrics on `test`."""
    known = {name: value for name, value in metrics.items() if value is not None}
    made = Ablated("v", {"plum": ("plum-1",)}, {}, {"plum": "plum"}, {"test": {"plum": Compared(known, {})}})
    return showing.sentences(made)


@pytest.mark.parametrize("k", [3, 4, 5])
def test_who_never_looks_is_at_chance(k: int) -> None:
    stream = made_up.blind(k)
    found = {name: pooling.pooled([stream] * 3, name, OF) for name in ("accuracy", "chance")}
    assert said(**found)[0].endswith("at chance.")


def test_what_is_told_of_all_questions_is_not_said_of_balanced_ones() -> None:
    """Questions in no block count as well."""
    truths, predictions = made_up.world(2, 30, split="test")
    stream = Stream(Wanted(frozenset({"choices"})))
    stream.add(truths, predictions)
    found = {name: pooling.pooled([stream], name, OF) for name in ("accuracy", "chance")}
    accuracy, chance = (one.interval.value for one in found.values() if one is not None)
    told = f"On test, plum takes the right choice in {accuracy:.3f} of the questions, where chance is {chance:.3f}: "
    assert said(**found)[0].startswith(told)
