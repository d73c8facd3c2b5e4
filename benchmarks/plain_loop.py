"""A training step and the scoring of choices as a plain loop, of the structure of PLUM's released code, for comparison.

One conversation after the other goes through the language model, each with the photograph's features computed for it, and
with logits at all of its places. SAM's encoder sees the photograph of each conversation; its mask decoder is called for each
span, with the earlier masks of the answer fed back. Masks are enlarged to the photograph's size before they are compared. The
teacher is a second copy of the language model with its vision tower. Each conversation is followed by its own backward pass;
gradients add up over the step. (The released training reads six conversations in a pass, and its evaluation the choices of
a question: that is faster where a processor has cores to spare, and takes more memory.)

What is counted is what `model.plum` counts (tokens of the answer, and so on), so that both give the same sums. `Shared` takes
away one waste after the other, which tells what each costs.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from model.plum import decoding, losses
from model.plum.backbone import Picture
from model.plum.batch import Batch, Spans, counts
from model.plum.model import Plum
from model.plum.pictures import Placement
from model.plum.rendering import Prompt, Rendered


@dataclass(frozen=True)
class Conversation:
    """An answer about a photograph, with its masks."""

    batch: Batch
    """It alone: N is 1."""
    masks: Tensor
    """Float32 (S, h, w): of the photograph's size, 0 and 1."""
    placement: Placement
    view: str
    """Equal for conversations about the same view of a photograph."""


@dataclass(frozen=True)
class Question:
    """A question about a photograph, with its choices."""

    view: str
    picture: Picture
    prompt: Prompt
    choices: tuple[Rendered, ...]


@dataclass(frozen=True)
class Shared:
    """What the plain loop doesn't do again."""

    features: bool = False
    """The photograph's features are computed once for all that is said about it."""
    embeddings: bool = False
    """So are SAM's embeddings."""
    cells: bool = False
    """Masks are compared in the cells of the mask decoder."""
    spans: bool = False
    """The mask decoder takes the spans of all conversations at once, as far as feedback lets it."""
    choices: bool = False
    """The choices of a question are read in one batch, each with its own copy of photograph and prompt."""


@dataclass(frozen=True)
class _Kept:
    """What was computed in this step, by view."""

    features: dict[str, Tensor] = field(default_factory=dict)
    embeddings: dict[str, Tensor] = field(default_factory=dict)


def teacher_of(plum: Plum) -> Any:
    """A second copy of the language model and its vision tower, without adapters."""
    return copy.deepcopy(plum.backbone.lmm).unload().requires_grad_(False).eval()


def backward(plum: Plum, teacher: Any, conversations: Sequence[Conversation], shared: Shared) -> dict[str, float]:
    """The forward and backward passes of a step: adds to the gradients, and returns the losses' terms, each by its count."""
    config = plum.config.losses
    divisors = counts([one.batch for one in conversations], config.span_weights)
    sums = dict.fromkeys(losses.TERMS, 0.0)
    kept = _Kept()
    waiting: list[tuple[dict[str, Tensor], Tensor, Tensor]] = []
    for one in conversations:
        found, queries = _said(plum, teacher, one, kept, shared)
        embedding = _embedding(plum, one, kept, shared)
        if shared.spans:
            waiting.append((found, queries, embedding))
            continue
        found |= _masks(plum, one, queries, embedding, shared)
        _learn(found, divisors, config, sums)
    if waiting:
        _learn(_together(plum, conversations, waiting), divisors, config, sums)
    return {name: value / divisors[name] for name, value in sums.items() if divisors[name] and config.weight(name)}


def _learn(found: dict[str, Tensor], divisors: Any, config: losses.LossConfig, sums: dict[str, float]) -> None:
    torch.autograd.backward(losses.total(found, divisors, config))
    for name, value in found.items():
        sums[name] += float(value.detach())


