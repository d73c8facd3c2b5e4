"""What a run would take: its data, its weights, and estimates of memory and time, without loading any weight."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch

from model.data import rows
from model.data.order import Effective, steps_of
from model.plum import sam
from model.plum.config import PlumConfig
from model.plum.errors import ModelError
from model.shipped import located
from model.training.config import TrainingConfig
from partonomy_data.store.layout import Layout
from partonomy_data.store.reader import open as open_store

#: Sizes of backbones that are named in model/configs, so that they can be planned without a network.
_LLAMA_13B: Final = {
    "hidden_size": 5120,
    "intermediate_size": 13824,
    "num_hidden_layers": 40,
    "num_attention_heads": 40,
}
_KNOWN: Final[Mapping[str, Mapping[str, Any]]] = {
    "llava-hf/llava-1.5-7b-hf": {"vocab_size": 32064},
    "llava-hf/llava-1.5-13b-hf": {"vocab_size": 32064, **_LLAMA_13B},
}
#: Tokens of a text, its photograph's 576 included, as LLaVA 1.5 has them.
_TOKENS: Final = 700


def plan(root: Path, config: TrainingConfig, *, version: str | None = None, processes: int = 1) -> str:
    """The plan as text. Raises ModelError for settings that can't be carried out."""
    optimisation = config.optimisation
    with open_store(root, version) as store:
        samples = rows.prepare(store, config.data, Layout(root).work / "samples")
        named = store.version
    n = min(len(samples), config.data.limit or len(samples))
    effective = Effective.dealt(optimisation.batch, optimisation.at_once, processes)
    per_epoch = steps_of(n, effective)
    steps = optimisation.steps or max(1, round(optimisation.epochs * per_epoch))
    weights = _weights(config.model)
    lines = [
        f"data       version {named}: {n:,} samples of {', '.join(config.data.splits)}",
        f"steps      {steps:,} of {optimisation.batch} samples, {steps / per_epoch:.2f} epochs;"
        f" {effective.accumulated} passes of {optimisation.at_once} a step"
        + (f" in each of {processes} processes" if processes > 1 else ""),
        *(
            f"{name:<11}{one['all'] / 1e6:,.1f} M weights, {one['trains'] / 1e6:,.1f} M train"
            for name, one in weights.items()
        ),
        _memory(config, weights),
        _time(config, weights, steps),
    ]
    return "\n".join(lines)


def _weights(config: PlumConfig) -> dict[str, dict[str, float]]:
    """For each piece, how many weights it has, and how many train."""
    with torch.device("meta"):
        lmm = _meta_backbone(config)
        made = sam.build(sam.SamConfig.named(config.sam_size))
    hidden = int(lmm.config.get_text_config().hidden_size)
    total = _count(lmm)
    decoder = lmm.get_decoder().named_modules()
    layers = [one for name, one in decoder if name.rpartition(".")[2] in config.lora.targets]
    adapters = sum(config.lora.rank * (one.in_features + one.out_features) for one in layers)
    width = config.spans.width or hidden
    own = 2 * hidden * hidden + 4 * width * width + 2 * width * config.spans.feed_forward + hidden * width
    text = {
        id(one): one.numel() for part in (lmm.get_decoder(), lmm.get_output_embeddings()) for one in part.parameters()
    }
    spoken = sum(text.values())
    trains = {"adapters": adapters, "all": spoken, "none": 0}[config.trainable.language]
    seen = total - spoken if config.trainable.vision else 0
    of_sam = {"mask_decoder": config.trainable.mask_decoder, "image_encoder": config.trainable.image_encoder}
    return {
        "backbone": {"all": total, "trains": trains + seen},
        "SAM": {
            "all": _count(made),
            "trains": sum(_count(getattr(made, part)) for part, does in of_sam.items() if does),
        },
        "own": {"all": own, "trains": own},
    }


def _meta_backbone(config: PlumConfig) -> Any:
    from transformers import AutoConfig, AutoModelForImageTextToText, LlavaConfig

    if config.backbone in _KNOWN:
        described: Any = LlavaConfig(text_config={"model_type": "llama", **_KNOWN[config.backbone]})
    else:
        try:
            described = AutoConfig.from_pretrained(located(config.backbone))
        except (OSError, ValueError) as error:
            raise ModelError(
                f"the backbone's config can't be read: {str(error).splitlines()[0]}", where=config.backbone
            ) from error
    return AutoModelForImageTextToText.from_config(described)  # type: ignore[no-untyped-call]


def _memory(config: TrainingConfig, weights: Mapping[str, Mapping[str, float]]) -> str:
    """Weights, gradients, two moments of the optimiser; states of a pass, each layer's kept for the backward pass."""
    of_backbone = 2 if config.model.dtype == "bfloat16" else 4
    held = weights["backbone"]["all"] * of_backbone + 4 * (weights["SAM"]["all"] + weights["own"]["all"])
    learning = 12 * sum(one["trains"] for one in weights.values())
    with torch.device("meta"):
        text = _meta_backbone(config.model).config.get_text_config()
    each = 14 * text.hidden_size + 4 * text.intermediate_size
    # Computed again in the backward pass: one layer's states at a time, and the input of each.
    layers = text.num_hidden_layers
    kept = layers * text.hidden_size + each if config.optimisation.compute_again else layers * each
    states = config.optimisation.at_once * _TOKENS * kept
    gigabytes = [round(one / 2**30, 1) for one in (held, learning, states * of_backbone)]
    return (
        f"memory     about {sum(gigabytes):.1f} GiB a process (estimate): weights {gigabytes[0]}, gradients and optimiser"
        f" {gigabytes[1]}, states {gigabytes[2]}"
    )


def _time(config: TrainingConfig, weights: Mapping[str, Mapping[str, float]], steps: int) -> str:
    """Operations by the usual counts: 2 a weight and token forward, 2 for the gradients of the states, 2 for the teacher.

    And 2 more where the states are computed again.
    """
    tokens = config.optimisation.batch * _TOKENS
    ways = 2 + 2 + (2 if config.model.losses.kl > 0 else 0) + (2 if config.optimisation.compute_again else 0)
    sizes = sam.SamConfig.named(config.model.sam_size)
    seen = config.optimisation.batch * sizes.grid**2
    operations = ways * weights["backbone"]["all"] * tokens + 2 * weights["SAM"]["all"] * seen
    whole = operations * steps
    return (
        f"time       about {whole / 1e15:.3g} PFLOP (estimate): {_lasting(whole / 8 / 1.2e14)} on 8 GPUs at 120 TFLOP/s each,"
        f" {_lasting(whole / 5e10)} at 50 GFLOP/s (2 cores)"
    )


def _lasting(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{max(1, round(seconds))} s"


def _count(module: Any) -> int:
    return sum(one.numel() for one in module.parameters())
