"""Many spans of many images in one batch: the same as one by one, and as the package's own decoder; what trains."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from model.plum import sam, segmenter
from model.plum.segmenter import Decoded, Segmenter
from partonomy_data.errors import PartonomyError
from tests.model.plum.sam_weights import SMALL, noise, small

SEGMENTER = Segmenter(small())
WIDTH, GRID = SMALL.prompt_width, SMALL.grid
IMAGES = noise(3, WIDTH, GRID, GRID, seed=1)
MIXED = torch.tensor([2, 0, 2, 1, 0, 2, 0])


def span(seed: int, spans: int = len(MIXED), tokens: int = 1) -> tuple[Tensor, Tensor]:
    """Queries (N, K, C) and dense prompts (N, C, h, w)."""
    return noise(spans, tokens, WIDTH, seed=seed), noise(spans, WIDTH, GRID, GRID, seed=seed + 1)


def package(segmenter: Segmenter, image: Tensor, queries: Tensor, dense: Tensor) -> Decoded:
    """The package's own forward: one image, whose prompts have one dense prompt each."""
    logits, iou = segmenter.sam.mask_decoder(
        image_embeddings=image,
        image_pe=segmenter.sam.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=queries,
        dense_prompt_embeddings=dense,
        multimask_output=False,
    )
    return Decoded(logits[:, 0], iou[:, 0])


def same(found: Decoded, wanted: Decoded) -> None:
    """To float32's rounding, which may differ with the size of a batch."""
    for ours, theirs in ((found.logits, wanted.logits), (found.iou, wanted.iou)):
        assert ours.shape == theirs.shape
        assert ours.dtype == torch.float32
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4 * float(theirs.abs().max()))


@pytest.mark.parametrize("tokens", [0, 1, 3])
@torch.no_grad()
def test_spans_of_several_images_are_decoded_as_the_package_does_one_image_at_a_time(tokens: int) -> None:
    queries, dense = span(5, tokens=tokens)
    found = SEGMENTER.decode(IMAGES, MIXED, queries, dense)
    assert found.logits.shape == (len(MIXED), SMALL.mask_size, SMALL.mask_size)
    for image in range(3):
        those = torch.eq(MIXED, image)
        wanted = package(SEGMENTER, IMAGES[image : image + 1], queries[those], dense[those])
        same(Decoded(found.logits[those], found.iou[those]), wanted)


@torch.no_grad()
def test_no_dense_prompt_is_sams_no_mask() -> None:
    queries, _ = span(5)
    found = SEGMENTER.decode(IMAGES, MIXED, queries)
    _, no_mask = SEGMENTER.sam.prompt_encoder(points=None, boxes=None, masks=None)
    for i, image in enumerate(MIXED.tolist()):
        wanted = package(SEGMENTER, IMAGES[image : image + 1], queries[i : i + 1], no_mask)
        same(Decoded(found.logits[i : i + 1], found.iou[i : i + 1]), wanted)


@given(st.lists(st.integers(0, 2), min_size=0, max_size=6), st.integers(1, 8), st.booleans())
@torch.no_grad()
def test_a_batch_in_any_order_and_any_pieces_is_its_spans_one_by_one(
    order: list[int], at_once: int, prompted: bool
) -> None:
    image_of = torch.tensor(order, dtype=torch.int64)
    queries, dense = span(len(order), len(order))
    prompts = dense if prompted else None
    whole = SEGMENTER.decode(IMAGES, image_of, queries, prompts)
    in_pieces = SEGMENTER.decode(IMAGES, image_of, queries, prompts, at_once=at_once)
    assert in_pieces.logits.shape == whole.logits.shape
    if order:
        same(in_pieces, whole)
    assert whole.logits.shape == (len(order), SMALL.mask_size, SMALL.mask_size)
    assert whole.iou.shape == (len(order),)
    for i, image in enumerate(order):
        own = None if prompts is None else prompts[i : i + 1]
        alone = SEGMENTER.decode(IMAGES[image : image + 1], torch.tensor([0]), queries[i : i + 1], own)
        same(Decoded(whole.logits[i : i + 1], whole.iou[i : i + 1]), alone)


