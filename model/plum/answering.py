"""What a trained PLUM does: it answers a question with text and masks, scores choices, segments the spans of a given text.

All of it in batches, and all from the same pieces as a training step, so that a mask doesn't depend on the way it was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from model.plum import bio, decoding, grounding, marking, pictures, scoring
from model.plum.backbone import Picture
from model.plum.batch import spans_of
from model.plum.errors import ModelError
from model.plum.model import Plum
from model.plum.reading import Shown, read
from model.plum.rendering import Offsets, Prompt, Turn
from model.plum.writing import write


@dataclass(frozen=True)
class Look:
    """A photograph as the model has looked at it: once, whatever is then asked about it."""

    picture: Picture
    features: Tensor
    """(tokens, hidden): for the language model."""
    embedding: Tensor
    """Float32 (C, h, w): for the mask decoder."""
    placement: pictures.Placement


@dataclass(frozen=True)
class Asked:
    """A question about a photograph, with the turns before it."""

    look: Look
    question: str
    history: tuple[Turn, ...] = ()


@dataclass(frozen=True)
class Named:
    """A part that an answer names."""

    start: int
    end: int
    """Its phrase is text[start:end]."""
    phrase: str
    mask: NDArray[np.bool_]
    """(h, w), of the photograph's size."""
    iou: float
    """The decoder's own estimate of the mask's IoU."""


@dataclass(frozen=True)
class Answer:
    """A text and the masks of the parts that it names."""

    text: str
    named: tuple[Named, ...]
    finished: bool
    """Whether the model ended it itself, or it was cut off."""


@dataclass(frozen=True)
class Score:
    """How likely a text is as the answer: log-likelihood of its tokens and the turn's end, in nats."""

    log_likelihood: float
    tokens: int
    grounding: float = 0.0
    """What the masks of its parts add to that, as weighed by the model's settings."""

    @property
    def total(self) -> float:
        """By which a choice is made."""
        return self.log_likelihood + self.grounding

    @property
    def per_token(self) -> float:
        """The mean over tokens."""
        return self.log_likelihood / self.tokens


@dataclass(frozen=True)
class _Said:
    """An answer as the model has read it."""

    text: str
    """With its `[SEG]` tokens, where it has any."""
    offsets: Offsets
    ids: Sequence[int]
    """A: its tokens."""
    states: Tensor
    """(A, hidden): of each."""
    finished: bool = True
    spans: Sequence[bio.Span] | None = None
    """None: those that the model finds itself."""
    phrases: Sequence[tuple[int, int]] | None = None
    """For each span, the characters of its phrase in the text without `[SEG]`; None: those of the span, or a guess."""


@torch.no_grad()
def look(plum: Plum, photographs: Sequence[Image.Image], embeddings: Sequence[Tensor] | None = None) -> list[Look]:
    """Looks at upright photographs; `embeddings` (C, h, w) where SAM's are known already. Raises ModelError."""
    if not photographs:
        return []
    made = [plum.backbone.picture(photograph.convert("RGB")) for photograph in photographs]
    pixels, placements = pictures.prepare_all(photographs, plum.sam_config)
    known = torch.stack(list(embeddings)) if embeddings else plum.segmenter.encode(pixels.to(plum.backbone.device))
    valid = pictures.valid_cells(placements, plum.sam_config.mask_size).to(known.device)
    features = plum.features(made, known, valid)
    return [Look(*one) for one in zip(made, features, known, placements, strict=True)]


@torch.no_grad()
def score_choices(
    plum: Plum,
    asked: Sequence[Asked],
    choices: Sequence[Sequence[str]],
    spans: Sequence[Sequence[Sequence[tuple[int, int]]]] | None = None,
) -> list[list[Score]]:
    """The scores of each question's choices.

    `spans`: of each choice, the characters [start, end) that name parts. Without them, or where the model's settings don't ask
    for it, scores are likelihoods alone. Raises TextError for a choice or spans that can't be shown unchanged.
    """
    backbone = plum.backbone
    prompts = _prompts(plum, asked)
    of = [number for number, texts in enumerate(choices) for _ in texts]
    rendered = [backbone.renderer.answered(prompts[n], text) for n, texts in enumerate(choices) for text in texts]
    if not rendered:
        return [[] for _ in choices]
    windows = scoring.read_answers(backbone, prompts, _shown(asked), rendered, of)
    sums = scoring.likelihoods_of(backbone, windows, rendered).tolist()
    found = [0.0] * len(rendered)
    if plum.config.grounding and spans is not None:
        looks, numbers = _looks(asked)
        embeddings = torch.stack([one.embedding for one in looks])
        picture_of = torch.tensor([numbers[number] for number in of], device=windows.device)
        flat = [places for several in spans for places in several]
        found = grounding.of_choices(plum, windows, rendered, flat, embeddings, picture_of)
    scores = iter(
        [
            Score(value, one.n_answer + 1, plum.config.grounding * seen)
            for value, one, seen in zip(sums, rendered, found, strict=True)
        ]
    )
    return [[next(scores) for _ in texts] for texts in choices]


