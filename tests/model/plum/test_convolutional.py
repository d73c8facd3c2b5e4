"""The encoder of convolutions, and the decoder that sees its finer maps."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from segment_anything.modeling import Sam

from model.plum import convolutional, sam
from model.plum.segmenter import Segmenter
from tests.model.plum import sam_weights
from tests.model.plum.sam_weights import noise

SMALL = replace(sam_weights.SMALL, convolutions=((8, 0), (8, 1), (16, 2), (8, 1)), wide=5)
CARRIED = convolutional.carried(16, 5)


@pytest.fixture(scope="module")
def made() -> Sam:
    return sam_weights.small(SMALL)


def test_finer_maps_come_back_as_they_were_folded() -> None:
    own, finest, finer = noise(2, 16, 4, 4), noise(2, 7, 16, 16, seed=1), noise(2, 4, 8, 8, seed=2)
    folded = convolutional.fold(own, finest, finer)
    assert folded.shape == (2, CARRIED, 4, 4)
    for one, back in zip((own, finest, finer), convolutional.unfold(folded, 16), strict=True):
        assert torch.equal(one, back)


def test_a_photograph_is_embedded_alike_alone_and_among_others(made: Sam) -> None:
    pixels = noise(3, 3, 32, 32)
    segmenter = Segmenter(made)
    together = segmenter.encode(pixels)
    assert together.shape == (3, segmenter.channels, *segmenter.grid) == (3, CARRIED, 4, 4)
    for one, alone in zip(together, pixels, strict=True):
        torch.testing.assert_close(one, segmenter.encode(alone[None])[0], rtol=1e-5, atol=1e-5)


def test_without_finer_maps_masks_are_those_of_the_packages_own_decoder(made: Sam) -> None:
    segmenter = Segmenter(made)
    own = noise(1, 16, 4, 4)
    embeddings = convolutional.fold(own, torch.zeros(1, 7, 16, 16), torch.zeros(1, 4, 8, 8))
    queries = noise(3, 1, 16, seed=3)
    decoded = segmenter.decode(embeddings, torch.zeros(3, dtype=torch.int64), queries)
    dense = segmenter.no_mask()[None, :, None, None].expand(3, -1, 4, 4)
    masks, iou = made.mask_decoder(own, segmenter.positions()[None], queries, dense, multimask_output=False)
    torch.testing.assert_close(decoded.logits, masks[:, 0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(decoded.iou, iou[:, 0], rtol=1e-4, atol=1e-4)


def test_masks_of_many_photographs_are_those_of_each_and_see_its_finer_maps(made: Sam) -> None:
    segmenter = Segmenter(made)
    embeddings = segmenter.encode(noise(2, 3, 32, 32))
    queries, image_of = noise(4, 1, 16, seed=4), torch.tensor([1, 0, 1, 1])
    together = segmenter.decode(embeddings, image_of, queries).logits
    for one, query, image in zip(together, queries, image_of.tolist(), strict=True):
        alone = segmenter.decode(embeddings[image : image + 1], torch.zeros(1, dtype=torch.int64), query[None])
        torch.testing.assert_close(one, alone.logits[0], rtol=1e-4, atol=1e-4)
    for first, last in ((16, 48), (48, CARRIED - 16), (CARRIED - 16, CARRIED)):
        changed = embeddings.clone()
        changed[0, first:last] += 1
        moved = (segmenter.decode(changed, image_of, queries).logits - together).abs().amax((1, 2))
        assert [bool(one > 0) for one in moved] == [False, True, False, False]


def test_all_of_it_learns() -> None:
    segmenter = Segmenter(sam_weights.small(SMALL), freeze_encoder=False)
    decoded = segmenter.decode(segmenter.encode(noise(1, 3, 32, 32)), torch.tensor([0]), noise(1, 1, 16))
    decoded.logits.square().mean().backward()
    assert all(one.grad is not None and one.grad.any() for one in segmenter.sam.image_encoder.parameters())


def test_its_checkpoint_is_known_by_its_form(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "sam.pth"
    torch.save(sam.build(sam.SamConfig.named("tiny_conv")).state_dict(), path)
    assert sam.load_official(path, "tiny_conv").image_encoder.img_size == 128
    with pytest.raises(sam.ModelError, match="looks like a tiny_conv"):
        sam.load_official(path, "tiny")


def test_other_numbers_of_strides_are_refused() -> None:
    with pytest.raises(sam.ModelError, match="three strides"):
        replace(SMALL, convolutions=((8, 0),))


def test_wide_channels_of_another_encoder_are_refused() -> None:
    with pytest.raises(sam.ModelError, match="only an encoder of convolutions has wide channels"):
        replace(sam_weights.SMALL, wide=4)
    with pytest.raises(sam.ModelError, match="less than no wide channels"):
        replace(SMALL, wide=-1)


@pytest.mark.parametrize("of", [[1, 0, 1, 1], [2], [0, 0], [2, 2, 1, 0, 2]])
def test_filters_that_share_a_map_give_what_each_gives_alone(of: list[int]) -> None:
    """Gradients too; of a map that none asks for they are 0."""
    filters, maps = noise(len(of), 5).requires_grad_(), noise(3, 5, 4, 6, seed=1).requires_grad_()
    found = convolutional.products(filters, maps, torch.tensor(of))
    wanted = torch.einsum("nc,nchw->nhw", filters, maps[of])
    torch.testing.assert_close(found, wanted)
    weight = noise(len(of), 4, 6, seed=2)
    ours = torch.autograd.grad((found * weight).sum(), (filters, maps))
    theirs = torch.autograd.grad((wanted * weight).sum(), (filters, maps))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)
