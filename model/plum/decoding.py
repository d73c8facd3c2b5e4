"""The masks of answers, step by step: each span's mask is made with the earlier masks of its answer as a dense prompt.

All answers take their first step together, then all that have a second span, and so on: as many calls of the mask decoder
as the longest answer has spans, whatever the number of answers. Without feedback it is one call; and so it is in training where
every earlier mask is the true one, which is known before any is made.
"""

from __future__ import annotations

import torch
from torch import Tensor

from model.plum.batch import Spans
from model.plum.mask_feedback import MaskFeedback
from model.plum.segmenter import Decoded, Segmenter

#: The logit that stands for a pixel that is surely inside of a true mask.
_SURE = 10.0


def masks(
    segmenter: Segmenter,
    feedback: MaskFeedback | None,
    embeddings: Tensor,
    picture_of: Tensor,
    queries: Tensor,
    spans: Spans,
    *,
    shown: Tensor | None = None,
    instead: Tensor | None = None,
    at_once: int | None = None,
) -> Decoded:
    """Masks of S spans: logits (S, 4h, 4w) and the decoder's own estimates of their IoU (S,).

    `embeddings` (P, C, h, w) of the photographs; `picture_of` int64 (N,) of the answers; `queries` (S, C). Where `shown`,
    bool (S,), is true, later masks of the answer are shown the mask `instead` (S, 4h, 4w; 0 to 1) in the place of the
    model's own. `at_once` as in `Segmenter.decode`.
    """
    image_of = picture_of[spans.row]
    if feedback is None or not len(spans):
        return segmenter.decode(embeddings, image_of, queries[:, None], None, at_once=at_once)
    order: list[Tensor] = []
    made: list[Decoded] = []
    maps: list[Tensor] = []
    rows: list[Tensor] = []
    last = int(spans.step.max())
    for step in range(last + 1):
        now = (spans.step == step).nonzero()[:, 0]
        dense = None
        if step:
            earlier = torch.stack(
                [of_step[_places(of, spans.row[now])] for of_step, of in zip(maps, rows, strict=True)], 1
            )
            everywhere = torch.ones(earlier.shape[:2], dtype=torch.bool, device=earlier.device)
            dense = feedback.pool(earlier, everywhere, segmenter.positions(), segmenter.no_mask())
        decoded = segmenter.decode(embeddings, image_of[now], queries[now][:, None], dense, at_once=at_once)
        order.append(now)
        made.append(decoded)
        if step < last:
            logits = decoded.logits
            if shown is not None and instead is not None:
                true = (instead[now] * 2 - 1) * _SURE
                logits = torch.where(shown[now, None, None], true.to(logits.dtype), logits)
            maps.append(feedback.encode(logits, queries[now]))
            rows.append(spans.row[now])
    back = torch.cat(order).argsort()
    return Decoded(torch.cat([one.logits for one in made])[back], torch.cat([one.iou for one in made])[back])


def forced(
    segmenter: Segmenter,
    feedback: MaskFeedback,
    embeddings: Tensor,
    picture_of: Tensor,
    queries: Tensor,
    spans: Spans,
    instead: Tensor,
) -> Decoded:
    """What `masks` gives where all of `shown` is true: every span sees the true masks of those before it, `instead` (S, 4h, 4w).

    No mask waits for another, so all are decoded in one call.
    """
    maps = feedback.encode(((instead * 2 - 1) * _SURE).to(queries.dtype), queries)
    # Where the span of an answer and a step stands among all.
    place = spans.row.new_zeros(int(spans.row.max()) + 1, int(spans.step.max()) + 1)
    place[spans.row, spans.step] = torch.arange(len(spans.row), device=place.device)
    order, pieces = [], []
    for step in range(place.shape[1]):
        now = (spans.step == step).nonzero()[:, 0]
        earlier = maps[place[spans.row[now], :step]]
        everywhere = torch.ones(earlier.shape[:2], dtype=torch.bool, device=earlier.device)
        order.append(now)
        pieces.append(feedback.pool(earlier, everywhere, segmenter.positions(), segmenter.no_mask()))
    dense = torch.cat([piece.to(maps.dtype) for piece in pieces])[torch.cat(order).argsort()]
    return segmenter.decode(embeddings, picture_of[spans.row], queries[:, None], dense)


def _places(of: Tensor, wanted: Tensor) -> Tensor:
    """Where each of `wanted` stands in `of`; both ascend, and all are there."""
    return torch.searchsorted(of, wanted)
