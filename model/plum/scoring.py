"""How likely texts are as answers: a photograph and a prompt are read once, and each answer goes on from what is kept of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from model.plum.backbone import Backbone, Texts
from model.plum.errors import ModelError
from model.plum.reading import Read, Shown, read
from model.plum.rendering import Prompt, Rendered


def read_prompts(backbone: Backbone, prompts: Sequence[Prompt], shown: Shown) -> Read:
    """Reads N prompts, each about one of the photographs that are `shown`, with a cache to go on from.

    Raises ModelError for prompts that are too long, and while states are computed again in the backward pass.
    """
    if backbone.computes_again:
        raise ModelError("with gradient checkpointing nothing is kept to go on from", mend="Call eval() first")
    return read(backbone, [prompt.ids for prompt in prompts], shown, keep=True)


def log_likelihoods(
    backbone: Backbone, prompts: Sequence[Prompt], shown: Shown, answers: Sequence[Rendered], of: Sequence[int]
) -> Tensor:
    """Float32 (M,): the log-likelihood, in nats, of M answers, each with the token that ends it.

    Each of N `prompts` is about one of the photographs that are `shown`; `of` (M,): each answer's prompt. A photograph is read
    once, then each prompt about it, then each answer to it. Each token's probability is taken in float32, and only at the
    answers' places. Raises ModelError for a text that is too long.
    """
    return likelihoods_of(backbone, read_answers(backbone, prompts, shown, answers, of), answers)


def read_answers(
    backbone: Backbone, prompts: Sequence[Prompt], shown: Shown, answers: Sequence[Rendered], of: Sequence[int]
) -> Tensor:
    """The windows (M, 1 + A, hidden) of M answers; arguments and errors as in `log_likelihoods`."""
    backbone.check_length(max(len(one.ids) - 1 for one in answers))
    if backbone.computes_again:
        return _whole(backbone, shown, answers, of)
    return _continued(backbone, read_prompts(backbone, prompts, shown), answers, of)


def likelihoods_of(backbone: Backbone, window: Tensor, answers: Sequence[Rendered]) -> Tensor:
    """Float32 (M,): the log-likelihoods of M answers by their windows."""
    told, _ = masks_of(answers, window.device)
    targets = targets_of(answers, window.device)
    each = backbone.logits(window[told]).log_softmax(-1).gather(1, targets[:, None])[:, 0]
    return each.new_zeros(len(answers)).index_add(0, told.nonzero()[:, 0], each)


def windows(states: Tensor, rendered: Sequence[Rendered], skipped: Tensor | None = None) -> Tensor:
    """(N, 1 + A, hidden) of states (N, T, hidden): the prompt's last token, which predicts the answer's first, and the answer.

    `skipped` int64 (N,): how many of each text's first tokens the states leave out.
    """
    width = 1 + max(one.n_answer for one in rendered)
    start = torch.tensor([one.n_prompt - 1 for one in rendered], device=states.device)
    if skipped is not None:
        start = start - skipped
    places = (start[:, None] + torch.arange(width, device=states.device)).clamp(max=states.shape[1] - 1)
    return states.gather(1, places[..., None].expand(-1, -1, states.shape[-1]))


def fitted(states: Tensor, rendered: Sequence[Rendered]) -> Tensor:
    """Windows (N, 1 + A, hidden) of some of the answers of wider ones, as wide as theirs need."""
    return states[:, : 1 + max((one.n_answer for one in rendered), default=0)]


def masks_of(rendered: Sequence[Rendered], device: torch.device) -> tuple[Tensor, Tensor]:
    """In a window: bool (N, 1 + A), what predicts a token of the answer or its end; bool (N, A), the answer's tokens."""
    lengths = torch.tensor([one.n_answer for one in rendered], device=device)
    places = torch.arange(1 + int(lengths.max()), device=device)
    return places <= lengths[:, None], places[:-1] < lengths[:, None]


def answers_of(rendered: Sequence[Rendered], pad: int, device: torch.device) -> Tensor:
    """int64 (N, A): the tokens of answers, `pad` after them."""
    ids = torch.full((len(rendered), max(one.n_answer for one in rendered)), pad)
    for number, one in enumerate(rendered):
        ids[number, : one.n_answer] = torch.tensor(one.answer_ids)
    return ids.to(device)


def targets_of(rendered: Sequence[Rendered], device: torch.device) -> Tensor:
    """What the first of these places predict, in their order."""
    return torch.tensor([token for one in rendered for token in one.ids[one.n_prompt :]], device=device)


def _continued(backbone: Backbone, prefix: Read, answers: Sequence[Rendered], of: Sequence[int]) -> Tensor:
    """The windows of answers, each read after what was kept of its prompt."""
    last = prefix.last()
    rows = torch.as_tensor(of, device=last.device)
    prefix.cache.batch_select_indices(rows)
    _, mask = masks_of(answers, last.device)
    ids = answers_of(answers, backbone.renderer.pad_id, last.device)
    positions = backbone.after(prefix.texts, mask.shape[1]).index_select(-2, rows)
    further = Texts(ids, mask, positions)
    after = backbone.states(further, [], cache=prefix.cache, seen=prefix.seen[rows])
    return torch.cat([last[rows][:, None], after], 1)


def _whole(backbone: Backbone, shown: Shown, answers: Sequence[Rendered], of: Sequence[int]) -> Tensor:
    """The same, each answer read with its prompt: nothing can be kept where states are computed again."""
    photographs = [shown.of[number] for number in of]
    texts = backbone.texts([one.ids[:-1] for one in answers], [shown.pictures[number] for number in photographs])
    return windows(backbone.states(texts, [shown.features[number] for number in photographs]), answers)