def _said(plum: Plum, teacher: Any, one: Conversation, kept: _Kept, shared: Shared) -> tuple[dict[str, Tensor], Tensor]:
    """The sums of the language model's losses, and queries (S, C) of the spans."""
    batch, text = one.batch, one.batch.rendered[0]
    features = _features(plum, one.view, batch.pictures[0], kept) if shared.features else None
    logits, hidden = _read(plum, plum.backbone.lmm, [text], batch.pictures[0], features)
    start, end = text.n_prompt, text.n_prompt + text.n_answer
    found = {"lm": losses.language(logits[0, start - 1 : end], torch.tensor(text.ids[start:]))}
    tokens = hidden[0, start:end]
    assert plum.extractor is not None
    tags = plum.extractor(tokens[None], torch.ones(1, len(tokens), dtype=torch.bool))[0]
    found["span"] = losses.spans(tags, batch.tags[0], plum.tag_weights)
    places = list(zip(batch.spans.first.tolist(), batch.spans.last.tolist(), strict=True))
    with torch.no_grad():
        _, frozen = _read(plum, teacher, [text], batch.pictures[0], features)
    frozen = frozen[0, start:end]
    if not places:
        return found, tokens.new_zeros(0, plum.segmenter.width)
    queries = torch.stack([plum.query.mlp(tokens[first : last + 1]).mean(0) for first, last in places])
    student = torch.stack([tokens[first : last + 1].mean(0) for first, last in places])
    aim = torch.stack([frozen[first : last + 1].mean(0) for first, last in places])
    config = plum.config.losses
    found["kl"] = losses.drift(student, aim, config.kl_sigma, config.kl_reduction).sum()
    return found, queries


