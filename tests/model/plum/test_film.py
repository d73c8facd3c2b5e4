"""FiLM against plain loops, and that a new one changes nothing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from model.plum.film import Film
from tests.model.plum.sam_weights import noise, stir


def oracle(film: Film, maps: Tensor, queries: Tensor) -> list[list[list[list[float]]]]:
    """(1 + scale) x + shift, one number at a time: the projection's first half is the scales, its second the shifts."""
    weight, bias = film.projection.weight.tolist(), film.projection.bias.tolist()
    channels = maps.shape[1]

    def projected(row: int, query: list[float]) -> float:
        return bias[row] + sum(w * q for w, q in zip(weight[row], query, strict=True))

    return [
        [
            [[(1 + projected(c, query)) * x + projected(channels + c, query) for x in line] for line in plane]
            for c, plane in enumerate(one)
        ]
        for one, query in zip(maps.tolist(), queries.tolist(), strict=True)
    ]


sides = st.integers(1, 4)


@given(st.integers(0, 3), st.integers(1, 5), sides, sides, st.integers(1, 4), st.integers(0, 99))
def test_each_channel_is_scaled_and_shifted_by_its_query(
    masks: int, channels: int, height: int, width: int, query_width: int, seed: int
) -> None:
    film = Film(query_width, channels)
    stir(film, seed, 0.7)
    maps, queries = noise(masks, channels, height, width, seed=seed), noise(masks, query_width, seed=seed + 1)
    found = film(maps, queries)
    assert found.shape == maps.shape
    assert torch.allclose(found, torch.tensor(oracle(film, maps, queries)).view_as(maps), atol=1e-4)


def test_a_new_one_changes_nothing_and_learns_from_the_first_step() -> None:
    film, maps, queries = Film(5, 3), noise(2, 3, 4, 4), noise(2, 5)
    assert torch.equal(film(maps, queries), maps)
    film(maps, queries).square().sum().backward()
    for weight in film.parameters():
        assert weight.grad is not None
        assert weight.grad.abs().min() > 0


@pytest.mark.parametrize("shape", [(3, 5), (2, 4)])
def test_queries_that_do_not_fit_the_maps_are_not_broadcast(shape: tuple[int, int]) -> None:
    with pytest.raises(RuntimeError):
        Film(5, 3)(noise(2, 3, 4, 4), noise(*shape))
