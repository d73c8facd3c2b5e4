"""The mask encoder with FiLM, and the pool of earlier masks: against SAM's own, plain loops, and torch's attention."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from model.plum.mask_feedback import FeedbackConfig, MaskFeedback, Sharpness
from model.plum.segmenter import Segmenter
from partonomy_data.errors import PartonomyError
from tests.model.plum.sam_weights import SMALL, noise, small, stir

SAM = small()
WIDTH, GRID, CELLS = SMALL.prompt_width, SMALL.grid, SMALL.mask_size
POSITIONS, NO_MASK = noise(WIDTH, GRID, GRID, seed=100), noise(WIDTH, seed=101)
PLAIN, ORDERED = FeedbackConfig(heads=4), FeedbackConfig(heads=4, order_aware=True, most_masks=8)


def feedback(config: FeedbackConfig = PLAIN, stirred: float = 0.3) -> MaskFeedback:
    """A feedback whose weights all matter, the same each time; `stirred` 0 leaves it as it starts."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = MaskFeedback(SAM, config)
    stir(made, 1, stirred)
    return made


def maps_of(answers: int, steps: int, seed: int = 0) -> Tensor:
    return noise(answers, steps, WIDTH, GRID, GRID, seed=seed)


def test_at_the_start_a_mask_is_encoded_as_sam_does_whatever_the_query() -> None:
    logits = 8 * noise(5, CELLS, CELLS)
    found = feedback(stirred=0.0).encode(logits, noise(5, WIDTH))
    assert torch.equal(found, SAM.prompt_encoder.mask_downscaling(logits[:, None]))
    assert found.shape == (5, WIDTH, GRID, GRID)


@torch.no_grad()
def test_at_the_start_earlier_masks_change_nothing_for_the_decoder() -> None:
    made, no_mask = feedback(stirred=0.0), SAM.prompt_encoder.no_mask_embed.weight[0]
    found = made.pool(maps_of(3, 4), torch.ones(3, 4, dtype=torch.bool), POSITIONS, no_mask)
    assert torch.equal(found, no_mask[None, :, None, None].expand_as(found))


def test_at_the_start_what_earlier_masks_tell_can_be_learned() -> None:
    made, no_mask = feedback(stirred=0.0), SAM.prompt_encoder.no_mask_embed.weight[0].detach()
    found = made.pool(maps_of(3, 4), torch.ones(3, 4, dtype=torch.bool), POSITIONS, no_mask)
    (found * noise(*found.shape, seed=7)).sum().backward()
    assert made.output_projection.weight.grad is not None
    assert made.output_projection.weight.grad.abs().min() > 0


def test_the_encoder_is_a_copy_that_trains_even_where_sams_is_frozen() -> None:
    segmenter = Segmenter(small())
    made = MaskFeedback(segmenter.sam, PLAIN)
    assert all(weight.requires_grad for weight in made.parameters())
    theirs = {weight.data_ptr() for weight in segmenter.parameters()}
    assert not theirs & {weight.data_ptr() for weight in made.parameters()}


