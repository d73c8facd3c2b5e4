"""Descriptions of parts: different for different looks, and prompts of the decoder's width."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from model.tiny import descriptions, invented
from model.tiny.invented import Look

BODY = Look("hexagon", (0.8, 0.5), (0, 0), 0, 1, 0, 0)
PART = Look("ring", (0.2, 0.3), (0.4, -0.2), 0.1, 2, 20, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"outline": "hoop"},
        {"half": (0.2, 0.31)},
        {"center": (0.4, -0.1)},
        {"apart": 0.2},
        {"copies": 3},
        {"turn": 45.0},
        {"layer": -1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_is_different_of_a_part_shows(change: dict[str, object]) -> None:
    assert not np.array_equal(descriptions.of(PART, BODY), descriptions.of(replace(PART, **change), BODY))


def test_the_body_shows_and_whether_a_whole_is_meant() -> None:
    assert not np.array_equal(descriptions.of(PART, BODY), descriptions.of(PART, replace(BODY, outline="bowl")))
    assert not np.array_equal(descriptions.of(PART, BODY), descriptions.of(PART, replace(BODY, half=(0.8, 0.4))))
    assert not np.array_equal(descriptions.of(BODY, BODY), descriptions.of(None, BODY))


def test_no_two_numbers_of_a_description_share_a_place() -> None:
    """Each entry of a description depends on one thing: those that differ between two looks are as many as it has."""
    plain = descriptions.of(PART, BODY)
    for change, entries in (({"outline": "hoop"}, 2), ({"copies": 3}, 2), ({"layer": -1}, 2), ({"turn": 45.0}, 1)):
        assert int((plain != descriptions.of(replace(PART, **change), BODY)).sum()) == entries
    assert len(plain) == descriptions.LENGTH


def test_every_part_of_the_worlds_can_be_described() -> None:
    for looks in (*invented.shared(7).looks, *invented.fresh(7, 1).looks):
        made = descriptions.stacked([descriptions.of(look, BODY) for look in looks.values()])
        assert made.shape == (len(looks), descriptions.LENGTH)
        assert torch.isfinite(made).all()
    assert descriptions.Describer(16)(made).shape == (len(made), 1, 16)
    assert descriptions.stacked([]).shape == (0, descriptions.LENGTH)
