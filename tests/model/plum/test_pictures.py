"""Photographs into SAM's square and back, and masks as targets: against the package, and against plain loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image
from segment_anything.utils.transforms import ResizeLongestSide

from model.plum.pictures import Placement, enlarge, masks_of, place, prepare, prepare_all, targets_of, valid_cells
from partonomy_data.errors import PartonomyError
from tests.model.plum.sam_weights import SMALL, noise, photograph, small

SAM, SIDE, CELLS = small(), SMALL.image_size, SMALL.mask_size
sides = st.integers(1, 90)


@given(sides, sides)
def test_pixels_and_sizes_are_those_of_the_package(height: int, width: int) -> None:
    resize = ResizeLongestSide(SIDE)
    wanted_size = resize.get_preprocess_shape(height, width, SIDE)
    image = photograph(height, width, seed=height)
    pixels, placement = prepare(Image.fromarray(image), SMALL)
    assert placement == Placement(height, width, max(1, wanted_size[0]), max(1, wanted_size[1]), SIDE)
    assert (pixels.shape, pixels.dtype) == ((3, SIDE, SIDE), torch.float32)
    if min(wanted_size) > 0:
        resized = torch.as_tensor(resize.apply_image(image)).permute(2, 0, 1)
        assert torch.equal(pixels, SAM.preprocess(resized))


@given(sides, sides, st.integers(0, 9))
def test_masks_are_enlarged_as_the_package_does(height: int, width: int, seed: int) -> None:
    placement = place(height, width, SIDE)
    logits = noise(2, CELLS, CELLS, seed=seed)
    shown = (placement.resized_height, placement.resized_width)
    wanted = SAM.postprocess_masks(logits[:, None], shown, (height, width))[:, 0]
    assert torch.equal(enlarge(logits, placement), wanted)
    masks = masks_of(logits, [placement, place(7, 5, SIDE)])
    assert masks[0].dtype == np.bool_
    assert np.array_equal(masks[0], (wanted[0] > SAM.mask_threshold).numpy())
    assert masks[1].shape == (7, 5)


def coverage(mask: NDArray[np.bool_], at: Placement, cells: int) -> tuple[list[list[float]], list[list[bool]]]:
    """The share of each cell's inside that the mask covers, pixel by pixel, all in cells."""
    down = at.resized_height * cells / at.image_size / at.height
    along = at.resized_width * cells / at.image_size / at.width
    covered, inside = np.zeros((cells, cells)), np.zeros((cells, cells))
    for row in range(cells):
        for column in range(cells):
            for y in range(at.height):
                tall = min(row + 1, (y + 1) * down) - max(row, y * down)
                for x in range(at.width):
                    wide = min(column + 1, (x + 1) * along) - max(column, x * along)
                    if tall > 0 and wide > 0:
                        inside[row, column] += tall * wide
                        covered[row, column] += tall * wide * mask[y, x]
    valid = inside > 1e-9
    return (covered / np.where(valid, inside, 1)).tolist(), valid.tolist()


small_masks = st.tuples(st.integers(1, 7), st.integers(1, 7)).flatmap(lambda size: hnp.arrays(np.bool_, size))


@given(small_masks, st.sampled_from([(8, 4), (8, 8), (12, 4)]))
def test_a_target_is_the_share_of_each_cell_that_the_mask_covers(
    mask: NDArray[np.bool_], sizes: tuple[int, int]
) -> None:
    side, cells = sizes
    at = place(*mask.shape, side)
    found = targets_of([mask], [at], cells)
    wanted, valid = coverage(mask, at, cells)
    assert found.valid[0].tolist() == valid
    assert found.coverage[0].numpy() == pytest.approx(np.array(wanted), abs=1e-5)


@settings(max_examples=30)
@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([(128, 64), (1024, 256)]))
def test_the_whole_photograph_fills_its_valid_cells_and_nothing_fills_none(
    height: int, width: int, sizes: tuple[int, int]
) -> None:
    side, cells = sizes
    at = place(height, width, side)
    masks = [np.ones((height, width), np.uint8), np.zeros((height, width), np.bool_)]
    found = targets_of(masks, [at, at], cells)
    assert torch.allclose(found.coverage[0], found.valid[0].float(), atol=1e-5)
    assert not found.coverage[1].any()
    scale = cells / side
    rows, columns = (int(np.ceil(resized * scale)) for resized in (at.resized_height, at.resized_width))
    assert found.valid[0].sum() == rows * columns
    assert found.valid[0][:rows, :columns].all()
    assert torch.equal(valid_cells([at, at], cells), found.valid)


