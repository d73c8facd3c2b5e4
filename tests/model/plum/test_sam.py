"""SAM's sizes, and its official checkpoints: read strictly, and giving what the package's own predictor gives."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from segment_anything import SamPredictor, sam_model_registry
from segment_anything.modeling import Sam
from torch import Tensor

from model.plum import sam
from model.plum.pictures import Placement, masks_of, prepare
from model.plum.sam import SamConfig
from model.plum.segmenter import Segmenter
from partonomy_data.errors import PartonomyError
from tests.model.plum.sam_weights import SMALL, noise, photograph, small, stir


@dataclass(frozen=True)
class Official:
    """A checkpoint in `vit_b`'s official layout, loaded by the project and by the package."""

    predictor: SamPredictor
    segmenter: Segmenter
    embeddings: Tensor
    placement: Placement
    pixels: Tensor


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Official:
    """The image encoder doesn't run: at 1024 pixels that takes 15 seconds and 3 GB. Embeddings are noise, the same for both."""
    theirs = sam_model_registry["vit_b"]()
    stir(theirs)
    path = tmp_path_factory.mktemp("sam") / "sam_vit_b_01ec64.pth"
    torch.save(theirs.state_dict(), path)
    segmenter = Segmenter(sam.load_official(path, "vit_b"))
    path.unlink()
    image = photograph(90, 120)
    pixels, placement = prepare(Image.fromarray(image), SamConfig.named("vit_b"))
    embeddings = noise(1, 256, 64, 64)
    predictor = SamPredictor(theirs)
    predictor.features, predictor.is_image_set = embeddings, True
    predictor.original_size = image.shape[:2]
    predictor.input_size = (placement.resized_height, placement.resized_width)
    return Official(predictor, segmenter, embeddings, placement, pixels)


def test_an_official_checkpoint_is_loaded_whole(official: Official) -> None:
    theirs, ours = official.predictor.model.state_dict(), official.segmenter.sam.state_dict()
    assert list(theirs) == list(ours)
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs)


def test_photographs_are_prepared_as_the_package_does(official: Official) -> None:
    transformed = official.predictor.transform.apply_image(photograph(90, 120))
    wanted = official.predictor.model.preprocess(torch.as_tensor(transformed).permute(2, 0, 1)[None])
    assert torch.equal(official.pixels[None], wanted)


def _same(
    predictor: SamPredictor,
    segmenter: Segmenter,
    embeddings: Tensor,
    placement: Placement,
    points: NDArray[np.float64] | None,
    box: NDArray[np.float64] | None,
) -> None:
    """Checks that a prompt gives the predictor's mask and IoU, when its tokens go to the segmenter as a span's query."""
    labels = None if points is None else np.ones(len(points), np.int64)
    masks, iou, logits = predictor.predict(points, labels, box, multimask_output=False)
    to_square = predictor.transform
    size = predictor.original_size
    prompts: dict[str, object] = {"points": None, "boxes": None, "masks": None}
    if points is not None:
        moved = torch.as_tensor(to_square.apply_coords(points, size), dtype=torch.float)[None]
        prompts["points"] = (moved, torch.ones(1, len(points), dtype=torch.int64))
    if box is not None:
        prompts["boxes"] = torch.as_tensor(to_square.apply_boxes(box, size), dtype=torch.float)
    with torch.no_grad():
        queries, _ = segmenter.sam.prompt_encoder(**prompts)
        decoded = segmenter.decode(embeddings, torch.zeros(1, dtype=torch.int64), queries)
    assert decoded.logits.numpy() == pytest.approx(logits, abs=1e-4 * float(np.abs(logits).max()))
    assert decoded.iou.numpy() == pytest.approx(iou, abs=1e-4)
    ours = masks_of(decoded.logits, [placement])[0]
    assert ours.shape == size
    assert 0 < masks[0].mean() < 1
    assert (ours != masks[0]).mean() < 1e-3