def _read(
    plum: Plum, lmm: Any, texts: Sequence[Rendered], picture: Picture, features: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Float32 logits (N, T, vocabulary) and last hidden states (N, T, hidden) of texts about one photograph.

    Without `features` (tokens, hidden) the model computes them itself, for each text.
    """
    ids = torch.full((len(texts), max(len(text.ids) for text in texts)), plum.backbone.renderer.pad_id)
    mask = torch.zeros_like(ids)
    for number, text in enumerate(texts):
        ids[number, : len(text.ids)] = torch.tensor(text.ids)
        mask[number, : len(text.ids)] = 1
    if features is None:
        seen = {name: torch.cat([value] * len(texts)) for name, value in picture.inputs.items()}
        out = lmm(input_ids=ids, attention_mask=mask, **seen, output_hidden_states=True, use_cache=False)
    else:
        embedded = lmm.get_input_embeddings()(ids)
        places = (ids == plum.backbone.image_token_id)[..., None]
        embedded = embedded.masked_scatter(places, torch.cat([features] * len(texts)))
        out = lmm(inputs_embeds=embedded, attention_mask=mask, output_hidden_states=True, use_cache=False)
    return out.logits.float(), out.hidden_states[-1]


def _features(plum: Plum, view: str, picture: Picture, kept: _Kept) -> Tensor:
    if view not in kept.features:
        kept.features[view] = plum.backbone.features([picture])[0]
    return kept.features[view]


def _embedding(plum: Plum, one: Conversation, kept: _Kept, shared: Shared) -> Tensor:
    """SAM's embedding (1, C, h, w), of one photograph at a time."""
    if shared.embeddings and one.view in kept.embeddings:
        return kept.embeddings[one.view]
    with torch.no_grad():
        made: Tensor = plum.segmenter.sam.image_encoder(one.batch.pixels)
    kept.embeddings[one.view] = made
    return made


def _masks(plum: Plum, one: Conversation, queries: Tensor, embedding: Tensor, shared: Shared) -> dict[str, Tensor]:
    """The sums of the masks' losses, span by span."""
    sam = plum.segmenter.sam
    positions = sam.prompt_encoder.get_dense_pe()
    maps: list[Tensor] = []
    sums: dict[str, Tensor] = {}
    for number, query in enumerate(queries):
        sparse, dense = sam.prompt_encoder(points=None, boxes=None, masks=None)
        sparse = torch.cat([sparse, query[None, None]], 1)
        if maps:
            dense = _pooled(plum.feedback, torch.cat(maps), positions[0])
        logits, _ = sam.mask_decoder(embedding, positions, sparse, dense, multimask_output=False)
        if plum.feedback is not None:
            maps.append(plum.feedback.encode(logits[:, 0], query[None]))
        if shared.cells:
            target, valid, made = one.batch.targets[number][None], one.batch.valid, logits[:, 0]
        else:
            at = one.placement
            made = sam.postprocess_masks(logits, (at.resized_height, at.resized_width), (at.height, at.width))[:, 0]
            target, valid = one.masks[number][None], torch.ones(1, at.height, at.width, dtype=torch.bool)
        for name, value in losses.of_masks(made, target, valid, plum.config.losses).items():
            sums[name] = sums[name] + value if name in sums else value
    return sums


def _pooled(feedback: Any, maps: Tensor, positions: Tensor) -> Tensor:
    """The dense prompt (1, C, h, w) from earlier masks' maps (T, C, h, w): attention with keys and values of each map."""
    seen = (maps + positions).flatten(2).permute(2, 0, 1)
    places, _, channels = seen.shape

    def heads(states: Tensor) -> Tensor:
        return states.view(places, -1, feedback.config.heads, channels // feedback.config.heads).transpose(1, 2)

    query = heads(feedback.query_projection(feedback.query_map)[:, None])
    keys, values = heads(feedback.key_projection(seen)), heads(feedback.value_projection(seen))
    attended = functional.scaled_dot_product_attention(query, keys, values).transpose(1, 2).reshape(places, channels)
    pooled: Tensor = feedback.output_projection(attended).T.reshape(1, channels, *maps.shape[2:])
    return pooled


def _together(
    plum: Plum, conversations: Sequence[Conversation], waiting: Sequence[tuple[dict[str, Tensor], Tensor, Tensor]]
) -> dict[str, Tensor]:
    """All the sums of a step, its spans in one batch, compared in the decoder's cells."""
    sums = dict(waiting[0][0])
    for found, _, _ in waiting[1:]:
        for name, value in found.items():
            sums[name] = sums[name] + value if name in sums else value
    rows = torch.cat([torch.full_like(one.batch.spans.row, number) for number, one in enumerate(conversations)])
    first, last, step = (
        torch.cat([getattr(one.batch.spans, name) for one in conversations]) for name in ("first", "last", "step")
    )
    embeddings = torch.cat([embedding for _, _, embedding in waiting])
    queries = torch.cat([queries for _, queries, _ in waiting])
    spans = Spans(rows, first, last, step)
    if not len(spans):
        return sums
    answers = torch.arange(len(conversations))
    decoded = decoding.masks(plum.segmenter, plum.feedback, embeddings, answers, queries, spans)
    targets = torch.cat([one.batch.targets for one in conversations])
    valid = torch.cat([one.batch.valid for one in conversations])[rows]
    return sums | losses.of_masks(decoded.logits, targets, valid, plum.config.losses)


@torch.no_grad()
def log_likelihoods(plum: Plum, questions: Sequence[Question], shared: Shared) -> Tensor:
    """Float32 (M,): the log-likelihood, in nats, of the questions' choices, each read whole: photograph, prompt and choice."""
    kept = _Kept()
    told: list[Tensor] = []
    for question in questions:
        features = _features(plum, question.view, question.picture, kept) if shared.features else None
        rows = [question.choices] if shared.choices else [(choice,) for choice in question.choices]
        for texts in rows:
            logits, _ = _read(plum, plum.backbone.lmm, texts, question.picture, features)
            for text, own in zip(texts, logits, strict=True):
                likely = own[text.n_prompt - 1 : len(text.ids) - 1].log_softmax(-1)
                told.append(likely.gather(1, torch.tensor(text.ids[text.n_prompt :])[:, None]).sum())
    return torch.stack(told)
