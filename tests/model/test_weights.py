"""The weights that come with the package: ordinary checkpoints, small, made by the command's own defaults, and of some use."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from model import settings
from model.commands import config_file
from model.plum import sam, saving
from model.plum.backbone import Backbone
from model.shipped import located
from model.tiny.job import SIZE, TASKS, TinyConfig
from model.training.config import TrainingConfig

FOLDER = Path(located("shipped:tiny/lmm")).parent


def test_they_are_finite_and_at_most_four_mebibytes() -> None:
    files = [one for one in FOLDER.rglob("*") if one.is_file()]
    weights = [one for one in files if one.suffix == ".safetensors"]
    assert len(weights) == 2
    assert sum(one.stat().st_size for one in weights) <= 4 * 2**20
    assert max(one.stat().st_size for one in files if one not in weights) < 2**20
    found = sam.load_official(FOLDER / "sam_tiny.safetensors", SIZE)
    backbone = Backbone.load(FOLDER / "lmm")
    for one in (*found.state_dict().values(), *backbone.state_dict().values()):
        assert torch.isfinite(one).all()


def test_their_log_is_of_the_commands_defaults() -> None:
    lines = [json.loads(line) for line in (FOLDER / "pretraining.jsonl").read_text().splitlines()]
    config = TinyConfig()
    last = {line["task"]: line["step"] + 1 for line in lines}
    assert last == dict(zip(TASKS, (config.mask_steps, config.language_steps), strict=True))
    for task, measured in (("masks", "found"), ("captions", "tokens")):
        values = [line[measured] for line in lines if line["task"] == task]
        assert np.mean(values[-10:]) > np.mean(values[:4]) + 0.1


def test_settings_by_the_name_tiny_build_a_model_of_them() -> None:
    config = settings.load(config_file(Path("tiny")), TrainingConfig).checked()
    plum = saving.build(config.model)
    whole = Backbone.load(FOLDER / "lmm").plain.get_input_embeddings().weight
    assert torch.equal(plum.backbone.plain.get_input_embeddings().weight, whole)
    trains = {name.split(".")[0] for name, one in plum.named_parameters() if one.requires_grad}
    assert trains == {"backbone", "segmenter", "extractor", "query", "sight", "feedback"}


def test_the_pretrained_sam_finds_parts_by_their_boxes() -> None:
    """On scenes that it never saw: better than the box itself filled."""
    from model.plum.losses import LossConfig
    from model.plum.segmenter import Segmenter
    from model.tiny import masks, scenes
    from model.tiny.masks import Asked

    sizes = sam.SamConfig.named(SIZE)
    segmenter = Segmenter(sam.load_official(FOLDER / "sam_tiny.safetensors", SIZE)).eval()
    drawn = [scenes.draw(99, number, "fresh") for number in range(12)]
    batch = masks.batch_of(drawn, sizes, 1, 8, 0)
    boxes = batch.shown.prompts[:, 0, 2] == 2
    shown = Asked(
        batch.shown.prompts[boxes], batch.shown.image_of[boxes], batch.shown.targets[boxes], batch.shown.valid[boxes]
    )
    with torch.no_grad():
        boxed = shown.prompts[..., :2].flatten(1)
        corners, _ = segmenter.sam.prompt_encoder(points=None, boxes=boxed, masks=None)
        decoded = segmenter.decode(segmenter.encode(batch.pixels), shown.image_of, corners)
    _, iou = masks.of_masks(decoded, shown, LossConfig(overlap_kind="dice"))
    cells = (torch.arange(sizes.mask_size) + 0.5) * sizes.image_size / sizes.mask_size
    filled = []
    for prompt, target in zip(shown.prompts, shown.targets, strict=True):
        (left, top, _), (right, bottom, _) = prompt.tolist()
        box = ((cells > left) & (cells < right))[None, :] & ((cells > top) & (cells < bottom))[:, None]
        true = target > 0.5
        filled.append(float((box & true).sum() / (box | true).sum().clamp(min=1)))
    assert iou > np.mean(filled)
