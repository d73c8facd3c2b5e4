"""Prompts of SAM's pre-training: those that its predictor gives."""

from __future__ import annotations

import torch

from model.plum import sam
from model.plum.segmenter import Segmenter
from model.tiny import job, masks, scenes


def test_points_and_boxes_are_embedded_as_sams_predictor_does_one_by_one() -> None:
    sizes = sam.SamConfig.named(job.SIZE)
    segmenter = Segmenter(sam.build(sizes))
    encoder = segmenter.sam.prompt_encoder
    shown = masks.batch_of([scenes.draw(3, number, "fresh") for number in range(3)], sizes, 1, 6, 0).shown
    found = masks.embedded(segmenter, shown)
    kinds = set()
    for one, prompt in zip(found, shown.prompts, strict=True):
        first = int(prompt[0, 2])
        kinds.add(first)
        if first == 2:
            wanted, _ = encoder(points=None, boxes=prompt[:, :2].reshape(1, 4), masks=None)
        else:
            wanted, _ = encoder(points=(prompt[None, :1, :2], torch.ones(1, 1)), boxes=None, masks=None)
        torch.testing.assert_close(one, wanted[0])
    assert kinds == {1, 2}
