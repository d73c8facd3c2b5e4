"""Pre-training of the tiny parts: the command, its log, and the checkpoints in the ordinary layouts."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file
from torch import Tensor, distributed, nn

from model.plum import sam
from model.plum.backbone import Backbone
from model.plum.errors import ModelError
from model.plum.losses import LossConfig
from model.plum.segmenter import Segmenter
from model.tiny import captions, choosing, grounding, language, masks, parts, pointing
from model.tiny.captions import Caption
from model.tiny.learning import Measured, Rates, Task, learn
from model.tiny.regions import RegionHead
from model.tiny.scenes import Drawn
from model.together import together

#: The size of the SAM.
SIZE: Final = "tiny_conv"
#: Steps that a line of the log stands for.
LOGGED: Final = 25


@dataclass(frozen=True)
class TinyConfig:
    """How the tiny parts are pre-trained: each alone, at the same time, then both together."""

    seed: int = 20_260_101
    mask_steps: int = 3_250
    mask_rates_fall_over: int = 10_000
    """Steps in which the rates would fall to 0, were there no third task that takes it on from here."""
    mask_scenes: int = 4
    described_each: int = 4
    shown_each: int = 6
    mask_rate: float = 3e-3
    mask_hidden_rate: float = 1e-2
    language_steps: int = 2_250
    language_rates_fall_over: int = 9_000
    language_scenes: int = 3
    """In each of two processes."""
    captions_each: int = 6
    language_rate: float = 2e-3
    hidden_rate: float = 5e-3
    grounding_steps: int = 3_250
    grounding_rates_fall_over: int = 4_000
    grounding_scenes: int = 6
    """In each of two processes."""
    named_each: int = 6
    """Masks of what a scene's captions name, at most."""
    grounding_rate: float = 1.5e-3
    grounding_hidden_rate: float = 3e-3
    warm_up: int = 100


def pretrain(out: Path, config: TinyConfig | None = None) -> Path:
    """Pre-trains both parts; writes `pretraining.jsonl` (see `thinned`) and, in half precision, `lmm/`, `sam_tiny.safetensors`
    and `query_tiny.safetensors`, which a model of both can begin with.

    Beside `out`, a folder whose name ends in `.run` holds what a run that was cut short goes on from. Raises ModelError if
    `out` is there, or if that run had other settings.
    """
    config = config or TinyConfig()
    if out.exists():
        raise ModelError("is there already", where=str(out), mend="Name a new folder")
    folder = _run_folder(out, config)
    together(learn_alone, (config, folder), PROCESSES + 1)
    together(learn_both, (config, folder), PROCESSES)
    with (folder / "made" / "pretraining.jsonl").open("w") as log:
        for name in TASKS:
            log.writelines(thinned((folder / f"{name}.jsonl").read_text().splitlines()))
    (folder / "made").rename(out)
    shutil.rmtree(folder)
    return out


def thinned(lines: Sequence[str], steps: int = LOGGED) -> Iterator[str]:
    """The log of a task with one line for so many steps: the mean of each number, and the last step."""
    for start in range(0, len(lines), steps):
        some = [json.loads(line) for line in lines[start : start + steps]]
        means = {
            name: round(sum(one[name] for one in some if name in one) / sum(name in one for one in some), 4)
            for name in dict.fromkeys(name for one in some for name in one)
            if name not in ("task", "step")
        }
        yield json.dumps({"task": some[-1]["task"], "step": some[-1]["step"], **means}) + "\n"


def _run_folder(out: Path, config: TinyConfig) -> Path:
    folder = out.with_name(f"{out.name}.run")
    (folder / "made").mkdir(parents=True, exist_ok=True)
    settings, told = folder / "settings.json", json.dumps(asdict(config), indent=2)
    if settings.exists() and settings.read_text() != told:
        raise ModelError("holds a run of other settings", where=str(folder), mend="Remove it, or name a new folder")
    settings.write_text(told)
    return folder


def learn_alone(config: TinyConfig, folder: Path) -> None:
    """Each part alone, at the same time: the language model in two processes, SAM in a third."""
    work = learn_captions if int(os.environ["RANK"]) < PROCESSES else learn_masks
    work(config, folder)


def learn_masks(config: TinyConfig, folder: Path) -> None:
    """SAM alone."""
    _one_thread(config.seed)
    sizes = sam.SamConfig.named(SIZE)
    segmenter = _segmenter(sizes)
    beside = masks.Beside(segmenter.width)

    def one(step: int, drawn: list[Drawn]) -> tuple[Tensor, Measured]:
        batch = masks.batch_of(drawn, sizes, config.described_each, config.shown_each, config.seed + step)
        return masks.loss_of(segmenter, beside, batch, _MASKS)

    learned = nn.ModuleDict({"part": segmenter, "beside": beside})
    rates = Rates(config.mask_hidden_rate, config.mask_rate, config.warm_up, config.mask_rates_fall_over)
    learn(Task("masks", learned, one, config.mask_steps, config.mask_scenes, ("fresh",), rates), config.seed, folder)


