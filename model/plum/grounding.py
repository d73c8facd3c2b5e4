"""What a choice says, held against the photograph: a model that knows what it names also finds it.

The likelihood of a list of parts says how well it goes with the photograph as a whole; the masks of its parts, made one by one,
say whether each can be found. A mask's certainty is the mean probability of its surest cells, as log-odds: above 0 where that is
more than a decoder makes of what doesn't show, which nobody taught it to leave empty; below, where it is less. That is evidence
beside the likelihood, and needs no training of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from model.plum import bio, decoding, scoring
from model.plum.batch import spans_of
from model.plum.model import Plum
from model.plum.rendering import Rendered

#: The share of a mask's cells that are its surest: as many as a small part fills.
_SUREST: Final = 0.003
#: No mask is more certain than that.
_MOST: Final = 0.999
#: The probability of surest cells that speaks neither for a part nor against it. On two drawn worlds choices were right 64 % of
#: the time with any from 0.8 to 0.9, and 62 % with 0.5, by which the longer of two lists gains.
_EVEN: Final = 0.85


def certainty(logits: Tensor) -> Tensor:
    """Float32 (S,): the log-odds of masks by their logits (S, m, m), above those of `_EVEN`."""
    cells = logits.float().flatten(1)
    surest = cells.topk(max(1, round(_SUREST * cells.shape[1])), dim=1).values.sigmoid().mean(1)
    return surest.clamp(1 - _MOST, _MOST).logit() - math.log(_EVEN / (1 - _EVEN))


def of_choices(
    plum: Plum,
    windows: Tensor,
    rendered: Sequence[Rendered],
    spans: Sequence[Sequence[tuple[int, int]]],
    embeddings: Tensor,
    picture_of: Tensor,
) -> list[float]:
    """For each of M choices, the sum of the certainties of the masks of its parts; 0 if it names none.

    `windows` (M, 1 + A, hidden) as `scoring.read_answers` gives them; `spans` of the characters that name parts; SAM's
    `embeddings` (P, C, h, w) of the photographs, and `picture_of` int64 (M,), whose choice each is. Raises TextError for spans
    that tokens can't tell apart.
    """
    found = [bio.tokens_of(one.answer, one.offsets, places) for one, places in zip(rendered, spans, strict=True)]
    where = spans_of(found).to(windows.device)
    if not len(where):
        return [0.0] * len(rendered)
    ids = scoring.answers_of(rendered, plum.backbone.renderer.pad_id, windows.device)
    queries = plum.query(windows[:, 1:], ids, where.row, where.first, where.last)
    decoded = decoding.masks(plum.segmenter, plum.feedback, embeddings, picture_of, queries, where)
    total = torch.zeros(len(rendered), device=windows.device).index_add(0, where.row, certainty(decoded.logits))
    return [float(one) for one in total]
