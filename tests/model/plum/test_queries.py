"""The mean over the tokens of spans: against a loop."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from model.plum import queries
from model.plum.errors import ModelError
from model.plum.queries import QueryProjection, mean_of_spans
from tests.model.plum.sam_weights import noise

STATES = noise(3, 7, 5)
bounds = st.tuples(st.integers(0, 2), st.integers(0, 6), st.integers(0, 6)).map(lambda one: (one[0], *sorted(one[1:])))
spans_of_rows = st.lists(bounds, max_size=6)


def columns(spans: list[tuple[int, int, int]]) -> tuple[Tensor, Tensor, Tensor]:
    row, first, last = torch.tensor(spans, dtype=torch.int64).reshape(-1, 3).unbind(1)
    return row, first, last


@given(spans_of_rows)
def test_a_spans_state_is_the_mean_of_its_tokens(spans: list[tuple[int, int, int]]) -> None:
    found = mean_of_spans(STATES, *columns(spans))
    assert found.shape == (len(spans), 5)
    for one, (row, first, last) in zip(found, spans, strict=True):
        wanted = sum((STATES[row, n] for n in range(first, last + 1)), torch.zeros(5)) / (last - first + 1)
        assert torch.equal(one, wanted)


@given(spans_of_rows)
@torch.no_grad()
def test_a_query_is_the_mean_of_what_the_mlp_makes_of_each_token(spans: list[tuple[int, int, int]]) -> None:
    projection = QueryProjection(5, 4)
    found = projection(STATES, *columns(spans))
    assert found.shape == (len(spans), 4)
    first_layer, _, second_layer = projection.mlp
    for one, (row, first, last) in zip(found, spans, strict=True):
        each = [second_layer(first_layer(STATES[row, n]).clamp(min=0)) for n in range(first, last + 1)]
        assert torch.allclose(one, torch.stack(each).mean(0), atol=1e-6)


def test_states_in_half_precision_are_averaged_in_single() -> None:
    states = (100 + noise(1, 400, 2)).bfloat16()
    found = mean_of_spans(states, *columns([(0, 0, 399)]))
    assert found.dtype == torch.float32
    assert torch.allclose(found[0], states[0].double().mean(0).float(), atol=1e-3)


def test_only_the_tokens_of_spans_are_looked_at() -> None:
    soiled = STATES.clone()
    soiled[0, :2], soiled[1:] = torch.nan, torch.inf
    assert torch.equal(
        mean_of_spans(soiled, *columns([(0, 2, 5)])),
        mean_of_spans(STATES, *columns([(0, 2, 5)])),
    )


def test_a_projection_begins_with_the_weights_of_a_file_in_whatever_precision(tmp_path: Path) -> None:
    made, fresh = QueryProjection(5, 4), QueryProjection(5, 4)
    halves = {name: one.half() for name, one in made.state_dict().items()}
    save_file(halves, tmp_path / "query.safetensors")
    queries.load(fresh, tmp_path / "query.safetensors")
    for name, one in fresh.state_dict().items():
        assert one.dtype == torch.float32
        assert torch.equal(one, halves[name].float())


def test_a_projection_of_other_widths_is_refused_with_both_shapes(tmp_path: Path) -> None:
    save_file(QueryProjection(5, 3).state_dict(), tmp_path / "query.safetensors")
    with pytest.raises(
        ModelError, match=r"not a query projection of this model: .*mlp\.2\.weight \(3, 5\), not \(4, 5\)"
    ):
        queries.load(QueryProjection(5, 4), tmp_path / "query.safetensors")


def test_a_projection_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Name a checkpoint of a query projection"):
        queries.load(QueryProjection(5, 4), tmp_path / "none.safetensors")
