"""Which answers of a batch are also learned from with other words in the place of names, or in other sentences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from model.data.collate import Collator
from model.data.rows import Rows
from model.data.samples import Sample, sample_of, with_choices
from model.plum import bio
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
    def made(
        samples: list[Sample], share: float, *, reworded: float = 0.0, learning: bool = True, marking: str = "tags"
    ) -> Batch:
        spans = SpanExtractorConfig(heads=4, feed_forward=32, renamed=share, reworded=reworded)
        plum = fresh(folder_of("llava"), spans=spans, marking=marking, losses=LossConfig(kl=0))
        batch = Collator(plum, learning=learning)(samples).batch
        assert batch is not None
        return batch

    return made


def test_a_photograph_that_the_family_refuses_leaves_out_its_samples_and_nothing_else(
    folder_of: Callable[[str], Path], twenty: list[Sample]
) -> None:
    thin = replace(twenty[0].view, image=Image.new("RGB", (1300, 6)))
    refused = [replace(one, view=thin, view_id="thin") for one in twenty[:2]]
    collator = Collator(fresh(folder_of("qwen")))
    found = collator([refused[0], *twenty[2:4], refused[1]])
    assert found.batch is not None
    assert found.batch.ids == tuple(one.sample_id for one in twenty[2:4])
    assert found.left_out.keys() == {one.sample_id for one in refused}
    assert all("a photograph of 6 x 1300 pixels can't be shown" in why for why in found.left_out.values())
    assert collator(refused).batch is None


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
    sample = next(one for one in twenty if one.spans and len(one.choices) > 2)
    drawn = {batch_of([with_choices(sample, 2, (1, key))], 1.0).renamed.rendered[0].ids for key in range(8)}  # type: ignore[union-attr]
    assert len(drawn) > 1


def test_nothing_is_measured_by_them(twenty: list[Sample], batch_of: Callable[..., Batch]) -> None:
    assert batch_of(twenty, 1.0, learning=False).renamed is None
    assert batch_of(twenty, 0.0).renamed is None
    assert batch_of(twenty, 1.0, marking="seg_token").renamed is None
    assert batch_of([replace(one, spans=(), masks=()) for one in twenty], 1.0).renamed is None
    assert torch.equal(batch_of(twenty, 1.0).tags, batch_of(twenty, 0.0).tags)


def test_other_sentences_have_some_of_the_names_and_tags_of_their_own(
    twenty: list[Sample], batch_of: Callable[..., Batch]
) -> None:
    batch = batch_of(twenty, 0.0, reworded=1.0)
    shares = set()
    assert batch.renamed is not None
    assert batch.renamed.of.tolist() == [number for number, sample in enumerate(twenty) if sample.spans]
    for one, number, tags in zip(batch.renamed.rendered, batch.renamed.of.tolist(), batch.renamed.tags, strict=True):
        sample = twenty[number]
        assert one.answer != sample.answer
        found = bio.spans_of(tags[: one.n_answer].tolist(), one.answer, one.offsets)
        names = iter([sample.answer[start:end].lower() for start, end, _ in sample.spans])
        assert found
        assert all(one.answer[span.start : span.end].lower() in names for span in found)  # in their order
        assert not tags[one.n_answer :].any()
        shares.add(len(found) / len(sample.spans))
    assert len(shares) > 2


def test_an_answer_that_is_drawn_for_both_has_other_words_in_another_sentence(
    twenty: list[Sample], batch_of: Callable[..., Batch]
) -> None:
    both, alone = (batch_of(twenty, share, reworded=1.0).renamed for share in (1.0, 0.0))
    assert both is not None
    assert alone is not None
    assert torch.equal(both.tags, alone.tags)
    for one, other, tags in zip(both.rendered, alone.rendered, both.tags, strict=True):
        assert one.answer == other.answer
        changed = np.flatnonzero(np.array(one.answer_ids) != np.array(other.answer_ids))
        assert set(changed.tolist()) <= set(torch.nonzero(tags).flatten().tolist())
        assert len(changed)