def test_an_embedding_is_taken_once_for_each_span_and_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    select = Tensor.index_select

    def counted(self: Tensor, dim: int, index: Tensor) -> Tensor:
        taken.append(len(index))
        return select(self, dim, index)

    monkeypatch.setattr(Tensor, "index_select", counted)
    SEGMENTER.decode(IMAGES, MIXED, *span(3))
    SEGMENTER.decode(IMAGES, MIXED, *span(3), at_once=3)
    assert taken == [7, 3, 3, 1]


def test_encoding_is_sams_own_and_keeps_nothing_where_the_encoder_is_frozen() -> None:
    pixels = noise(2, 3, SMALL.image_size, SMALL.image_size)
    frozen, training = Segmenter(small()), Segmenter(small(), freeze_encoder=False)
    with torch.no_grad():
        wanted = frozen.sam.image_encoder(pixels)
    assert torch.equal(frozen.encode(pixels), wanted)
    assert not frozen.encode(pixels).requires_grad
    assert torch.equal(training.encode(pixels), wanted)
    assert training.encode(pixels).requires_grad
    with torch.no_grad():
        assert not training.encode(pixels).requires_grad
    assert frozen.encode(pixels[:0]).shape == (0, WIDTH, GRID, GRID)


def test_a_frozen_encoder_takes_large_photographs_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = noise(3, 3, SMALL.image_size, SMALL.image_size)
    frozen, training = Segmenter(small()), Segmenter(small(), freeze_encoder=False)
    taken: list[int] = []
    for one in (frozen, training):
        one.sam.image_encoder.register_forward_pre_hook(lambda _, given: taken.append(len(given[0])))
    together = frozen.encode(pixels)
    monkeypatch.setattr(segmenter, "_PIXELS", SMALL.image_size**2)
    assert torch.allclose(frozen.encode(pixels), together, rtol=1e-4, atol=1e-5)
    training.encode(pixels)
    with torch.no_grad():
        assert torch.allclose(training.encode(pixels), together, rtol=1e-4, atol=1e-5)
    assert taken == [3, 1, 1, 1, 3, 1, 1, 1]


def _learn(segmenter: Segmenter, with_iou: bool) -> set[str]:
    """The modules that get a gradient where a loss looks at masks, and at IoU or not; all weights that train must."""
    embeddings = segmenter.encode(noise(3, 3, SMALL.image_size, SMALL.image_size))
    decoded = segmenter.decode(embeddings, MIXED, span(4)[0], at_once=2)
    loss = decoded.logits.square().mean() + (decoded.iou.square().mean() if with_iou else 0.0)
    loss.backward()
    named = dict(segmenter.sam.named_parameters())
    learned = {name for name, weight in named.items() if weight.grad is not None and weight.grad.abs().sum() > 0}
    # A key's bias adds the same to all scores of a softmax: its gradient is nothing but rounding, where it isn't 0.
    free = {name for name, weight in named.items() if weight.requires_grad and "k_proj.bias" not in name}
    assert free - learned == set()
    assert all(named[name].requires_grad for name in learned)
    return {".".join(name.split(".")[:2]) for name in learned}


DECODER = {f"mask_decoder.{part}" for part in ("iou_token", "mask_tokens", "transformer", "output_upscaling")}
DECODER |= {"mask_decoder.output_hypernetworks_mlps"}
NO_MASK, IOU = {"prompt_encoder.no_mask_embed"}, {"mask_decoder.iou_prediction_head"}
ENCODER = {f"image_encoder.{part}" for part in ("pos_embed", "patch_embed", "blocks", "neck")}


@pytest.mark.parametrize(
    ("options", "learns"),
    [
        ({}, DECODER | NO_MASK),
        ({"freeze_no_mask": True}, DECODER),
        ({"freeze_iou_head": False}, DECODER | NO_MASK | IOU),
        ({"freeze_decoder": True}, NO_MASK),
        ({"freeze_encoder": False, "freeze_decoder": True, "freeze_no_mask": True}, ENCODER),
        ({"freeze_encoder": False}, ENCODER | DECODER | NO_MASK),
    ],
)
def test_what_is_not_frozen_learns_and_nothing_else(options: dict[str, bool], learns: set[str]) -> None:
    assert _learn(Segmenter(small(), **options), not options.get("freeze_iou_head", True)) == learns


