"""Answers with their photographs, spans and masks, as the tensors of one step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from model.plum import bio
from model.plum.backbone import Picture
from model.plum.losses import TERMS
from model.plum.rendering import Prompt, Rendered


@dataclass(frozen=True)
class Spans:
    """S spans of N answers, by answer, then by their order in it; all int64 (S,)."""

    row: Tensor
    """The answer."""
    first: Tensor
    """The first token, counted from the answer's."""
    last: Tensor
    """The last one."""
    step: Tensor
    """How many spans of the answer come before."""

    def __len__(self) -> int:
        return len(self.row)

    def to(self, device: torch.device) -> Spans:
        """The same there."""
        return Spans(*(one.to(device) for one in (self.row, self.first, self.last, self.step)))


def spans_of(answers: Sequence[Sequence[bio.Span]]) -> Spans:
    """The spans of N answers."""
    rows = [(n, span.first, span.last, step) for n, spans in enumerate(answers) for step, span in enumerate(spans)]
    return Spans(*torch.tensor(rows, dtype=torch.int64).reshape(-1, 4).unbind(1))


@dataclass(frozen=True)
class Choices:
    """The choices of N questions, M in all."""

    prompts: tuple[Prompt, ...]
    """N."""
    rendered: tuple[Rendered, ...]
    """M, by question."""
    of: Tensor
    """int64 (M,): the question of each."""
    correct: Tensor
    """int64 (N,): the place of each question's correct one among the M."""


@dataclass(frozen=True)
class Renamed:
    """K of N answers with other words in the place of names, or other sentences around them: see `renaming` and `rewording`."""

    rendered: tuple[Rendered, ...]
    """K."""
    of: Tensor
    """int64 (K,): which answer each was."""
    tags: Tensor
    """int64 (K, A'): tags of their tokens, O in the padding."""


@dataclass(frozen=True)
class Batch:
    """N answers about P photographs, with S spans."""

    ids: tuple[str, ...]
    """Whose answers: N ids of questions."""
    pictures: tuple[Picture, ...]
    """P photographs for the backbone."""
    pixels: Tensor
    """Float32 (P, 3, S, S): the photographs for SAM; or (P, C, h, w): its embeddings of them."""
    picture_of: Tensor
    """int64 (N,): the photograph of each answer."""
    rendered: tuple[Rendered, ...]
    spans: Spans
    tags: Tensor
    """int64 (N, A): tags of the answers' tokens, O in the padding."""
    targets: Tensor
    """Float32 (S, 4h, 4w): the true mask of each span, 0 to 1."""
    valid: Tensor
    """bool (P, 4h, 4w): false in the padding of the photographs."""
    choices: Choices | None = None
    """For the loss `choice`. Each answer is its question's correct choice."""
    renamed: Renamed | None = None
    """From whose tags the span extractor learns as well."""

    def __post_init__(self) -> None:
        """Raises ValueError where its pieces don't fit each other."""
        if len(self.targets) != len(self.spans):
            raise ValueError(f"{len(self.targets)} masks for {len(self.spans)} spans")
        if self.choices is not None and self.choices.correct.device.type == "cpu":
            correct = [self.choices.rendered[place].ids for place in self.choices.correct.tolist()]
            if correct != [one.ids for one in self.rendered]:
                raise ValueError("an answer is not its question's correct choice")

    @property
    def embedded(self) -> bool:
        """Whether `pixels` are SAM's embeddings."""
        return self.pixels.shape[1] != 3

    def to(self, device: torch.device) -> Batch:
        """The same there."""
        moved: dict[str, Any] = {
            name: getattr(self, name).to(device)
            for name in ("pixels", "picture_of", "spans", "tags", "targets", "valid")
        }
        if self.choices is not None:
            moved["choices"] = replace(
                self.choices, of=self.choices.of.to(device), correct=self.choices.correct.to(device)
            )
        if self.renamed is not None:
            moved["renamed"] = replace(self.renamed, of=self.renamed.of.to(device), tags=self.renamed.tags.to(device))
        return replace(self, **moved)


def counts(batches: Sequence[Batch], span_weights: Sequence[float]) -> Mapping[str, float]:
    """What each loss is divided by, over all the batches of an optimiser step (of all processes, once summed)."""
    found = dict.fromkeys(TERMS, 0.0)
    for batch in batches:
        found["lm"] += sum(one.n_answer + 1 for one in batch.rendered)
        tagged = [(batch.rendered, batch.tags)]
        if batch.renamed is not None:
            tagged.append((batch.renamed.rendered, batch.renamed.tags))
        for texts, tags in tagged:
            for one, own in zip(texts, tags.cpu().numpy(), strict=True):
                found["span"] += float(np.asarray(span_weights)[own[: one.n_answer]].sum())
        if batch.choices is not None:
            found["choice"] += int((torch.bincount(batch.choices.of) > 1).sum())
        for term in ("overlap", "bce", "kl", "patches"):
            found[term] += len(batch.spans)
    return found


def padded_tags(rendered: Sequence[Rendered], answers: Sequence[Sequence[bio.Span]]) -> Tensor:
    """int64 (N, A): the tags of answers, by their spans."""
    longest = max(one.n_answer for one in rendered)
    tags = torch.zeros(len(rendered), longest, dtype=torch.int64)
    for number, (one, spans) in enumerate(zip(rendered, answers, strict=True)):
        tags[number, : one.n_answer] = torch.from_numpy(bio.tags_of(spans, one.n_answer))
    return tags
