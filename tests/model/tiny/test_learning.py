"""The loop of pre-training: which scenes a step sees, which weights learn by which rule."""

from __future__ import annotations

from torch import Tensor, nn

from model.muon import Muon
from model.tiny import learning
from model.tiny.learning import Measured, Rates, Task
from model.tiny.scenes import Drawn


def test_each_group_of_scenes_is_seen_four_times_with_others_between() -> None:
    seen = [learning.group_of(step) for step in range(400)]
    assert seen[::4] == list(range(100))
    places: dict[int, list[int]] = {}
    for step, group in enumerate(seen):
        places.setdefault(group, []).append(step)
    for group in range(12, 85):
        first = 4 * group
        assert places[group] == [first, first + 17, first + 34, first + 51]


def test_hidden_matrices_and_all_else_are_shared_out_between_two_rules() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.hidden, self.frozen = nn.Embedding(5, 4), nn.Linear(4, 4), nn.Linear(4, 4)
            self.lm_head = nn.Linear(4, 5)
            self.frozen.requires_grad_(False)

    def step(_: int, __: list[Drawn]) -> tuple[Tensor, Measured]:
        raise AssertionError("no step is taken")

    model = Both()
    muon, adam = learning.optimisers(Task("masks", model, step, 1, 1, ("fresh",), Rates(0.1, 0.2, 1)))
    by_muon, by_adam = ([one for group in rule.param_groups for one in group["params"]] for rule in (muon, adam))
    assert isinstance(muon, Muon)
    assert [one is model.hidden.weight for one in by_muon] == [True]
    wanted = [model.embedding.weight, model.hidden.bias, model.lm_head.weight, model.lm_head.bias]
    assert {id(one) for one in by_adam} == {id(one) for one in wanted}
    assert len(by_adam) == len(wanted)