def learn_captions(config: TinyConfig, folder: Path) -> None:
    """The language model alone, in two processes."""
    team = _team(config.seed)
    backbone = _backbone(config.seed)
    head, point = RegionHead(backbone.hidden, language.SIDE), pointing.PointingHead(backbone.hidden)

    def one(step: int, drawn: list[Drawn]) -> tuple[Tensor, Measured]:
        said = _said(config, drawn, (step * team[1] + team[0]) * config.language_scenes)
        with pointing.watching(backbone) as watched:
            heard = language.hear(backbone, head, drawn, said)
        loss, points = pointing.loss_of(backbone, point, heard, watched)
        return heard.loss + loss, {**heard.measured, **points}

    learned = nn.ModuleDict({"part": backbone, "head": head, "point_head": point})
    rates = Rates(config.hidden_rate, config.language_rate, config.warm_up, config.language_rates_fall_over)
    kinds = ("shared", "fresh")
    learn(
        Task("captions", learned, one, config.language_steps, config.language_scenes, kinds, rates, team),
        config.seed,
        folder,
    )


def learn_both(config: TinyConfig, folder: Path) -> None:
    """Both together, in two processes; the first of them writes what came of it: `made/`."""
    rank, processes = team = _team(config.seed)
    sizes = sam.SamConfig.named(SIZE)
    both = grounding.Both(_backbone(config.seed), _segmenter(sizes), sizes)
    states = [torch.load(folder / f"{name}.pt", weights_only=True)["model"] for name in ("masks", "captions")]
    both.take(*states)

    def one(step: int, drawn: list[Drawn]) -> tuple[Tensor, Measured]:
        first = (step * processes + rank) * config.grounding_scenes
        said = _said(config, drawn, first)
        lists = [choosing.lists(scene, config.seed, first + place) for place, scene in enumerate(drawn)]
        return grounding.loss_of(both, drawn, said, lists, _MASKS, config.seed + first, named=config.named_each)

    rates = Rates(config.grounding_hidden_rate, config.grounding_rate, config.warm_up, config.grounding_rates_fall_over)
    kinds = ("shared", "fresh")
    learn(
        Task("both", both, one, config.grounding_steps, config.grounding_scenes, kinds, rates, team),
        config.seed,
        folder,
    )
    if rank == 0:
        save(both, folder / "made")
    distributed.barrier()


def save(both: grounding.Both, folder: Path) -> None:
    """Writes both parts, in half precision, in the ordinary layouts, and the projection of states to prompts."""
    halves = {name: one.half().contiguous() for name, one in both.segmenter.sam.state_dict().items()}
    save_file(halves, folder / "sam_tiny.safetensors")
    query = {name: one.half().contiguous() for name, one in both.query.state_dict().items()}
    save_file(query, folder / "query_tiny.safetensors")
    both.backbone.plain.half().save_pretrained(folder / "lmm")
    both.backbone.processor.save_pretrained(folder / "lmm")


#: Processes that learn captions, and both parts together.
PROCESSES: Final = 2
TASKS: Final = ("masks", "captions", "both")
_MASKS: Final = LossConfig(overlap=1.0, bce=1.0, overlap_kind="dice")


def _segmenter(sizes: sam.SamConfig) -> Segmenter:
    made = sam.build(sizes)
    segmenter = Segmenter(made, freeze_encoder=False, freeze_iou_head=False)
    made.prompt_encoder.requires_grad_(True)
    return segmenter


def _backbone(seed: int) -> Backbone:
    processor = parts.processor(seed)
    return Backbone(parts.language_model(processor.tokenizer), processor)


def _said(config: TinyConfig, drawn: Sequence[Drawn], first: int) -> list[list[Caption]]:
    """Captions of scenes; `first` is the number that those of the first are drawn by."""
    return [
        captions.captions(scene, config.seed, first + number, config.captions_each)
        for number, scene in enumerate(drawn)
    ]


def _team(seed: int) -> tuple[int, int]:
    """This process's rank among those that learn the same, and how many these are; all start with the same weights."""
    _one_thread(seed)
    rank = int(os.environ["RANK"])
    distributed.init_process_group("gloo", rank=rank, world_size=PROCESSES)
    return rank, PROCESSES


def _one_thread(seed: int) -> None:
    """The same numbers on any machine with as many as two cores, and both processes at the same time."""
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    torch.manual_seed(seed)
