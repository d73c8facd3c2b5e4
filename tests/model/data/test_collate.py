"""Which answers of a batch are also learned from with other words in the place of names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.data.collate import Collator
from model.data.rows import Rows
from model.data.samples import Sample, sample_of, with_choices
from model.plum.batch import Batch
from model.plum.losses import LossConfig
from model.plum.span_extractor import SpanExtractorConfig
from partonomy_data.photographs.places import Photographs
from tests.model.plum.tiny import fresh


@pytest.fixture(scope="module")
def twenty(samples: Rows, shown: Photographs) -> list[Sample]:
    return [sample_of(samples[number], shown) for number in range(20)]


@pytest.fixture(scope="module")
def batch_of(folder_of: Callable[[str], Path]) -> Callable[..., Batch]:
    def made(samples: list[Sample], share: float, *, learning: bool = True, marking: str = "tags") -> Batch:
        spans = SpanExtractorConfig(heads=4, feed_forward=32, renamed=share)
        plum = fresh(folder_of("llava"), spans=spans, marking=marking, losses=LossConfig(kl=0))
        batch = Collator(plum, learning=learning)(samples).batch
        assert batch is not None
        return batch

    return made


def test_those_that_name_parts_are_by_their_share(twenty: list[Sample], batch_of: Callable[..., Batch]) -> None:
    naming = [number for number, sample in enumerate(twenty) if sample.spans]
    every = batch_of(twenty, 1.0).renamed
    assert every is not None
    assert every.of.tolist() == naming
    some = batch_of(twenty, 0.5).renamed
    assert some is not None
    assert 0 < len(some.rendered) < len(naming)
    # Each is the same whatever the share, and whoever is in its batch.
    of_some = dict(zip(some.of.tolist(), (one.ids for one in some.rendered), strict=True))
    assert of_some.items() <= dict(zip(every.of.tolist(), (one.ids for one in every.rendered), strict=True)).items()
    alone = batch_of([twenty[naming[0]]], 1.0).renamed
    assert alone is not None
    assert alone.rendered[0].ids == every.rendered[0].ids


def test_other_choices_bring_other_words(twenty: list[Sample], batch_of: Callable[..., Batch]) -> None:
    sample = next(one for one in twenty if one.spans and len(one.choices) > 3)
    drawn = {batch_of([with_choices(sample, 2, (1, key))], 1.0).renamed.rendered[0].ids for key in range(8)}  # type: ignore[union-attr]
    assert len(drawn) > 1


def test_nothing_is_measured_by_them(twenty: list[Sample], batch_of: Callable[..., Batch]) -> None:
    assert batch_of(twenty, 1.0, learning=False).renamed is None
    assert batch_of(twenty, 0.0).renamed is None
    assert batch_of(twenty, 1.0, marking="seg_token").renamed is None
    assert batch_of([replace(one, spans=(), masks=()) for one in twenty], 1.0).renamed is None
    assert torch.equal(batch_of(twenty, 1.0).tags, batch_of(twenty, 0.0).tags)