def test_only_the_single_masks_hypernetwork_trains() -> None:
    networks = Segmenter(small()).sam.mask_decoder.output_hypernetworks_mlps
    assert [all(w.requires_grad for w in network.parameters()) for network in networks] == [True, False, False, False]


def test_gradients_reach_queries_dense_prompts_and_embeddings_of_their_own_spans_only() -> None:
    segmenter = Segmenter(small(), freeze_decoder=True)
    embeddings, queries, dense = (t.clone().requires_grad_() for t in (IMAGES, *span(6)))
    segmenter.decode(embeddings, MIXED, queries, dense, at_once=4).logits[3].sum().backward()
    for tensor, own in ((embeddings, 1), (queries, 3), (dense, 3)):
        assert tensor.grad is not None
        touched = tensor.grad.flatten(1).abs().sum(1) > 0
        assert touched.nonzero().flatten().tolist() == [own]


def test_positions_are_the_packages_and_stay_exact_in_half_precision() -> None:
    segmenter = Segmenter(small())
    wanted = segmenter.sam.prompt_encoder.get_dense_pe()[0]
    assert torch.equal(segmenter.positions(), wanted)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(segmenter.positions(), wanted)
    assert segmenter.to(torch.bfloat16).positions().dtype == torch.float32


@torch.no_grad()
def test_a_segmenter_in_bfloat16_gives_float32_masks_like_its_own() -> None:
    queries, dense = span(7)
    pixels = noise(3, 3, SMALL.image_size, SMALL.image_size)
    exact, half = Segmenter(small(size=0.05)), Segmenter(small(size=0.05)).to(torch.bfloat16)
    wanted = exact.decode(exact.encode(pixels), MIXED, queries, dense).logits
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = exact.decode(exact.encode(pixels), MIXED, queries, dense).logits
    for found in (mixed, half.decode(half.encode(pixels), MIXED, queries, dense).logits):
        assert found.dtype == torch.float32
        assert float((found - wanted).abs().max()) < 0.05 * float(wanted.abs().max())


def _decode(
    embeddings: Tensor = IMAGES,
    image_of: Tensor = MIXED,
    queries: Tensor | None = None,
    dense: Tensor | None = None,
    at_once: int | None = None,
) -> Decoded:
    return SEGMENTER.decode(embeddings, image_of, span(1)[0] if queries is None else queries, dense, at_once=at_once)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"embeddings": IMAGES[0]}, "image embeddings are"),
        ({"embeddings": IMAGES[:2]}, "an image that is not among the 2 given"),
        ({"image_of": MIXED - 1}, "an image that is not among the 3 given"),
        ({"image_of": MIXED.float()}, "not int64"),
        ({"image_of": MIXED[:5]}, r"queries are \(7, 1, 16\), not \(5, K, 16\)"),
        ({"queries": span(1)[0][:, 0]}, r"queries are \(7, 16\)"),
        ({"queries": span(1)[0][..., :8]}, r"queries are \(7, 1, 8\)"),
        ({"dense": span(1)[1][:1]}, "dense prompts are"),
        ({"at_once": 0}, "at least 1 span"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(wrong: dict[str, Tensor | int], what: str) -> None:
    with pytest.raises(PartonomyError, match=what) as raised:
        _decode(**wrong)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)


def test_pixels_of_another_size_are_refused() -> None:
    with pytest.raises(PartonomyError, match=r"takes \(I, 3, 32, 32\)"):
        SEGMENTER.encode(noise(1, 3, 64, 64))


def test_a_segmenter_learns_a_mask_for_each_query() -> None:
    """Two queries on one image, two halves: what keeps prompts and images apart is used, or this can't be learned."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        segmenter = Segmenter(sam.build(SMALL))
    queries = nn.Parameter(noise(2, 1, WIDTH))
    wanted = torch.zeros(2, SMALL.mask_size, SMALL.mask_size)
    wanted[0, :8] = wanted[1, 8:] = 1.0
    weights = [weight for weight in segmenter.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam([*weights, queries], lr=5e-3)
    for _ in range(150):
        logits = segmenter.decode(IMAGES[:1], torch.tensor([0, 0]), queries).logits
        loss = nn.functional.binary_cross_entropy_with_logits(logits, wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert ((logits > 0) == wanted.bool()).float().mean() > 0.95