def encoder_oracle(made: MaskFeedback, logits: Tensor, query: Tensor) -> Tensor:
    """Conv, LayerNorm over channels, FiLM, GELU, twice, then 1 x 1 conv: of one mask (4h, 4w), patch by patch."""
    maps = logits[None]
    for convolution, norm, film, _ in (made.first, made.second):
        out = torch.zeros(convolution.out_channels, maps.shape[1] // 2, maps.shape[2] // 2)
        scale, shift = (film.projection.weight @ query + film.projection.bias).chunk(2)
        for row in range(out.shape[1]):
            for column in range(out.shape[2]):
                patch = maps[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
                value = (convolution.weight * patch).sum((1, 2, 3)) + convolution.bias
                value = (value - value.mean()) / (value.var(correction=0) + 1e-6).sqrt() * norm.weight + norm.bias
                value = value * (1 + scale) + shift
                out[:, row, column] = value * 0.5 * (1 + torch.erf(value / math.sqrt(2)))
        maps = out
    return torch.einsum("ec,chw->ehw", made.last.weight[:, :, 0, 0], maps) + made.last.bias[:, None, None]


@torch.no_grad()
def test_each_mask_is_encoded_with_its_own_query() -> None:
    made, logits, queries = feedback(), 4 * noise(3, CELLS, CELLS), noise(3, WIDTH)
    found = made.encode(logits, queries)
    for i in range(3):
        assert torch.allclose(found[i], encoder_oracle(made, logits[i], queries[i]), atol=1e-4)


@pytest.mark.parametrize(
    ("sharpen", "seen"),
    [("logits", lambda x: x), ("probabilities", lambda x: 1 / (1 + (-x).exp())), ("binary", lambda x: (x > 0) * 1.0)],
)
def test_masks_are_sharpened_as_asked(sharpen: Sharpness, seen: object) -> None:
    logits, queries = 4 * noise(2, CELLS, CELLS), noise(2, WIDTH)
    found = feedback(replace(PLAIN, sharpen=sharpen)).encode(logits, queries)
    assert torch.allclose(found, feedback(PLAIN).encode(seen(logits), queries), atol=1e-5)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("config", "flows"),
    [
        (PLAIN, True),
        (replace(PLAIN, sharpen="probabilities"), True),
        (replace(PLAIN, detach=True), False),
        (replace(PLAIN, sharpen="binary"), False),
    ],
)
def test_gradients_go_back_through_earlier_masks_unless_detached(config: FeedbackConfig, flows: bool) -> None:
    made = feedback(config)
    logits, queries = noise(2, CELLS, CELLS).requires_grad_(), noise(2, WIDTH).requires_grad_()
    maps = made.encode(logits, queries)[None]
    made.pool(maps, torch.ones(1, 2, dtype=torch.bool), POSITIONS, NO_MASK).square().sum().backward()
    assert (logits.grad is not None and bool(logits.grad.abs().sum() > 0)) == flows
    assert queries.grad is not None
    assert queries.grad.abs().sum() > 0
    unused = {name for name, weight in made.named_parameters() if weight.grad is None or not weight.grad.abs().any()}
    assert unused == set()


def pool_oracle(made: MaskFeedback, maps: Tensor, valid: Tensor) -> Tensor:
    """Multi-head attention over the valid steps, position by position and head by head, of one answer (T, C, h, w)."""
    known = valid.nonzero().flatten().tolist()
    if not known:
        return NO_MASK[:, None, None].expand(WIDTH, GRID, GRID)
    out, heads = torch.zeros(WIDTH, GRID, GRID), made.config.heads
    own = WIDTH // heads
    for row in range(GRID):
        for column in range(GRID):
            inputs = [maps[t, :, row, column] + POSITIONS[:, row, column] for t in known]
            if made.steps is not None:
                inputs = [x + made.steps[t] for x, t in zip(inputs, known, strict=True)]
            query = made.query_projection(made.query_map[row * GRID + column])
            joined = []
            for head in range(heads):
                of = slice(head * own, head * own + own)
                scores = [float(query[of] @ made.key_projection(x)[of]) / math.sqrt(own) for x in inputs]
                shares = [math.exp(score - max(scores)) for score in scores]
                values = [made.value_projection(x)[of] for x in inputs]
                joined.append(sum(s / sum(shares) * v for s, v in zip(shares, values, strict=True)))
            out[:, row, column] = made.output_projection(torch.cat(joined))
    return out


FORMS = [PLAIN, ORDERED, replace(PLAIN, heads=1, numbers_at_once=1500), replace(ORDERED, numbers_at_once=1)]
MADE = [feedback(config) for config in FORMS]


@given(st.integers(0, 3), st.integers(0, 4), st.integers(0, 99), st.data())
@torch.no_grad()
def test_the_pool_is_attention_over_the_earlier_masks_at_each_position(
    answers: int, steps: int, seed: int, data: st.DataObject
) -> None:
    made = data.draw(st.sampled_from(MADE))
    rows = data.draw(
        st.lists(st.lists(st.booleans(), min_size=steps, max_size=steps), min_size=answers, max_size=answers)
    )
    valid = torch.tensor(rows, dtype=torch.bool).view(answers, steps)
    maps = maps_of(answers, steps, seed)
    found = made.pool(maps, valid, POSITIONS, NO_MASK)
    assert found.shape == (answers, WIDTH, GRID, GRID)
    for i in range(answers):
        assert torch.allclose(found[i], pool_oracle(made, maps[i], valid[i]), atol=1e-4)


@torch.no_grad()
def test_the_pool_is_torchs_own_attention_over_maps_with_positions() -> None:
    made, maps = feedback(), maps_of(1, 5)
    theirs = nn.MultiheadAttention(WIDTH, 4, batch_first=True)
    projections = (made.query_projection, made.key_projection, made.value_projection)
    theirs.in_proj_weight.copy_(torch.cat([layer.weight for layer in projections]))
    # A bias of the keys, whatever it is, makes no difference: the pool does without.
    theirs.in_proj_bias.copy_(torch.cat([projections[0].bias, noise(WIDTH), projections[2].bias]))
    theirs.out_proj.load_state_dict(made.output_projection.state_dict())
    seen = (maps[0] + POSITIONS).flatten(2).permute(2, 0, 1)
    wanted, _ = theirs(made.query_map[:, None], seen, seen)
    found = made.pool(maps, torch.ones(1, 5, dtype=torch.bool), POSITIONS, NO_MASK)
    assert torch.allclose(found[0].flatten(1).T, wanted[:, 0], atol=1e-4)


@given(st.permutations(range(5)))
@torch.no_grad()
def test_the_order_of_earlier_masks_counts_only_where_it_is_asked_for(order: list[int]) -> None:
    maps, valid = maps_of(2, 5), torch.tensor([[True] * 5, [True, False, True, True, False]])
    for made, aware in ((MADE[0], False), (MADE[1], True)):
        before, after = (
            made.pool(maps[:, at], valid[:, at], POSITIONS, NO_MASK) for at in (list(range(5)), list(order))
        )
        differs = float((before - after).abs().max()) > 1e-3
        assert differs == (aware and order != list(range(5)))


@torch.no_grad()
def test_one_earlier_mask_is_pooled_the_same_whatever_the_learned_queries() -> None:
    made, maps, valid = feedback(), maps_of(2, 3), torch.tensor([[True, True, False], [False, True, False]])
    before = made.pool(maps, valid, POSITIONS, NO_MASK)
    made.query_map.mul_(-3.0)
    after = made.pool(maps, valid, POSITIONS, NO_MASK)
    assert not torch.allclose(before[0], after[0], atol=1e-2)
    assert torch.allclose(before[1], after[1], atol=1e-5)


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("garbage", [math.inf, -math.inf, math.nan, 1e38])
def test_what_maps_that_are_not_valid_hold_changes_nothing_nor_any_gradient(made: MaskFeedback, garbage: float) -> None:
    valid = torch.tensor([[True, False, True], [False, False, False], [True, True, False]])
    results = []
    for held in (0.0, garbage):
        made.zero_grad()
        maps = maps_of(3, 3).masked_fill(~valid[:, :, None, None, None], held).requires_grad_()
        pooled = made.pool(maps, valid, POSITIONS, NO_MASK)
        pooled.square().sum().backward()
        assert maps.grad is not None
        assert not maps.grad[~valid].any()
        gradients = [weight.grad for weight in made.parameters() if weight.grad is not None]
        results.append([pooled, maps.grad, *gradients])
    assert len(results[0]) > 8
    assert all(torch.equal(clean, soiled) for clean, soiled in zip(*results, strict=True))
    assert torch.equal(results[1][0][1], NO_MASK[:, None, None].expand(WIDTH, GRID, GRID))


def test_the_pool_leaves_its_input_as_it_was_even_where_the_image_is_a_single_position() -> None:
    made = MaskFeedback(small(replace(SMALL, image_size=SMALL.patch_size)), PLAIN)
    maps = noise(2, 3, WIDTH, 1, 1)
    before = maps.clone()
    made.pool(maps, torch.tensor([[True, False, True], [False] * 3]), POSITIONS[:, :1, :1], NO_MASK)
    assert torch.equal(maps, before)


def test_no_mask_learns_from_answers_without_earlier_masks_only() -> None:
    no_mask = NO_MASK.clone().requires_grad_()
    feedback().pool(
        maps_of(3, 2), torch.tensor([[False, True], [False] * 2, [False] * 2]), POSITIONS, no_mask
    ).sum().backward()
    assert no_mask.grad is not None
    assert no_mask.grad.tolist() == [2 * GRID * GRID] * WIDTH
    assert torch.equal(
        feedback().pool(maps_of(2, 0), torch.zeros(2, 0, dtype=torch.bool), POSITIONS, NO_MASK),
        NO_MASK[:, None, None].expand(2, WIDTH, GRID, GRID),
    )


def test_slices_of_positions_give_the_same_pool_and_the_same_gradients() -> None:
    valid = torch.tensor([[True, True, False], [False, True, True]])
    results = []
    for at_once in (1 << 24, 600, 1):
        made = feedback(replace(ORDERED, numbers_at_once=at_once))
        maps = maps_of(2, 3).requires_grad_()
        pooled = made.pool(maps, valid, POSITIONS, NO_MASK)
        pooled.square().sum().backward()
        results.append([pooled, maps.grad, *(weight.grad for weight in made.parameters() if weight.grad is not None)])
    for other in results[1:]:
        for found, wanted in zip(other, results[0], strict=True):
            assert torch.allclose(found, wanted, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("answers", [1, 4])
def test_the_pool_keeps_less_for_the_backward_pass_than_one_copy_of_its_input(answers: int) -> None:
    """Keys and values of each mask would be two; the slices' own copies one. Views of the input cost nothing."""
    made = feedback(replace(PLAIN, numbers_at_once=4096))
    maps = maps_of(answers, 40).requires_grad_()
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() != maps.untyped_storage().data_ptr():
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        made.pool(maps, torch.ones(answers, 40, dtype=torch.bool), POSITIONS, NO_MASK)
    assert sum(kept.values()) < 0.2 * maps.untyped_storage().nbytes()


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ({"heads": 0}, "heads"),
        ({"most_masks": 0}, "most_masks"),
        ({"numbers_at_once": 0}, "numbers_at_once"),
        ({"sharpen": "sharp"}, "'sharp'. Known: logits, probabilities, binary"),
    ],
)
def test_settings_that_cannot_be_are_refused(setting: dict[str, int], what: str) -> None:
    with pytest.raises(PartonomyError, match=what):
        FeedbackConfig(**setting)  # type: ignore[arg-type]


