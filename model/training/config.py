"""The settings of a training run. Unknown keys in their file are errors; their digest is in each checkpoint and model."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from model import settings
from model.data.selection import DataConfig
from model.plum.config import PlumConfig
from model.plum.errors import ModelError


@dataclass(frozen=True)
class ValidationConfig:
    """What the model is measured on while it trains."""

    data: DataConfig = field(default_factory=lambda: DataConfig(splits=("val",)))
    samples: int = 64
    """At most so many, always the same."""
    every: int = 500
    """Steps between two measurements."""
    keep_best: bool = True
    """Whether the best of the models that were measured is kept, rather than the last."""
    patience: int | None = None
    """Measurements without a better loss after which the run ends. None: it goes on."""


@dataclass(frozen=True)
class OptimisationConfig:
    """The steps of a run. The values are those of the paper's released settings, where it has them."""

    batch: int = 60
    """Samples in an optimiser step, over all processes and passes."""
    at_once: int = 6
    """Samples in one forward pass of one process."""
    steps: int | None = None
    """Optimiser steps; else as many as `epochs` have."""
    epochs: float = 1.0
    learning_rate: float = 3e-4
    """Its peak."""
    own_learning_rate: float | None = None
    """That of the weights that are PLUM's own and start from nothing; the same if not given."""
    hidden_learning_rate: float | None = None
    """That of the matrices of hidden layers, which then learn by Muon (`model.muon`); by AdamW as all else if not given."""
    own_hidden_learning_rate: float | None = None
    """That of such matrices that are PLUM's own; the same if not given."""
    warm_up: int = 100
    """Steps from 0 to the peak; from there it falls in a straight line to 0 at the last step."""
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.0
    clip: float = 1.0
    """Greatest norm of the gradient."""
    precision: Literal["fp32", "bf16"] = "fp32"
    compute_again: bool = False
    """Whether the language model's states are computed again for the backward pass (gradient checkpointing), to save memory."""
    truth_at_first: float = 0.0
    """Share of earlier masks that are the true ones in the first step; it falls in a straight line to `truth_at_last`. At 1 no
    mask waits for another, so that steps take less time."""
    truth_falls_from: float = 0.0
    """Share of the steps after which it begins to fall."""
    truth_at_last: float = 0.0


@dataclass(frozen=True)
class TrainingConfig:
    """A run."""

    model: PlumConfig
    data: DataConfig = field(default_factory=DataConfig)
    validation: ValidationConfig | None = field(default_factory=ValidationConfig)
    optimisation: OptimisationConfig = field(default_factory=OptimisationConfig)
    seed: int = 42
    save_every: int = 500
    """Steps between two checkpoints."""
    keep: int = 2
    """Latest checkpoints that are kept, beside the best."""
    threads: int = 2
    """Threads that make batches ahead of the model."""
    keep_embeddings: bool = False
    """Whether SAM's embeddings are kept on disk (2 MiB a view at SAM's full size); only while its encoder is frozen."""
    trackers: tuple[str, ...] = ("tensorboard",)
    """Any of tensorboard, wandb, mlflow."""

    def checked(self) -> TrainingConfig:
        """The same. Raises ModelError."""
        self.model.checked()
        self.data.checked()
        if self.keep_embeddings and self.model.trainable.image_encoder:
            raise ModelError(
                "SAM's image encoder trains, so its embeddings can't be kept", mend="Set keep_embeddings to false"
            )
        given = self.optimisation
        if given.steps is not None and given.steps < 1:
            raise ModelError(f"optimisation.steps must be at least 1, not {given.steps}")
        for name in ("truth_at_first", "truth_falls_from", "truth_at_last"):
            if not 0 <= getattr(given, name) <= 1:
                raise ModelError(f"optimisation.{name} is a share, from 0 to 1, not {getattr(given, name)}")
        if self.save_every < 1 or self.keep < 1 or self.threads < 1:
            raise ModelError("save_every, keep and threads must be at least 1")
        settings.check_seed("seed", self.seed, 0)
        return self


def load(path: Path) -> TrainingConfig:
    """Reads a YAML file. Raises ModelError."""
    return settings.load(path, TrainingConfig).checked()