@given(st.integers(40, 300), st.integers(40, 300), st.integers(0, 9))
def test_a_target_enlarged_again_is_the_mask(height: int, width: int, seed: int) -> None:
    """Ellipses of some size: where the target crosses a half is their edge, to about a pixel of the smaller scale."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    middle, radius = random.uniform(0.3, 0.7, 2) * (height, width), random.uniform(0.15, 0.5, 2) * (height, width)
    mask = ((y + 0.5 - middle[0]) / radius[0]) ** 2 + ((x + 0.5 - middle[1]) / radius[1]) ** 2 < 1
    at = place(height, width, 128)
    again = masks_of(targets_of([mask], [at], 64).coverage - 0.5, [at])[0]
    edge = np.pi * (radius[0] + radius[1])
    assert (again != mask).sum() <= 0.5 * edge * max(1.0, max(height, width) / 64)


def test_a_thin_part_does_not_vanish() -> None:
    mask = np.zeros((900, 1200), np.bool_)
    mask[450, 100:1100] = True
    found = targets_of([mask], [place(900, 1200, 128)], 64)
    assert (found.coverage > 0).sum() >= 53
    assert found.coverage.sum() == pytest.approx(1000 * (64 / 1200) ** 2, rel=1e-4)


@pytest.mark.parametrize("size", [(10000, 3), (3, 10000), (1, 1), (2000, 1), (1, 2000)])
@pytest.mark.parametrize("side", [32, 1024])
def test_the_thinnest_photographs_go_both_ways(size: tuple[int, int], side: int) -> None:
    config = replace(SMALL, image_size=side)
    pixels, at = prepare(Image.fromarray(photograph(*size)), config)
    assert torch.isfinite(pixels).all()
    assert (at.resized_height, at.resized_width) >= (1, 1)
    mask = masks_of(torch.ones(1, config.mask_size, config.mask_size), [at])[0]
    assert mask.shape == size
    assert mask.all()
    found = targets_of([mask], [at], config.mask_size)
    assert found.valid.any()
    assert torch.allclose(found.coverage, found.valid.float(), atol=1e-5)


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA", "CMYK", "YCbCr"])
def test_other_modes_of_eight_bits_become_rgb(mode: str) -> None:
    image = Image.fromarray(photograph(12, 9)).convert(mode)
    assert torch.equal(prepare(image, SMALL)[0], prepare(image.convert("RGB"), SMALL)[0])


def test_a_palette_with_transparency_is_read_without_a_warning() -> None:
    image = Image.fromarray(photograph(12, 9)).convert("P")
    image.info["transparency"] = bytes(range(256))
    assert torch.equal(
        prepare(image, SMALL)[0], prepare(Image.fromarray(np.array(image.convert("RGBA"))[..., :3]), SMALL)[0]
    )


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_more_than_eight_bits_are_refused(mode: str) -> None:
    with pytest.raises(PartonomyError, match=r"no known scale\. Convert it to RGB first"):
        prepare(Image.new(mode, (4, 4)), SMALL)


def test_a_batch_is_its_photographs_one_by_one() -> None:
    images = [Image.fromarray(photograph(*size)) for size in ((20, 50), (64, 64), (1, 9))]
    pixels, placements = prepare_all(images, SMALL)
    for i, image in enumerate(images):
        alone, at = prepare(image, SMALL)
        assert torch.equal(pixels[i], alone)
        assert placements[i] == at
    assert prepare_all([], SMALL)[0].shape == (0, 3, SIDE, SIDE)


def test_what_does_not_fit_is_refused() -> None:
    at = place(5, 6, SIDE)
    with pytest.raises(PartonomyError, match=r"shape \(6, 5\) doesn't fit a photograph of 5 x 6"):
        targets_of([np.ones((6, 5), np.bool_)], [at], CELLS)
    with pytest.raises(PartonomyError, match="1 masks can't lie in 2 photographs"):
        targets_of([np.ones((5, 6), np.bool_)], [at, at], CELLS)
    with pytest.raises(PartonomyError, match="2 masks can't lie in 1 photographs"):
        masks_of(noise(2, CELLS, CELLS), [at])
    for height, width in ((0, 5), (5, 0)):
        with pytest.raises(PartonomyError, match="nothing to show"):
            place(height, width, SIDE)