def test_what_does_not_fit_is_refused_in_one_line() -> None:
    made, valid = feedback(ORDERED), torch.ones(2, 3, dtype=torch.bool)
    maps = maps_of(2, 3)
    wrong = [
        ("maps of earlier masks are", lambda: made.pool(maps[0], valid, POSITIONS, NO_MASK)),
        ("maps of earlier masks are", lambda: made.pool(maps[..., :2], valid, POSITIONS, NO_MASK)),
        ("not bool", lambda: made.pool(maps, valid.float(), POSITIONS, NO_MASK)),
        ("not bool", lambda: made.pool(maps, valid[:, :2], POSITIONS, NO_MASK)),
        ("don't fit maps", lambda: made.pool(maps, valid, POSITIONS[None], NO_MASK)),
        ("don't fit maps", lambda: made.pool(maps, valid, POSITIONS, NO_MASK[None])),
        (
            "Raise `most_masks`",
            lambda: made.pool(maps_of(1, 9), torch.ones(1, 9, dtype=torch.bool), POSITIONS, NO_MASK),
        ),
        ("masks .* with queries", lambda: made.encode(noise(2, CELLS, CELLS), noise(3, WIDTH))),
        ("masks .* with queries", lambda: made.encode(noise(2, GRID, GRID), noise(2, WIDTH))),
        ("3 heads can't share 16", lambda: MaskFeedback(SAM, FeedbackConfig(heads=3))),
    ]
    for what, call in wrong:
        with pytest.raises(PartonomyError, match=what) as raised:
            call()
        assert "\n" not in str(raised.value)