POINTS, BOX = np.array([[30.0, 20.0], [70.0, 66.0]]), np.array([10.0, 12.0, 60.0, 80.0])
PROMPTS: list[tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]] = [
    (POINTS, None), (POINTS[:1], None), (None, BOX), (POINTS, BOX)
]  # fmt: skip


@pytest.mark.parametrize(("points", "box"), PROMPTS)
def test_vit_b_gives_the_predictors_mask_and_iou(
    official: Official, points: NDArray[np.float64] | None, box: NDArray[np.float64] | None
) -> None:
    _same(official.predictor, official.segmenter, official.embeddings, official.placement, points, box)


@pytest.mark.soak
def test_vit_b_gives_the_predictors_mask_and_iou_from_the_photograph_on(official: Official) -> None:
    predictor = SamPredictor(official.predictor.model)
    predictor.set_image(photograph(90, 120))
    embeddings = official.segmenter.encode(official.pixels[None])
    assert torch.equal(embeddings, predictor.features)
    _same(predictor, official.segmenter, embeddings, official.placement, POINTS, BOX)


@pytest.mark.parametrize(("points", "box"), PROMPTS)
@pytest.mark.parametrize("size", [(90, 120), (300, 50)])
def test_tiny_gives_the_predictors_mask_and_iou_from_the_photograph_on(
    size: tuple[int, int], points: NDArray[np.float64] | None, box: NDArray[np.float64] | None
) -> None:
    config = SamConfig.named("tiny")
    predictor, segmenter = SamPredictor(small(config, size=0.05)), Segmenter(small(config, size=0.05))
    predictor.set_image(photograph(*size))
    pixels, placement = prepare(Image.fromarray(photograph(*size)), config)
    embeddings = segmenter.encode(pixels[None])
    assert torch.equal(embeddings, predictor.features)
    _same(predictor, segmenter, embeddings, placement, points, box)


@pytest.mark.parametrize(
    ("name", "parameters"), [("vit_b", 93_735_472), ("vit_l", 312_342_832), ("vit_h", 641_090_608)]
)
def test_the_official_sizes_have_the_official_tensors(name: str, parameters: int) -> None:
    with torch.device("meta"):
        ours, theirs = sam.build(SamConfig.named(name)), sam_model_registry[name]()
    shapes = [{key: tuple(weight.shape) for key, weight in one.state_dict().items()} for one in (ours, theirs)]
    assert shapes[0] == shapes[1]
    assert str(ours) == str(theirs), "their layers differ in a setting that no shape shows"
    windows = [[block.window_size for block in one.image_encoder.blocks] for one in (ours, theirs)]
    assert windows[0] == windows[1]
    assert sum(weight.numel() for weight in ours.parameters()) == parameters
    assert (ours.image_encoder.img_size, ours.mask_decoder.transformer.num_heads) == (1024, 8)


