"""Both parts together: the masks of what captions name, prompted by the language model's states of the names.

A language model that was never asked for masks keeps in its states what the next word may be, and little of where a thing is; a
mask decoder that was never prompted by states can't read them. Fine-tuning alone would have to bring both about. So the last
stage of pre-training does, on scenes of invented objects, and goes on with what both have learned: captions, points and boxes,
descriptions, what cells show. Fine-tuning may begin with the projection from states to prompts that comes of this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from model.plum import losses, pictures
from model.plum.backbone import Backbone
from model.plum.queries import QueryProjection
from model.plum.sam import SamConfig
from model.plum.segmenter import Segmenter
from model.tiny import choosing, language, masks, pointing
from model.tiny.captions import Caption
from model.tiny.choosing import Lists
from model.tiny.masks import Beside
from model.tiny.pointing import PointingHead
from model.tiny.regions import RegionHead
from model.tiny.scenes import Drawn


class Both(nn.Module):
    """The two parts, what each had beside it as it learned alone, and the layers between them."""

    def __init__(self, backbone: Backbone, segmenter: Segmenter, sizes: SamConfig) -> None:
        super().__init__()
        self.backbone, self.segmenter, self.sizes = backbone, segmenter, sizes
        self.seen_head = RegionHead(backbone.hidden, language.SIDE)
        self.point_head = PointingHead(backbone.hidden)
        self.beside = Beside(segmenter.width)
        self.query = QueryProjection(backbone.hidden, segmenter.width)

    def take(self, of_masks: Mapping[str, Tensor], of_captions: Mapping[str, Tensor]) -> None:
        """Takes over what each part has learned alone: the states of both tasks' models."""
        for part, state, name in (
            (self.backbone, of_captions, "part"),
            (self.seen_head, of_captions, "head"),
            (self.point_head, of_captions, "point_head"),
            (self.segmenter, of_masks, "part"),
            (self.beside, of_masks, "beside"),
        ):
            own = {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}
            part.load_state_dict(own)


def loss_of(
    both: Both,
    drawn: Sequence[Drawn],
    said: Sequence[Sequence[Caption]],
    to_choose: Sequence[Lists | None],
    config: losses.LossConfig,
    seed: int,
    *,
    named: int,
) -> tuple[Tensor, dict[str, float]]:
    """The loss of scenes; beside what each part measures by itself, the mean IoU of masks of names in the decoder's cells.

    `said` has the captions of each scene, `to_choose` its lists. Of each scene one mask by description, one by a point or box,
    and at most `named` of what its captions name.
    """
    with pointing.watching(both.backbone) as watched:
        heard = language.hear(both.backbone, both.seen_head, drawn, said)
    pointed, points = pointing.loss_of(both.backbone, both.point_head, heard, watched)
    batch = masks.batch_of(drawn, both.sizes, 1, 1, seed)
    embeddings = both.segmenter.encode(batch.pixels)
    loss, measured = masks.loss_of(both.segmenter, both.beside, batch, config, embeddings)
    chosen, right = choosing.loss_of(both.backbone, heard, to_choose)
    loss = loss + heard.loss + pointed + chosen
    heard_of = {"tokens": heard.measured["tokens"], "seen": heard.measured["regions"]}
    measured = {**measured, **heard_of, **points, "chosen": right}
    rng = np.random.default_rng((seed, 1))
    wanted = [
        (number, *talk.named[int(place)])
        for number, talk in enumerate(heard.conversations)
        for place in rng.permutation(len(talk.named))[:named]
    ]
    if not wanted:
        return loss, measured
    rows, first, last = torch.tensor([one[:3] for one in wanted]).unbind(1)
    queries = both.query(heard.states, rows, first, last)
    placements = [pictures.place(one.image.height, one.image.width, both.sizes.image_size) for one in drawn]
    targets = pictures.targets_of(
        [one[3] for one in wanted], [placements[one[0]] for one in wanted], both.sizes.mask_size
    )
    asked = masks.Asked(queries, rows, targets.coverage, targets.valid)
    own, named_iou, looks = masks.of_prompts(both.segmenter, embeddings, asked, queries[:, None], config)
    return loss + own, {**measured, "named": named_iou, "looks_named": looks}
