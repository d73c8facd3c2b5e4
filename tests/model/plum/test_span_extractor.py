"""The span extractor: its two orders layer by layer, and what it must not see."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import layer_norm

from model.plum.errors import ModelError
from model.plum.span_extractor import SpanExtractor, SpanExtractorConfig
from tests.model.plum.sam_weights import noise

Order = Literal["mlp_first", "transformer_first"]
ORDERS: tuple[Order, ...] = ("mlp_first", "transformer_first")
HIDDEN = 12


def extractor(order: Order, width: int | None = None) -> SpanExtractor:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SpanExtractor(SpanExtractorConfig(order, width, heads=2, feed_forward=16), HIDDEN)


def attention(layer: torch.nn.TransformerEncoderLayer, states: Tensor) -> Tensor:
    """Self-attention over all the tokens (A, width), head by head."""
    own = layer.self_attn
    query, key, value = (states @ own.in_proj_weight.T + own.in_proj_bias).chunk(3, -1)
    size = query.shape[-1] // own.num_heads
    heads = []
    for at in range(0, query.shape[-1], size):
        scores = query[:, at : at + size] @ key[:, at : at + size].T / size**0.5
        heads.append(scores.softmax(-1) @ value[:, at : at + size])
    return torch.cat(heads, -1) @ own.out_proj.weight.T + own.out_proj.bias


def oracle(made: SpanExtractor, states: Tensor) -> Tensor:
    """Logits (A, 3) of one answer (A, hidden)."""

    def transformer(x: Tensor) -> Tensor:
        layer = made.transformer
        x = layer_norm(x + attention(layer, x), x.shape[-1:], layer.norm1.weight, layer.norm1.bias)
        inner = (x @ layer.linear1.weight.T + layer.linear1.bias).clamp(min=0)
        inner = inner @ layer.linear2.weight.T + layer.linear2.bias
        return layer_norm(x + inner, x.shape[-1:], layer.norm2.weight, layer.norm2.bias)

    def mlp(x: Tensor) -> Tensor:
        return made.mlp[2]((made.mlp[0](x)).clamp(min=0))

    inner = transformer(mlp(states)) if made.order == "mlp_first" else mlp(transformer(states))
    return inner @ made.tags.weight.T + made.tags.bias


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("width", [None, 8])
@torch.no_grad()
def test_the_layers_come_in_the_order_that_is_asked_for(order: Order, width: int | None) -> None:
    made, states = extractor(order, width).eval(), noise(5, HIDDEN)
    found = made(states[None], torch.ones(1, 5, dtype=torch.bool))
    assert torch.allclose(found[0], oracle(made, states), atol=1e-5)


@pytest.mark.parametrize("order", ORDERS)
def test_all_tokens_of_the_answer_are_seen_on_either_side(order: Order) -> None:
    made, states = extractor(order).eval(), noise(1, 4, HIDDEN).requires_grad_()
    for place in range(4):
        (gradient,) = torch.autograd.grad(made(states, torch.ones(1, 4, dtype=torch.bool))[0, place].sum(), states)
        assert (gradient[0].abs().sum(-1) > 0).all()


@given(st.sampled_from(ORDERS), st.lists(st.integers(0, 5), min_size=1, max_size=4), st.floats(-1e4, 1e4))
def test_padding_and_neighbours_change_nothing(order: Order, lengths: list[int], garbage: float) -> None:
    made = extractor(order).eval()
    rows = [noise(length, HIDDEN, seed=n) for n, length in enumerate(lengths)]
    states = torch.full((len(rows), 6, HIDDEN), garbage)
    mask = torch.zeros(len(rows), 6, dtype=torch.bool)
    for number, row in enumerate(rows):
        states[number, : len(row)], mask[number, : len(row)] = row, True
    for keeps_gradients in (False, True):  # torch takes another way through the layer without them
        with torch.set_grad_enabled(keeps_gradients):
            found = made(states, mask)
        assert found.shape == (len(rows), 6, 3)
        assert not found[~mask].any()
        for number, row in enumerate(rows):
            assert torch.allclose(found[number, : len(row)], oracle(made, row), atol=1e-4)


@pytest.mark.parametrize("order", ORDERS)
def test_an_answer_without_tokens_gives_no_nan_not_even_in_gradients(order: Order) -> None:
    made = extractor(order).train()
    states = noise(2, 3, HIDDEN).requires_grad_()
    mask = torch.tensor([[False] * 3, [True, True, False]])
    found = made(states, mask)
    found.square().sum().backward()
    assert found.isfinite().all()
    assert states.grad is not None
    assert not states.grad[~mask].any()
    assert states.grad[mask].abs().sum() > 0
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in made.parameters())


def test_states_in_half_precision_are_taken() -> None:
    found = extractor("mlp_first").eval()(noise(1, 2, HIDDEN).bfloat16(), torch.ones(1, 2, dtype=torch.bool))
    assert found.dtype == torch.float32


@pytest.mark.parametrize(
    ("order", "width", "heads"), [("mlp_first", 9, 2), ("transformer_first", 8, 5), ("mlp_first", 8, 0)]
)
def test_heads_that_do_not_divide_the_width_are_refused(order: Order, width: int, heads: int) -> None:
    with pytest.raises(ModelError, match=rf"{heads} heads can't share \d+ channels"):
        SpanExtractor(SpanExtractorConfig(order, width, heads), HIDDEN)
