"""What is measured as a model trains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from model.data import rows
from model.data.collate import Collator
from model.data.samples import sample_of
from model.data.selection import DataConfig
from model.plum import answering, saving
from model.plum.answering import Asked
from model.training import measuring
from partonomy_data import store as stores
from partonomy_data.photographs.places import of_store
from tests.model.training.runs import small


def test_own_spans_cost_what_they_miss_and_what_they_make_up(root: Path, backbone: Path, tmp_path: Path) -> None:
    torch.manual_seed(3)
    plum = saving.build(small(backbone).model).eval()
    with stores.open(root) as store:
        found = rows.prepare(store, DataConfig(("val",)), tmp_path)
        samples = [sample_of(found[number], of_store(root, {})) for number in range(8)]
    measured = measuring.measure(plum, samples, Collator(plum), at_once=3)
    each, missed, made_up = [], 0, 0
    for sample in samples:
        asked = Asked(answering.look(plum, [sample.view.image])[0], sample.question, sample.history)
        [answer] = answering.segment_spans(plum, [asked], [sample.answer])
        true = {
            (start, end): mask.astype(bool) for (start, end, _), mask in zip(sample.spans, sample.masks, strict=True)
        }
        tagged = {(one.start, one.end): one.mask for one in answer.named}
        missed, made_up = missed + len(true.keys() - tagged.keys()), made_up + len(tagged.keys() - true.keys())
        for place in true.keys() & tagged.keys():
            each.append((true[place] & tagged[place]).sum() / max(1, (true[place] | tagged[place]).sum()))
    assert missed
    assert made_up
    each += [0.0] * (missed + made_up)
    assert measured["giou_own"] == pytest.approx(float(np.mean(each)))
