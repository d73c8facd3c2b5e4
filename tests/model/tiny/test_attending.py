"""What is watched is what the decoder's attention compares, and the loss is 0 where it lies on what is asked for."""

from __future__ import annotations

import pytest
import torch
from segment_anything.modeling import Sam
from torch import Tensor, nn

from model.plum.segmenter import Segmenter
from model.tiny import attending
from model.tiny.attending import Watched
from tests.model.plum import sam_weights
from tests.model.plum.sam_weights import noise


@pytest.fixture(scope="module")
def made() -> Sam:
    return sam_weights.small()


def test_queries_and_keys_are_those_of_the_attentions_in_their_order(made: Sam) -> None:
    segmenter = Segmenter(made)
    attention = made.mask_decoder.transformer.final_attn_token_to_image
    given: list[dict[str, Tensor]] = []
    hook = attention.register_forward_pre_hook(lambda _module, _none, named: given.append(named), with_kwargs=True)
    image_of, queries = torch.tensor([0, 1, 1]), noise(3, 1, 16)
    with attending.watching(segmenter) as watched:
        plain = segmenter.decode(noise(2, 16, 4, 4), image_of, queries)
    hook.remove()
    seen = watched.take()
    assert len(seen) == 2 * len(watched.attentions) == 6
    assert watched.take() == []
    assert torch.equal(seen[-2], attention.q_proj(given[0]["q"]))
    assert torch.equal(seen[-1], attention.k_proj(given[0]["k"]))
    again = segmenter.decode(noise(2, 16, 4, 4), image_of, queries)
    assert torch.equal(plain.logits, again.logits)
    assert watched.take() == []


def looking(at: Tensor, heads: int = 2) -> Watched:
    """A decoding of one attention whose mask token looks at positions (N, p) in proportion to `at`."""
    attention = nn.Module()
    attention.num_heads = heads  # type: ignore[assignment]
    masks, positions = at.shape
    queries = torch.zeros(masks, 6, heads, 1)
    queries[:, 1] = 1
    keys = at.clamp(min=1e-9).log()[..., None, None].expand(masks, positions, heads, 1)
    watched = Watched([attention])
    watched.seen = [queries.flatten(2), keys.flatten(2)]
    return watched


def test_the_loss_is_nothing_where_attention_lies_on_what_is_asked_for() -> None:
    coverage = torch.zeros(3, 16, 16)
    coverage[0, :8, 4:12] = 1
    coverage[1, 2, 3] = 0.5
    cells = coverage.view(3, 4, 4, 4, 4).mean((2, 4)).flatten(1)
    # The last mask is empty: nothing is to be looked at.
    there = cells + torch.tensor([0, 0, 1])[:, None]
    loss, hits = attending.loss_of(looking(there), coverage)
    assert abs(float(loss)) < 1e-5
    assert hits == 0.5, "a position of which little is covered is none that counts as hit"
    away, none = attending.loss_of(looking(1 - cells), coverage)
    assert float(away) > 1
    assert none == 0
