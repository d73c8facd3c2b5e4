"""The mean over the tokens of spans: against a loop."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from model.plum.queries import QueryProjection, mean_of_spans
from tests.model.plum.sam_weights import noise

STATES = noise(3, 7, 5)
IDS = torch.arange(21).view(3, 7) % 4
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
    found = projection(STATES, IDS, *columns(spans))
    assert found.shape == (len(spans), 4)
    first_layer, _, second_layer = projection.mlp
    for one, (row, first, last) in zip(found, spans, strict=True):
        each = [second_layer(first_layer(STATES[row, n]).clamp(min=0)) for n in range(first, last + 1)]
        assert torch.allclose(one, torch.stack(each).mean(0), atol=1e-6)


@given(spans_of_rows)
@torch.no_grad()
def test_with_words_each_token_has_an_embedding_beside_its_state(spans: list[tuple[int, int, int]]) -> None:
    projection = QueryProjection(5, 4, vocabulary=4)
    assert projection.words is not None
    found = projection(STATES, IDS, *columns(spans))
    for one, (row, first, last) in zip(found, spans, strict=True):
        each = []
        for n in range(first, last + 1):
            word = projection.words.weight[IDS[row, n]]
            each.append(projection.mlp(torch.cat([STATES[row, n], word / word.square().mean().sqrt()])))
        assert torch.allclose(one, torch.stack(each).mean(0), atol=1e-3)


def test_the_embeddings_of_words_have_a_gradient_for_the_tokens_of_spans_alone() -> None:
    projection = QueryProjection(5, 4, vocabulary=6)
    assert projection.words is not None
    projection(STATES, IDS, *columns([(0, 1, 2)])).square().sum().backward()
    assert projection.words.weight.grad is not None
    assert projection.words.weight.grad.any(1).tolist() == [False, True, True, False, False, False]


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
