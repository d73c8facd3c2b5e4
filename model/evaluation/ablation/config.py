"""The settings of an ablation: a training run, and what is changed of it, one thing at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from model import settings
from model.evaluation.adapters.named import Kind
from model.evaluation.job import EvaluationConfig
from model.plum.errors import ModelError
from model.training.config import TrainingConfig


@dataclass(frozen=True)
class Variant:
    """A model that differs in one thing from another."""

    changes: Mapping[str, Any] = field(default_factory=dict)
    """Of the training's settings: their names with dots (`model.losses.kl`), and values."""
    answering: Kind | Literal[""] = ""
    """What is done to the trained model as it answers; nothing of its training changes."""
    against: str = ""
    """The variant that it is compared with; the first one if not given."""


#: What [SEG] tokens can't have; they are compared with tags that don't have it either.
_NEITHER: Final[Mapping[str, Any]] = {
    "model.losses.kl": 0,
    "model.losses.choice": 0,
    "model.losses.patches": 0,
    "model.query.words": False,
    "model.grounding": 0,
}
STANDARD: Final[Mapping[str, Variant]] = {
    "plum": Variant(),
    "no-feedback": Variant({"model.feedback": None}),
    "no-kl": Variant({"model.losses.kl": 0}),
    "tags-alone": Variant(_NEITHER),
    "seg-token": Variant({**_NEITHER, "model.marking": "seg_token"}, against="tags-alone"),
    "feedback-off": Variant(answering="feedback-off"),
    "feedback-shuffled": Variant(answering="feedback-shuffled"),
    "half-cut": Variant(answering="half-cut"),
    "likelihood-alone": Variant(answering="likelihood-alone"),
    "blank-image": Variant(answering="blank-image"),
}


@dataclass(frozen=True)
class DriftConfig:
    """What text a language model's drift is measured on."""

    texts: str = ""
    """A UTF-8 file, passages apart by blank lines; if empty, captions of drawn scenes of invented objects."""
    passages: int = 200
    """At most so many, always the same."""

    def checked(self) -> DriftConfig:
        """The same. Raises ModelError."""
        if self.passages < 1:
            raise ModelError(f"drift.passages must be at least 1, not {self.passages}")
        if self.texts and not Path(self.texts).is_file():
            raise ModelError("there is no such file", where=self.texts, mend="Name the held-out text as drift.texts")
        return self


@dataclass(frozen=True)
class AblationConfig:
    """An ablation."""

    training: TrainingConfig
    seeds: tuple[int, ...] = (1, 2, 3)
    """Of the training."""
    processes: int = 1
    """Of this machine, that share a training."""
    splits: tuple[str, ...] = ("test",)
    variants: Mapping[str, Variant] = field(default_factory=lambda: dict(STANDARD))
    """By name; the first is what the others are compared with."""
    beside: tuple[str, ...] = ("random", "blind", "oracle")
    """Models that stand in the same table, by what `partonomy evaluate --model` calls them. In `sam-box:NAME`, NAME may be a
    variant: SAM of each of its trainings."""
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    drift: DriftConfig | None = field(default_factory=DriftConfig)
    """Null: it isn't measured."""

    def checked(self) -> AblationConfig:
        """The same. Raises ModelError for what contradicts itself, before anything is trained."""
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or not self.splits or not self.variants:
            raise ModelError("an ablation needs seeds (each once), splits and variants")
        if self.processes < 1:
            raise ModelError(f"processes must be at least 1, not {self.processes}")
        if twice := sorted(set(self.beside) & set(self.variants)):
            raise ModelError(
                f"{twice[0]} is a variant, and is to stand beside them", mend="Give the variant another name"
            )
        if self.drift is not None:
            self.drift.checked()
        for seed in self.seeds:
            settings.check_seed("one of seeds", seed, 0)
        self.evaluation.predictions.selection()
        for name, variant in self.variants.items():
            if variant.against and variant.against not in self.variants:
                raise ModelError(
                    f"variant {name} is compared with {variant.against}, which there isn't",
                    mend=f"Variants are {', '.join(self.variants)}",
                )
            self.training_of(name, self.seeds[0])
        return self

    def training_of(self, name: str, seed: int) -> TrainingConfig:
        """The settings that a variant is trained with. Raises ModelError for a change of what there isn't."""
        plain = settings.plain(replace(self.training, seed=seed))
        for key, value in self.variants[name].changes.items():
            place: Any = plain
            *above, last = key.split(".")
            for one in above:
                place = place.get(one) if isinstance(place, dict) else None
            if not isinstance(place, dict):
                raise ModelError(f"variant {name} changes {key}, which isn't there to be changed")
            place[last] = value
        return settings.convert(plain, TrainingConfig, where=f"variant {name}").checked()

    def alike(self) -> dict[str, str]:
        """Variant → the earlier one that it is the same as: without a loss in the first place, it can't be taken away."""
        first: dict[tuple[str, str], str] = {}
        found = {}
        for name, variant in self.variants.items():
            key = (settings.digest(self.training_of(name, self.seeds[0])), variant.answering)
            if key in first:
                found[name] = first[key]
            first.setdefault(key, name)
        for name, variant in self.variants.items():
            model = self.training_of(name, self.seeds[0]).model
            nothing = {
                "feedback-off": model.feedback is None,
                "feedback-shuffled": model.feedback is None,
                "half-cut": model.cut == "half",
                "likelihood-alone": not model.grounding,
            }
            if nothing.get(variant.answering):
                found[name] = next(iter(self.variants))
        return found
