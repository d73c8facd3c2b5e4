"""Low-rank adapters on the language model, and on nothing else: the vision tower's layers may have the same names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from model.plum import pretrained
from model.plum.errors import ModelError


@dataclass(frozen=True)
class LoraConfig:
    """Low-rank adapters (Hu et al. 2022) on the language model."""

    rank: int = 8
    alpha: int = 16
    dropout: float = 0.05
    targets: tuple[str, ...] = ("q_proj", "v_proj")

    def __post_init__(self) -> None:
        """Raises ModelError for settings that can't be."""
        if self.rank < 1 or not 0 <= self.dropout < 1:
            raise ModelError(
                f"there are no adapters of rank {self.rank} with dropout {self.dropout}",
                mend="Set lora.rank to 1 or more, lora.dropout to 0 or more and less than 1",
            )


def adapted(lmm: Any, decoder: nn.Module, config: LoraConfig) -> Any:
    """A model of `transformers`, frozen, with adapters on the layers of its `decoder` that are named. Raises ModelError."""
    from peft import LoraConfig as PeftConfig
    from peft import get_peft_model

    prefix = next(name for name, module in lmm.named_modules() if module is decoder)
    inside = [(name, module) for name, module in lmm.named_modules() if name.startswith(f"{prefix}.")]
    linear = [name for name, module in inside if isinstance(module, nn.Linear)]
    found = [name for name in linear if name.rpartition(".")[2] in config.targets]
    if not found:
        named = ", ".join(config.targets)
        raise ModelError(f"the language model has no layers called {named}", mend="Name its own in lora.targets")
    wanted = PeftConfig(
        r=config.rank, lora_alpha=config.alpha, lora_dropout=config.dropout, target_modules=found, bias="none"
    )
    with pretrained.quiet():
        return get_peft_model(lmm, wanted)