def test_tiny_is_small_and_its_masks_have_four_cells_a_position() -> None:
    config = SamConfig.named("tiny")
    assert sum(weight.numel() for weight in sam.build(config).parameters()) < 800_000
    assert (config.grid, config.mask_size) == (16, 64)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"image_size": 100}, "patches"),
        ({"patch_size": 6, "image_size": 36}, "multiple of 4"),
        ({"encoder_heads": 3}, "heads"),
        ({"decoder_heads": 3}, "heads"),
        ({"mask_in_chans": 6}, "mask channels"),
        ({"encoder_global_layers": (2,)}, "global layers"),
        ({"prompt_width": 0}, "positive"),
        ({"prompt_width": 20}, "multiple of 8"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_in_one_line(change: dict[str, int], word: str) -> None:
    with pytest.raises(PartonomyError, match=word) as raised:
        replace(SMALL, **change)
    assert "\n" not in str(raised.value)


def test_a_name_that_is_none_is_told_those_that_are() -> None:
    with pytest.raises(PartonomyError, match=r"vit_x.*Known: vit_b, vit_l, vit_h, tiny"):
        SamConfig.named("vit_x")


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_either_format_is_read(tmp_path: Path, suffix: str) -> None:
    state, path = small().state_dict(), tmp_path / f"sam.{suffix}"
    torch.save(state, path) if suffix == "pth" else save_file(state, path)
    assert all(torch.equal(state[name], weight) for name, weight in sam.load_official(path, SMALL).state_dict().items())


def _without_a_bias(state: dict[str, Tensor]) -> None:
    del state["mask_decoder.iou_token.weight"]


def _with_a_stranger(state: dict[str, Tensor]) -> None:
    state["optimizer.step"] = torch.zeros(1)


def _in_another_shape(state: dict[str, Tensor]) -> None:
    state["image_encoder.neck.1.bias"] = torch.zeros(17)


def _damaged(state: dict[str, Tensor]) -> None:
    state["image_encoder.pos_embed"][0, 0, 0, 0] = torch.nan


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (_without_a_bias, r"lacks mask_decoder\.iou_token\.weight\."),
        (_with_a_stranger, r"should not, optimizer\.step\."),
        (_in_another_shape, r"another shape are image_encoder\.neck\.1\.bias \(17,\), not \(16,\)\."),
        (_damaged, r"not finite is image_encoder\.pos_embed, the first of 1 "),
        (dict.clear, r"lacks image_encoder\.pos_embed, .*, .* and \d+ more\."),
    ],
)
def test_a_checkpoint_with_other_tensors_is_refused_by_name(
    tmp_path: Path, spoil: Callable[[dict[str, Tensor]], None], what: str
) -> None:
    state, path = {name: weight.clone() for name, weight in small().state_dict().items()}, tmp_path / "sam.pth"
    spoil(state)
    torch.save(state, path)
    with pytest.raises(PartonomyError, match=what) as raised:
        sam.load_official(path, SMALL)
    assert str(path) in str(raised.value)


def test_a_checkpoint_of_another_size_is_told_which(tmp_path: Path) -> None:
    torch.save(sam.build(SamConfig.named("tiny")).state_dict(), tmp_path / "sam.pth")
    with pytest.raises(PartonomyError, match="It looks like a tiny: name that size"):
        sam.load_official(tmp_path / "sam.pth", SMALL)


class _Harm:
    """What unpickles to a call."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_nothing_in_a_checkpoint_is_run(tmp_path: Path) -> None:
    torch.save({"weight": _Harm(tmp_path / "harm")}, tmp_path / "sam.pth")
    with pytest.raises(PartonomyError, match="more than tensors"):
        sam.load_official(tmp_path / "sam.pth", SMALL)
    assert not (tmp_path / "harm").exists()


def _bytes_of(built: Sam) -> bytes:
    held = io.BytesIO()
    torch.save(built.state_dict(), held)
    return held.getvalue()


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_file_that_is_no_checkpoint_is_refused_in_one_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"sam.{suffix}"
    whole, random = _bytes_of(small()), np.random.default_rng(0)
    contents = [b"", b"<html>404</html>", whole[: len(whole) // 2], whole[:100], pickle.dumps([1, 2]), b"\x80\x02]q"]
    contents += [random.bytes(int(random.integers(1, 400))) for _ in range(60)]
    contents += [b"\x80\x02" + random.bytes(60) for _ in range(60)]
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(PartonomyError) as raised:
            sam.load_official(path, SMALL)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "held", [{"model": {"weight": torch.zeros(1)}}, [torch.zeros(1)], {"a": 1}, {1: torch.zeros(1)}]
)
def test_what_is_not_a_plain_dictionary_of_tensors_is_refused(tmp_path: Path, held: object) -> None:
    torch.save(held, tmp_path / "sam.pth")
    with pytest.raises(PartonomyError, match="not a dictionary of named tensors"):
        sam.load_official(tmp_path / "sam.pth", SMALL)


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    for name in ("no.pth", "no.safetensors"):
        with pytest.raises(PartonomyError, match="there is no such file"):
            sam.load_official(tmp_path / name, SMALL)
    with pytest.raises(PartonomyError, match="Is a directory"):
        sam.load_official(tmp_path, SMALL)
