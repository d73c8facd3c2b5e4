"""What is shown, said and segmented of a row."""

from __future__ import annotations

import numpy as np
import pytest

from model.data.rows import Rows
from model.data.samples import sample_of
from model.plum.errors import ModelError
from partonomy_data.photographs.places import Photographs
from partonomy_data.store.reader import Store


def test_spans_spell_their_parts_and_masks_are_the_stores(store: Store, samples: Rows, shown: Photographs) -> None:
    seen = set()
    for number in range(0, len(samples), 11):
        row = samples[number]
        sample = sample_of(row, shown)
        seen.add(row["referent"])
        assert len(sample.spans) == len(sample.masks)
        assert sample.choices[sample.correct] == sample.answer
        ids = dict(
            store.sql(
                "SELECT part_category, part_ids FROM question_masks WHERE question_id = $q", {"q": row["question_id"]}
            ).fetchall()
        )
        for (start, end, part), mask in zip(sample.spans, sample.masks, strict=True):
            assert sample.answer[start:end] == part
            whole = np.maximum.reduce(list(store.masks(ids[part]).values()))
            view = sample.view
            height, width = view.image.height, view.image.width
            assert np.array_equal(mask, whole[view.top : view.top + height, view.left : view.left + width])
            if row["referent"] != "crop":
                assert mask.sum() == whole.sum()
    assert seen == {"unique", "crop", "box"}


def test_a_part_without_a_mask_is_not_passed_over(samples: Rows, shown: Photographs) -> None:
    row = next(one for one in map(samples.__getitem__, range(len(samples))) if len(one["masks"]) > 1)
    gone = {**row, "masks": row["masks"][1:]}
    with pytest.raises(
        ModelError, match=f"{row['sample_id']}: the part '{row['masks'][0]['part']}' that it names has no mask"
    ):
        sample_of(gone, shown)
    bad = [{**row["masks"][0], "counts": ["0"]}, *row["masks"][1:]]
    with pytest.raises(ModelError, match=f"{row['sample_id']}: a mask of it can't be used"):
        sample_of({**row, "masks": bad}, shown)