@torch.no_grad()
def segment_spans(
    plum: Plum, asked: Sequence[Asked], answers: Sequence[str], spans: Sequence[Sequence[tuple[int, int]]] | None = None
) -> list[Answer]:
    """The masks of given answers, for given spans of characters, [start, end), or for those that the model tags itself.

    The parts of an answer come in the text's order, by their ends if the model has [SEG] tokens. Raises TextError for a text
    or spans that can't be shown unchanged.
    """
    backbone, renderer = plum.backbone, plum.backbone.renderer
    if not asked:
        return []
    rendered, given, phrases = [], [], []
    for number, (prompt, text) in enumerate(zip(_prompts(plum, asked), answers, strict=True)):
        places = wanted = None if spans is None else sorted(spans[number])
        if plum.config.marking == "seg_token":
            if wanted is None:
                raise ModelError(
                    "a model with [SEG] tokens finds parts only in what it writes itself", mend="Give the spans"
                )
            wanted = sorted(wanted, key=lambda span: span[1])
            text, places = marking.mark(text, wanted)
        made = renderer.answered(prompt, text)
        rendered.append(made)
        phrases.append(wanted)
        given.append(None if places is None else bio.tokens_of(text, made.offsets, places))
    until = [one.n_prompt - 1 for one in rendered]
    found = read(backbone, [one.ids for one in rendered], _shown(asked), until=until)
    windows = scoring.windows(found.states, rendered, found.skipped)[:, 1:]
    said = [
        _Said(one.answer, one.offsets, one.answer_ids, row[: one.n_answer], spans=own, phrases=named)
        for one, row, own, named in zip(rendered, windows, given, phrases, strict=True)
    ]
    return _segmented(plum, asked, said)


@torch.no_grad()
def generate(plum: Plum, asked: Sequence[Asked], longest: int = 128) -> list[Answer]:
    """Answers in the model's own words, the most likely token each time; their parts, as tagged, with masks.

    At most `longest` tokens, and no more than the model has room for.
    """
    backbone, renderer = plum.backbone, plum.backbone.renderer
    if not asked:
        return []
    prompts = _prompts(plum, asked)
    longest = min(longest, backbone.longest - max(len(prompt.ids) for prompt in prompts))
    said = [
        _Said(*renderer.text_of(one.ids), one.ids, one.states, finished=one.finished)
        for one in write(backbone, prompts, _shown(asked), longest)
    ]
    if not any(len(one.states) for one in said):
        return [Answer("", (), one.finished) for one in said]
    return _segmented(plum, asked, said)


def _prompts(plum: Plum, asked: Sequence[Asked]) -> list[Prompt]:
    renderer = plum.backbone.renderer
    return [renderer.prompt(one.look.picture.replacement, one.question, one.history) for one in asked]


def _looks(asked: Sequence[Asked]) -> tuple[list[Look], list[int]]:
    """The photographs that are asked about, each once, and which of them each question is about."""
    looks = {id(one.look): one.look for one in asked}
    number = {key: place for place, key in enumerate(looks)}
    return list(looks.values()), [number[id(one.look)] for one in asked]


def _shown(asked: Sequence[Asked]) -> Shown:
    """The same, as the backbone takes them."""
    return Shown.by([one.look for one in asked])


def _segmented(plum: Plum, asked: Sequence[Asked], said: Sequence[_Said]) -> list[Answer]:
    """Answers with the masks of their spans."""
    padded = torch.nn.utils.rnn.pad_sequence([one.states for one in said], batch_first=True)
    tagged = _tagged(plum, said, padded)
    found = [ours if one.spans is None else one.spans for ours, one in zip(tagged, said, strict=True)]
    spans = spans_of(found).to(plum.backbone.device)
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(one.ids, dtype=torch.int64) for one in said], batch_first=True)
    queries = plum.query(padded, ids.to(padded.device), spans.row, spans.first, spans.last)
    looks, numbers = _looks(asked)
    of = torch.tensor(numbers, device=plum.backbone.device)
    embeddings = torch.stack([one.embedding for one in looks])
    decoded = decoding.masks(plum.segmenter, plum.feedback, embeddings, of, queries, spans)
    placements = [asked[row].look.placement for row in spans.row.tolist()]
    masks = pictures.masks_of(decoded.logits, placements, plum.config.cut)
    made = iter(zip(masks, decoded.iou.tolist(), strict=True))
    answers = []
    for one, mine in zip(said, found, strict=True):
        text, phrases = one.text, one.phrases
        if plum.config.marking == "seg_token":
            text, guessed = marking.unmark(one.text)
            phrases = guessed if phrases is None else phrases
        places = [(span.start, span.end) for span in mine] if phrases is None else phrases
        named = tuple(Named(start, end, text[start:end], *next(made)) for start, end in places)
        answers.append(Answer(text, named, one.finished))
    return answers


def _tagged(plum: Plum, said: Sequence[_Said], states: Tensor) -> list[list[bio.Span]]:
    """The spans of answers, from the states (N, A, hidden) of their tokens: what is tagged, or each [SEG] token."""
    if plum.extractor is None:
        return [_marked(one.text, one.offsets) for one in said]
    lengths = torch.tensor([len(one.states) for one in said], device=states.device)
    mask = torch.arange(states.shape[1], device=states.device) < lengths[:, None]
    scores = plum.extractor(states, mask).log_softmax(-1).float().cpu().numpy()
    found = []
    for own, one in zip(scores, said, strict=True):
        within = bio.within_words(one.text, one.offsets) if plum.config.spans.whole_words else None
        found.append(bio.spans_of(bio.best_tags(own[: len(one.states)], within), one.text, one.offsets))
    return found


def _marked(text: str, offsets: Offsets) -> list[bio.Span]:
    """Each `[SEG]` of a text that the model wrote: one token, or the letters, which it may also write."""
    found = []
    for hit in re.finditer(re.escape(marking.SEG), text):
        (inside,) = np.nonzero((offsets[:, 0] < hit.end()) & (offsets[:, 1] > hit.start()))
        found.append(bio.Span(int(inside[0]), int(inside[-1]), hit.start(), hit.end()))
    return found
