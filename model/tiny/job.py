"""Pre-training of the tiny parts: the command, its log, and the checkpoints in the ordinary layouts."""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from model.plum import sam
from model.plum.backbone import Backbone
from model.plum.errors import ModelError
from model.plum.losses import LossConfig
from model.plum.segmenter import Segmenter
from model.tiny import captions, language, masks, parts, scenes
from model.tiny.scenes import Drawn

T = TypeVar("T")


@dataclass(frozen=True)
class TinyConfig:
    """How the tiny parts are pre-trained."""

    seed: int = 20_260_101
    mask_steps: int = 3_000
    mask_scenes: int = 12
    masks_each: int = 6
    mask_rate: float = 1e-3
    language_steps: int = 4_000
    language_scenes: int = 16
    captions_each: int = 4
    language_rate: float = 1e-3
    warm_up: int = 100


def pretrain(out: Path, config: TinyConfig | None = None, tell: Callable[[str], None] = print) -> Path:
    """Pre-trains both parts; writes `lmm/`, `sam_tiny.safetensors` (half precision) and `pretraining.jsonl` to a new folder."""
    config = config or TinyConfig()
    if out.exists():
        raise ModelError("is there already", where=str(out), mend="Name a new folder")
    out.mkdir(parents=True)
    torch.manual_seed(config.seed)
    with (out / "pretraining.jsonl").open("w") as log, ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        made = sam.build(sam.SamConfig.named("tiny"))
        _learn_masks(made, config, pool, log, tell)
        save_file(
            {name: one.half().contiguous() for name, one in made.state_dict().items()}, out / "sam_tiny.safetensors"
        )
        processor = parts.processor(config.seed)
        backbone = Backbone(parts.language_model(processor.tokenizer), processor)
        _learn_captions(backbone, config, pool, log, tell)
        backbone.plain.half().save_pretrained(out / "lmm")
        processor.save_pretrained(out / "lmm")
    return out


def _learn_masks(
    made: Any, config: TinyConfig, pool: ProcessPoolExecutor, log: Any, tell: Callable[[str], None]
) -> None:
    segmenter = Segmenter(made, freeze_encoder=False, freeze_iou_head=False)
    made.prompt_encoder.requires_grad_(True)
    wanted = LossConfig(overlap=1.0, bce=1.0, overlap_kind="dice")
    sizes = sam.SamConfig.named("tiny")

    def one(step: int, drawn: list[Drawn]) -> tuple[Tensor, float]:
        batch = masks.batch_of(drawn, sizes, config.masks_each, scenes.generator(config.seed, "prompts", step))
        return masks.loss_of(segmenter, batch, wanted)

    weights = [one for one in segmenter.parameters() if one.requires_grad]
    _learn("masks", weights, config.mask_steps, config.mask_scenes, config.mask_rate, config, one, pool, log, tell)


def _learn_captions(
    backbone: Backbone, config: TinyConfig, pool: ProcessPoolExecutor, log: Any, tell: Callable[[str], None]
) -> None:
    def one(step: int, drawn: list[Drawn]) -> tuple[Tensor, float]:
        first = step * config.language_scenes
        said = [
            captions.captions(scene, config.seed, first + number, config.captions_each)
            for number, scene in enumerate(drawn)
        ]
        return language.loss_of(backbone, drawn, said)

    weights = list(backbone.parameters())
    _learn(
        "captions",
        weights,
        config.language_steps,
        config.language_scenes,
        config.language_rate,
        config,
        one,
        pool,
        log,
        tell,
    )


def _learn(
    what: str,
    weights: list[nn.Parameter],
    steps: int,
    each: int,
    rate: float,
    config: TinyConfig,
    one: Callable[[int, list[Drawn]], tuple[Tensor, float]],
    pool: ProcessPoolExecutor,
    log: Any,
    tell: Callable[[str], None],
) -> None:
    optimiser = torch.optim.AdamW(weights, rate, (0.9, 0.98), weight_decay=0.01)
    began, mean = time.monotonic(), 0.0
    for step, drawn in enumerate(_scenes(pool, config.seed, what, steps, each)):
        share = min(1.0, (step + 1) / config.warm_up) * 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimiser.param_groups:
            group["lr"] = rate * share
        loss, measure = one(step, drawn)
        if not torch.isfinite(loss):
            raise ModelError(f"the loss is {loss.item()} at step {step} of {what}", mend="Lower the learning rate")
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        mean = measure if step == 0 else 0.98 * mean + 0.02 * measure
        log.write(json.dumps({"task": what, "step": step, "loss": loss.item(), "measure": measure}) + "\n")
        if (step + 1) % 100 == 0 or step + 1 == steps:
            log.flush()
            left = (time.monotonic() - began) / (step + 1) * (steps - step - 1)
            told = f"loss {loss.item():.3f}, running measure {mean:.3f}, {left / 60:.0f} min left"
            tell(f"{what}: step {step + 1} of {steps}, {told}")


def _scenes(pool: ProcessPoolExecutor, seed: int, what: str, steps: int, each: int) -> Iterator[list[Drawn]]:
    """The scenes of each step, drawn ahead by another process."""
    # The two tasks see scenes of their own.
    offset = 0 if what == "captions" else 1 << 40
    ahead: deque[Future[list[Drawn]]] = deque()
    for step in range(steps + 4):
        if step < steps:
            ahead.append(pool.submit(_drawn, seed, offset + step * each, each))
        if step >= 4:
            yield ahead.popleft().result()


def _drawn(seed: int, first: int, count: int) -> list[Drawn]:
    return [scenes.draw(seed, first + number) for number in range(count)]
