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
from torch import Tensor, nn

from model.plum import pretrained, sam
from model.plum.backbone import Backbone
from model.plum.errors import ModelError
from model.plum.losses import LossConfig
from model.plum.segmenter import Segmenter
from model.tiny import captions, choosing, language, masks, parts, pointing, speaking
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
    """How the tiny parts are pre-trained, each alone, at the same time."""

    seed: int = 20_260_101
    mask_steps: int = 9_000
    mask_scenes: int = 6
    described_each: int = 6
    shown_each: int = 3
    mask_rate: float = 3e-3
    mask_hidden_rate: float = 1e-2
    language_steps: int = 4_400
    language_scenes: int = 6
    captions_each: int = 6
    language_rate: float = 3e-3
    language_hidden_rate: float = 1e-2
    language_decay: float = 0.2
    """With 0.01 the first layer's matrices grew until a token's own embedding was a hundredth of its state, and names that
    pre-training had not heard were all but alike to the query projection."""
    warm_up: int = 100


def pretrain(out: Path, config: TinyConfig | None = None) -> Path:
    """Pre-trains both parts; writes `pretraining.jsonl` (see `thinned`) and, in half precision, `lmm/` and
    `sam_tiny.safetensors`.

    Beside `out`, a folder whose name ends in `.run` holds what a run that was cut short goes on from. Raises ModelError if
    `out` is there, or if that run had other settings.
    """
    config = config or TinyConfig()
    if out.exists():
        raise ModelError("is there already", where=str(out), mend="Name a new folder")
    folder = _run_folder(out, config)
    together(learn_both, (config, folder), len(TASKS))
    save(config, folder)
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


def learn_both(config: TinyConfig, folder: Path) -> None:
    """Both parts, at the same time, in a process each."""
    work = learn_captions if os.environ["RANK"] == "0" else learn_masks
    work(config, folder)


def learn_masks(config: TinyConfig, folder: Path) -> None:
    """SAM."""
    _one_thread(config.seed)
    sizes = sam.SamConfig.named(SIZE)
    segmenter = _segmenter(sizes)
    beside = masks.Beside(segmenter.width, sizes.wide)

    def one(step: int, drawn: list[Drawn]) -> tuple[Tensor, Measured]:
        batch = masks.batch_of(drawn, sizes, config.described_each, config.shown_each, config.seed + step)
        return masks.loss_of(segmenter, beside, batch, _MASKS)

    learned = nn.ModuleDict({"part": segmenter, "beside": beside})
    rates = Rates(config.mask_hidden_rate, config.mask_rate, config.warm_up)
    learn(Task("masks", learned, one, config.mask_steps, config.mask_scenes, ("fresh",), rates), config.seed, folder)


def learn_captions(config: TinyConfig, folder: Path) -> None:
    """The language model."""
    _one_thread(config.seed)
    backbone = _backbone(config.seed)
    head, point = RegionHead(backbone.hidden, language.SIDE), pointing.PointingHead(backbone.hidden)

    def one(step: int, drawn: list[Drawn]) -> tuple[Tensor, Measured]:
        first = step * config.language_scenes
        said = [captions.captions(scene, config.seed, first + i, config.captions_each) for i, scene in enumerate(drawn)]
        with pointing.watching(backbone) as watched:
            heard = language.hear(backbone, head, drawn, said)
        pointed, points = pointing.loss_of(backbone, point, heard, watched)
        spoken, words = speaking.loss_of(backbone, heard)
        loss, measured = heard.loss + pointed + spoken, {**heard.measured, **points, "words": words}
        if step < _CHOOSING_FROM * config.language_steps:
            return loss, measured
        lists = [choosing.lists(scene, config.seed, first + i) for i, scene in enumerate(drawn)]
        chosen, right = choosing.loss_of(backbone, heard, lists)
        return loss + _CHOOSING * chosen, {**measured, "chosen": right}

    learned = nn.ModuleDict({"part": backbone, "head": head, "point_head": point})
    rates = Rates(config.language_hidden_rate, config.language_rate, config.warm_up, config.language_decay)
    kinds = ("shared", "fresh")
    learn(
        Task("captions", learned, one, config.language_steps, config.language_scenes, kinds, rates),
        config.seed,
        folder,
    )


def save(config: TinyConfig, folder: Path) -> None:
    """Writes both parts of a run's `folder`, in half precision, in the ordinary layouts: `made/`."""
    segmenter, backbone = _segmenter(sam.SamConfig.named(SIZE)), _backbone(config.seed)
    for name, part in (("masks", segmenter), ("captions", backbone)):
        state = torch.load(folder / f"{name}.pt", weights_only=True)["model"]
        own = {key.removeprefix("part."): value for key, value in state.items() if key.startswith("part.")}
        part.load_state_dict(own)
    halves = {name: one.half().contiguous() for name, one in segmenter.sam.state_dict().items()}
    save_file(halves, folder / "made" / "sam_tiny.safetensors")
    with pretrained.quiet():
        backbone.plain.half().save_pretrained(folder / "made" / "lmm")
        backbone.processor.save_pretrained(folder / "made" / "lmm")


TASKS: Final = ("masks", "captions")
#: Weight of choosing lists, and the share of the steps after which it begins. The likelihoods of lists differ by dozens of nats
#: at first: from the start it drowned all else, and the language model told outlines of 1 % of cells after 400 steps.
_CHOOSING: Final = 0.1
_CHOOSING_FROM: Final = 0.5
_MASKS: Final = LossConfig(overlap=1.0, bce=1.0, overlap_kind="dice")


def _segmenter(sizes: sam.SamConfig) -> Segmenter:
    made = sam.build(sizes)
    segmenter = Segmenter(made, freeze_encoder=False, freeze_iou_head=False)
    made.prompt_encoder.requires_grad_(True)
    return segmenter


def _backbone(seed: int) -> Backbone:
    processor = parts.processor(seed)
    return Backbone(parts.language_model(processor.tokenizer), processor)


def _one_thread(seed: int) -> None:
    """The same numbers on any machine with as many as two cores, and both processes at the same time."""
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    torch.manual_seed(seed)
