"""Samples → a batch: texts rendered, spans brought to tokens, photographs prepared, each view once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from model.data.samples import Sample
from model.plum import bio, marking, pictures
from model.plum.backbone import Picture
from model.plum.batch import Batch, Choices, Renamed, padded_tags, spans_of
from model.plum.errors import PhotographError, TextError
from model.plum.model import Plum
from model.plum.pictures import Placement
from model.plum.renaming import Renamer
from model.plum.rendering import Prompt, Rendered
from model.plum.rewording import reworded
from model.plum.span_extractor import SpanExtractorConfig


@dataclass
class Collated:
    """A batch, and the samples that could not be put into it, with the reason."""

    batch: Batch | None
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Seen:
    picture: Picture
    pixels: Tensor
    placement: Placement


class Collator:
    """Makes batches for one model. Raises nothing for a text that can't be shown whole, or a photograph that can't
    be shown at all: the sample is left out, and counted."""

    def __init__(
        self,
        plum: Plum,
        longest: int | None = None,
        embedding: Callable[[Sample, Tensor], Tensor] | None = None,
        *,
        learning: bool = False,
    ) -> None:
        """`longest`: tokens that a text may have. `embedding`: SAM's of a sample's view and pixels, where kept ones are used.

        `learning`: with what is only learned from, and not measured by. Raises ModelError for settings that the model's
        vocabulary has nothing for.
        """
        self._backbone, self._sam = plum.backbone, plum.sam_config
        self._marking = plum.config.marking
        self._longest = min(longest or plum.backbone.longest, plum.backbone.longest)
        self._embedding = embedding
        self._with_choices = plum.config.losses.choice > 0
        spans = plum.config.spans if learning and plum.extractor is not None else SpanExtractorConfig()
        self._renamed, self._reworded = spans.renamed, spans.reworded
        self._renamer = Renamer(plum.backbone.renderer.tokenizer) if self._renamed else None

    def __call__(self, samples: Sequence[Sample]) -> Collated:
        """The batch of samples, in their order; None if none can be used."""
        left_out: dict[str, str] = {}
        seen: dict[str, _Seen] = {}
        used: list[Sample] = []
        rendered: list[Rendered] = []
        prompts: list[Prompt] = []
        choices: list[list[Rendered]] = []
        spans: list[list[bio.Span]] = []
        for sample in samples:
            try:
                found = seen.get(sample.view_id) or self._see(sample)
                prompt = self._backbone.renderer.prompt(found.picture.replacement, sample.question, sample.history)
                text, tokens = self._render(sample, prompt)
                # Where there is nothing to choose, the answer is the only choice, whose loss is 0.
                others = [self._whole(prompt, one) for one in sample.choices] or [text] if self._with_choices else []
            except (PhotographError, TextError) as error:
                left_out[sample.sample_id] = error.what
                continue
            seen[sample.view_id] = found
            used.append(sample)
            prompts.append(prompt)
            rendered.append(text)
            choices.append(others)
            spans.append(tokens)
        if not used:
            return Collated(None, left_out)
        batch = self._batch(used, rendered, spans, seen)
        if self._with_choices:
            batch = replace(batch, choices=_choices(prompts, choices, used))
        if self._renamed or self._reworded:
            batch = replace(batch, renamed=self._said_otherwise(used, prompts, rendered, spans))
        return Collated(batch, left_out)

    def _said_otherwise(
        self, used: list[Sample], prompts: list[Prompt], rendered: list[Rendered], spans: list[list[bio.Span]]
    ) -> Renamed | None:
        """Drawn by a sample's id and its choices, which change from epoch to epoch where they are drawn."""
        of: list[int] = []
        texts: list[Rendered] = []
        of_texts: list[list[bio.Span]] = []
        for number, (sample, prompt, one, found) in enumerate(zip(used, prompts, rendered, spans, strict=True)):
            key = hashlib.sha256(repr(("renamed", sample.sample_id, sample.choices)).encode()).digest()
            rng = np.random.Generator(np.random.Philox(key=np.frombuffer(key[:16], np.uint64)))
            rename, reword = rng.random() < self._renamed, rng.random() < self._reworded
            if not found or not (rename or reword):
                continue
            text, own = self._in_another_sentence(prompt, one, found, rng) if reword else (one, found)
            if rename and self._renamer is not None:
                text = self._renamer.renamed(text, own, rng)
            of.append(number)
            texts.append(text)
            of_texts.append(own)
        return Renamed(tuple(texts), torch.tensor(of), padded_tags(texts, of_texts)) if texts else None

    def _in_another_sentence(
        self, prompt: Prompt, one: Rendered, spans: list[bio.Span], rng: np.random.Generator
    ) -> tuple[Rendered, list[bio.Span]]:
        """With some of the names, in their order. The answer's own sentence where the other can't be told or is too long."""
        drawn = np.sort(rng.permutation(len(spans))[: rng.integers(1, len(spans) + 1)])
        text, places = reworded([one.answer[spans[n].start : spans[n].end] for n in drawn.tolist()], rng)
        try:
            found = self._whole(prompt, text)
            return found, bio.tokens_of(text, found.offsets, places)
        except TextError:
            return one, spans

    def _see(self, sample: Sample) -> _Seen:
        # First what may be refused, before SAM's encoder is put to work.
        picture = self._backbone.picture(sample.view.image)
        pixels, placement = pictures.prepare(sample.view.image, self._sam)
        if self._embedding is not None:
            pixels = self._embedding(sample, pixels)
        return _Seen(picture, pixels, placement)

    def _render(self, sample: Sample, prompt: Prompt) -> tuple[Rendered, list[bio.Span]]:
        places, text = [(start, end) for start, end, _ in sample.spans], sample.answer
        if self._marking == "seg_token":
            text, places = marking.mark(text, places)
        rendered = self._whole(prompt, text)
        return rendered, bio.tokens_of(text, rendered.offsets, places)

    def _whole(self, prompt: Prompt, text: str) -> Rendered:
        rendered = self._backbone.renderer.answered(prompt, text)
        if len(rendered.ids) > self._longest:
            raise TextError(f"it has {len(rendered.ids)} tokens, and at most {self._longest} are taken")
        return rendered

    def _batch(
        self, used: list[Sample], rendered: list[Rendered], spans: list[list[bio.Span]], seen: dict[str, _Seen]
    ) -> Batch:
        number = {view: place for place, view in enumerate(seen)}
        size = self._sam.mask_size
        masks = [mask for sample in used for mask in sample.masks]
        of_masks = [seen[sample.view_id].placement for sample in used for _ in sample.masks]
        views = [one.placement for one in seen.values()]
        return Batch(
            ids=tuple(sample.sample_id for sample in used),
            pictures=tuple(one.picture for one in seen.values()),
            pixels=torch.stack([one.pixels for one in seen.values()]),
            picture_of=torch.tensor([number[sample.view_id] for sample in used]),
            rendered=tuple(rendered),
            spans=spans_of(spans),
            tags=padded_tags(rendered, spans),
            targets=pictures.targets_of(masks, of_masks, size).coverage,
            valid=pictures.valid_cells(views, size),
        )


def _choices(prompts: list[Prompt], choices: list[list[Rendered]], used: list[Sample]) -> Choices:
    starts = np.cumsum([0, *map(len, choices)])
    return Choices(
        prompts=tuple(prompts),
        rendered=tuple(one for texts in choices for one in texts),
        of=torch.tensor([number for number, texts in enumerate(choices) for _ in texts]),
        correct=torch.tensor([int(start) + sample.correct for start, sample in zip(starts, used, strict=False)]),
    )
