"""Pre-training of the tiny parts: the command, its log, and the checkpoints in the ordinary layouts."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from model.plum import sam
from model.plum.backbone import Backbone
from model.plum.errors import ModelError
from model.plum.losses import LossConfig
from model.plum.segmenter import Segmenter
from model.tiny import captions, language, masks, parts
from model.tiny.descriptions import Describer
from model.tiny.learning import Measured, Rates, Task, learn
from model.tiny.lifeline import end_with_parent
from model.tiny.regions import RegionHead
from model.tiny.scenes import Drawn


@dataclass(frozen=True)
class TinyConfig:
    """How the tiny parts are pre-trained."""

    seed: int = 20_260_101
    mask_steps: int = 6_000
    mask_scenes: int = 12
    described_each: int = 4
    shown_each: int = 2
    mask_rate: float = 2e-3
    language_steps: int = 5_000
    language_scenes: int = 16
    captions_each: int = 5
    language_rate: float = 2e-3
    hidden_rate: float = 5e-3
    warm_up: int = 100


def pretrain(out: Path, config: TinyConfig | None = None) -> Path:
    """Pre-trains both parts, at the same time; writes `lmm/`, `sam_tiny.safetensors` (half precision) and `pretraining.jsonl`.

    Beside `out`, a folder whose name ends in `.run` holds what a run that was cut short goes on from. Raises ModelError if
    `out` is there, or if that run had other settings.
    """
    config = config or TinyConfig()
    if out.exists():
        raise ModelError("is there already", where=str(out), mend="Name a new folder")
    folder = _run_folder(out, config)
    with ProcessPoolExecutor(2, get_context("spawn"), end_with_parent) as pool:
        for one in [pool.submit(work, config, folder) for work in TASKS.values()]:
            one.result()
    with (folder / "made" / "pretraining.jsonl").open("w") as log:
        for name in TASKS:
            log.write((folder / f"{name}.jsonl").read_text())
    (folder / "made").rename(out)
    shutil.rmtree(folder)
    return out


def _run_folder(out: Path, config: TinyConfig) -> Path:
    folder = out.with_name(f"{out.name}.run")
    (folder / "made").mkdir(parents=True, exist_ok=True)
    settings, told = folder / "settings.json", json.dumps(asdict(config), indent=2)
    if settings.exists() and settings.read_text() != told:
        raise ModelError("holds a run of other settings", where=str(folder), mend="Remove it, or name a new folder")
    settings.write_text(told)
    return folder


def learn_masks(config: TinyConfig, folder: Path) -> None:
    """SAM: `made/sam_tiny.safetensors`."""
    _one_thread(config.seed)
    sizes = sam.SamConfig.named("tiny")
    made = sam.build(sizes)
    segmenter = Segmenter(made, freeze_encoder=False, freeze_iou_head=False)
    made.prompt_encoder.requires_grad_(True)
    wanted = LossConfig(overlap=1.0, bce=1.0, overlap_kind="dice")
    describer, head = Describer(sizes.prompt_width), RegionHead(sizes.prompt_width, masks.SIDE)

    def one(step: int, drawn: list[Drawn]) -> tuple[Tensor, Measured]:
        batch = masks.batch_of(drawn, sizes, config.described_each, config.shown_each, config.seed + step)
        return masks.loss_of(segmenter, describer, head, batch, wanted)

    learned = nn.ModuleDict({"part": segmenter, "describer": describer, "head": head})
    rates = Rates(config.hidden_rate, config.mask_rate, config.warm_up)
    learn(Task("masks", learned, one, config.mask_steps, config.mask_scenes, ("fresh",), rates), config.seed, folder)
    halves = {name: one.half().contiguous() for name, one in made.state_dict().items()}
    save_file(halves, folder / "made" / "sam_tiny.safetensors")


def learn_captions(config: TinyConfig, folder: Path) -> None:
    """The language model: `made/lmm/`."""
    _one_thread(config.seed)
    processor = parts.processor(config.seed)
    backbone = Backbone(parts.language_model(processor.tokenizer), processor)
    head = RegionHead(backbone.hidden, language.SIDE)

    def one(step: int, drawn: list[Drawn]) -> tuple[Tensor, Measured]:
        first = step * config.language_scenes
        said = [
            captions.captions(scene, config.seed, first + number, config.captions_each)
            for number, scene in enumerate(drawn)
        ]
        return language.loss_of(backbone, head, drawn, said)

    learned = nn.ModuleDict({"part": backbone, "head": head})
    rates, kinds = Rates(config.hidden_rate, config.language_rate, config.warm_up), ("shared", "fresh")
    task = Task("captions", learned, one, config.language_steps, config.language_scenes, kinds, rates)
    learn(task, config.seed, folder)
    backbone.plain.half().save_pretrained(folder / "made" / "lmm")
    processor.save_pretrained(folder / "made" / "lmm")


TASKS: Final = {"masks": learn_masks, "captions": learn_captions}


def _one_thread(seed: int) -> None:
    """The same numbers on any machine with as many as two cores, and both tasks at the same time."""
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    torch.manual_seed(seed)
