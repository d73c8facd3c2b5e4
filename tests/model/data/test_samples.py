"""What is shown, said and segmented of a row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.data.rows import Rows
from model.data.samples import sample_of, with_choices
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


def test_fewer_choices_are_the_right_one_and_others_as_they_were(samples: Rows, shown: Photographs) -> None:
    one = next(one for one in (sample_of(samples[n], shown) for n in range(len(samples))) if len(one.choices_spans) > 3)
    of = dict(zip(one.choices, one.choices_spans, strict=True))
    found = [with_choices(one, 3, (42, key)) for key in range(40)]
    for fewer in found:
        assert fewer.choices[fewer.correct] == one.answer
        assert len(set(fewer.choices)) == 3
        assert sorted(fewer.choices, key=one.choices.index) == list(fewer.choices)
        assert [of[text] for text in fewer.choices] == list(fewer.choices_spans)
    assert {text for fewer in found for text in fewer.choices} == set(one.choices)
    assert with_choices(one, 3, (42, 7)) == found[7]
    assert with_choices(one, len(one.choices), (42, 7)) is one


def test_choices_of_objects_have_no_spans_to_lose(samples: Rows, shown: Photographs) -> None:
    one = replace(sample_of(samples[0], shown), choices=("a", "b", "c"), choices_spans=(), correct=2)
    fewer = with_choices(one, 2, (1, 2))
    assert (fewer.choices[fewer.correct], fewer.choices_spans) == ("c", ())
