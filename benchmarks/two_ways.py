"""The two ways of benchmarks/train_step.py, on the same weights and samples: made ready, compared, wastes taken away in turn."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import torch
from accelerate import Accelerator
from tokenizers import Tokenizer
from torch import Tensor

from benchmarks import plain_loop
from benchmarks.made_up_model import SIZES, Size, model
from benchmarks.plain_loop import Conversation, Question, Shared
from model.data.collate import Collated, Collator
from model.data.samples import Sample
from model.plum import losses, pictures, scoring
from model.plum.batch import counts
from model.plum.model import Plum
from model.plum.reading import Shown
from model.training import loop
from model.training.config import OptimisationConfig, TrainingConfig
from model.training.feeding import Step

_T = TypeVar("_T")

#: A step's samples, by our forward passes.
Passes = Sequence[Sequence[Sample]]

#: The wastes of a step, in the order in which they are taken away.
STEP: Final = (
    ("plain", Shared()),
    ("the photograph's features once", Shared(features=True)),
    ("SAM once for each photograph", Shared(features=True, embeddings=True)),
    ("masks compared in the decoder's cells", Shared(features=True, embeddings=True, cells=True)),
    ("spans batched", Shared(features=True, embeddings=True, cells=True, spans=True)),
)
CHOICES: Final = (
    ("plain: each choice alone", Shared()),
    ("the choices of a question in one batch", Shared(choices=True)),
    ("the photograph's features once", Shared(choices=True, features=True)),
)


@dataclass(frozen=True)
class World:
    """A model, and how it is trained."""

    plum: Plum
    size: Size

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, size: str, threads: int) -> Iterator[World]:
        """The model of a size with the tokenizer of a folder; torch is held to so many threads meanwhile."""
        known = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            yield cls(model(SIZES[size], Tokenizer.from_file(str(folder / "tokenizer.json"))), SIZES[size])
        finally:
            torch.set_num_threads(known)

    # Ready to be timed

    def step(self, way: str, steps: Sequence[Passes]) -> Callable[[int], dict[str, float]]:
        """`work(n)`: the optimiser's n-th step, its forward and backward passes first; returns the losses' terms."""
        plum = self.plum.train()
        collator = Collator(plum)
        run = self._run(len(steps))
        if way == "ours":
            ready = [Step(number, 0, [collator(one) for one in passes]) for number, passes in enumerate(steps)]
            return lambda number: loop.one_step(run, ready[number])
        teacher = plain_loop.teacher_of(plum)
        talks = [self.conversations(one) for one in steps]

        def work(number: int) -> dict[str, float]:
            told = plain_loop.backward(plum, teacher, talks[number], Shared())
            torch.nn.utils.clip_grad_norm_([one for one in plum.parameters() if one.requires_grad], 1.0)
            for optimiser in run.optimisers:
                optimiser.step()
                optimiser.zero_grad(set_to_none=True)
            return told

        return work

    def choices(self, way: str, steps: Sequence[Passes]) -> Callable[[int], Tensor]:
        """`work(n)`: the log-likelihoods of the choices of the n-th samples."""
        self.plum.eval()
        asked = [[self.questions(one) for one in passes] for passes in steps]
        if way == "ours":
            return lambda number: torch.cat([self.scored(one) for one in asked[number]])
        return lambda number: plain_loop.log_likelihoods(self.plum, _all(asked[number]), Shared())

    def _run(self, steps: int) -> loop.Run:
        optimisation = OptimisationConfig(batch=self.size.batch, at_once=self.size.at_once, warm_up=1)
        config = TrainingConfig(model=self.plum.config, optimisation=optimisation, validation=None, trackers=())
        accelerator = Accelerator(cpu=True)
        wrapped, *prepared = accelerator.prepare(self.plum, *loop.optimisers_of(self.plum, optimisation))
        nothing: Any = None
        return loop.Run(config, accelerator, self.plum, wrapped, prepared, nothing, Path(), steps, {})

    def conversations(self, passes: Passes) -> list[Conversation]:
        """A step's samples for the plain loop."""
        collator = Collator(self.plum)
        found = []
        for sample in _all(passes):
            batch = whole(collator([sample]))
            height, width = sample.view.image.height, sample.view.image.width
            masks = torch.zeros(len(sample.masks), height, width)
            for number, mask in enumerate(sample.masks):
                masks[number] = torch.from_numpy(mask != 0)
            place = pictures.place(height, width, self.plum.sam_config.image_size)
            found.append(Conversation(batch, masks, place, sample.view_id))
        return found

    def questions(self, samples: Sequence[Sample]) -> list[Question]:
        """Samples with their choices; those about one view have the same picture."""
        seen = {one.view_id: self.plum.backbone.picture(one.view.image) for one in samples}
        renderer = self.plum.backbone.renderer
        found = []
        for one in samples:
            prompt = renderer.prompt(seen[one.view_id].replacement, one.question, one.history)
            texts = tuple(renderer.answered(prompt, text) for text in one.choices)
            found.append(Question(one.view_id, seen[one.view_id], prompt, texts))
        return found

    @torch.no_grad()
    def scored(self, questions: Sequence[Question]) -> Tensor:
        """Float32 (M,): our way of scoring, with each photograph's features computed once."""
        views = {one.view: one.picture for one in questions}
        features = self.plum.backbone.features(list(views.values()))
        number = {view: place for place, view in enumerate(views)}
        texts = [text for one in questions for text in one.choices]
        of = [number for number, one in enumerate(questions) for _ in one.choices]
        shown = Shown(list(views.values()), features, [number[one.view] for one in questions])
        return scoring.log_likelihoods(self.plum.backbone, [one.prompt for one in questions], shown, texts, of)

    # Compared

    def compared(self, passes: Passes) -> dict[str, Any]:
        """Both ways on the same step, masks compared in the decoder's cells: the losses of both, and the largest differences.

        `loss`: of a term, relative; `gradient`: of a weight's gradient, by its norm (or a ten-thousandth of the whole
        gradient's, if that is more); `choices`: of a log-likelihood, in nats.
        """
        plum = self.plum.train()
        talks, teacher = self.conversations(passes), plain_loop.teacher_of(plum)
        theirs = plain_loop.backward(plum, teacher, talks, Shared(cells=True))
        expected = self._taken()
        run = self._run(1)
        kept: dict[str, Tensor] = {}
        run.config = _unclipped(run.config)
        run.optimisers[0].optimizer.register_step_pre_hook(lambda *_: kept.update(self._gradients()))
        collator = Collator(plum)
        told = loop.one_step(run, Step(0, 0, [collator(one) for one in passes]))
        least = 1e-4 * sum(float(one.square().sum()) for one in expected.values()) ** 0.5
        apart = max(
            float((kept.get(name, 0) - one).norm()) / max(float(one.norm()), least) for name, one in expected.items()
        )
        plum.eval()
        asked = [self.questions(one) for one in passes]
        scores = torch.cat([self.scored(one) for one in asked])
        scores -= plain_loop.log_likelihoods(plum, _all(asked), Shared())
        return {
            "losses": {name: (value, told[name]) for name, value in theirs.items()},
            "loss": max(abs(told[name] - value) / max(abs(value), 1e-6) for name, value in theirs.items()),
            "gradient": apart if kept.keys() == expected.keys() else float("inf"),
            "choices": float(scores.abs().max()),
        }

    def _gradients(self) -> dict[str, Tensor]:
        return {name: one.grad.clone() for name, one in self.plum.named_parameters() if one.grad is not None}

    def _taken(self) -> dict[str, Tensor]:
        found = self._gradients()
        self.plum.zero_grad(set_to_none=True)
        return found

    # With one waste less at a time

    def gains(self, passes: Passes) -> dict[str, list[tuple[str, float]]]:
        """Least seconds of the processor of each rung, measured by turns."""
        plum, teacher, collator = self.plum, plain_loop.teacher_of(self.plum), Collator(self.plum)
        talks, asked = self.conversations(passes), [self.questions(one) for one in passes]
        batches = [whole(collator(one)) for one in passes]
        divisors = counts(batches, plum.config.losses.span_weights)

        def ours() -> None:
            for batch in batches:
                torch.autograd.backward(losses.total(plum(batch), divisors, plum.config.losses))

        step: list[tuple[str, Callable[[], object]]] = [
            (label, partial(plain_loop.backward, plum, teacher, talks, shared)) for label, shared in STEP
        ]
        step.append(("ours: texts batched, answers' logits alone, no second model", ours))
        choices: list[tuple[str, Callable[[], object]]] = [
            (label, partial(plain_loop.log_likelihoods, plum, _all(asked), shared)) for label, shared in CHOICES
        ]
        choices.append(("ours: the prompt read once, questions batched", lambda: [self.scored(one) for one in asked]))
        return {
            "a step's forward and backward passes": self._timed(step, plum.train().zero_grad),
            "scoring choices": self._timed(choices, plum.eval().zero_grad),
        }

    def _timed(
        self, rungs: Sequence[tuple[str, Callable[[], object]]], between: Callable[[], object]
    ) -> list[tuple[str, float]]:
        spent: dict[str, list[float]] = {label: [] for label, _ in rungs}
        if self.size.warm_up:
            rungs[-1][1]()
            between()
        for _ in range(min(self.size.steps, 2)):
            for label, work in rungs:
                begun = time.process_time()
                work()
                spent[label].append(time.process_time() - begun)
                between()
        return [(label, min(values)) for label, values in spent.items()]


def whole(made: Collated) -> Any:
    """The batch, none of whose samples may have been left out, as the ways would then do different work."""
    if made.left_out or made.batch is None:
        raise SystemExit(f"samples don't fit the model: {json.dumps(made.left_out)}")
    return made.batch


def _all(passes: Sequence[Sequence[_T]]) -> list[_T]:
    return [one for made in passes for one in made]


def _unclipped(config: TrainingConfig) -> TrainingConfig:
    return replace(config, optimisation=replace(config.optimisation, clip=1e9))
