"""AP50 against COCO's own evaluation."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from model.evaluation import average_precision as ap
from model.evaluation.answers import PartMask, Prediction, Truth
from model.evaluation.checking import check
from model.evaluation.overlaps import overlap
from partonomy_data import masks
from tests.model.evaluation import made_up
from tests.model.evaluation.made_up import PARTS, seeds


def by_coco(truths: list[Truth], predictions: list[Prediction], together: bool) -> float:
    """COCOeval's AP50. `together`: one category, an image for each question and part, so that masks keep to their names."""
    of = {one.question_id: one.masks or () for one in predictions}
    images, true, said = [], [], []
    for number, truth in enumerate(truths):
        size = {"height": truth.size[0], "width": truth.size[1]}
        for place, part in enumerate(PARTS):
            image = 1 + number * len(PARTS) + place if together else 1 + number
            common = {"image_id": image, "category_id": 1 if together else 1 + place}
            images.append({"id": image, **size})
            if part in (found := made_up.by_name(truth.masks)):
                mask = masks.to_json(masks.from_bitmap(found[part]))
                area = int(found[part].sum())
                true.append(
                    {
                        **common,
                        "id": len(true) + 1,
                        "segmentation": mask,
                        "area": area,
                        "bbox": [0, 0, 1, 1],
                        "iscrowd": 0,
                    }
                )
            for one in of.get(truth.question_id, ()):
                if one.part == part:
                    assert not isinstance(one.mask, masks.Rle)
                    mask = {"size": list(one.mask.size), "counts": one.mask.counts}
                    said.append({**common, "segmentation": mask, "score": one.score})
    coco = COCO()
    coco.dataset = {
        "info": {},
        "images": list({one["id"]: one for one in images}.values()),
        "categories": [{"id": 1 + place, "name": part} for place, part in enumerate(PARTS)],
        "annotations": true,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(said), "segm")
        evaluation.params.iouThrs = np.array([0.5])
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][0, :, :, 0, -1]
    return float(precision[:, precision[0] > -1].mean())


@settings(max_examples=30)
@given(seeds, st.booleans())
def test_it_is_cocos_by_part_and_over_all_parts_together(seed: int, together: bool) -> None:
    truths, predictions = made_up.world(seed, 12)
    if not any(one.masks for one in predictions):
        return
    wanted = by_coco(truths, predictions, together)
    checked = check(truths, predictions)
    overlaps = [overlap(one) for one in checked]
    if not together:
        assert ap.by_part(checked, overlaps) == pytest.approx(wanted, abs=1e-9)
        return
    pairs = [(ap.hits(one, found), one.scores) for one, found in zip(checked, overlaps, strict=True)]
    hit = np.array([float(each) for lot, _ in pairs for each in lot])
    scores = np.array([each for _, lot in pairs for each in lot])
    n_true = sum(len(one.parts) for one in checked)
    assert ap.average_precision(scores, hit, n_true) == pytest.approx(wanted, abs=1e-9)


@given(seeds)
def test_a_ranking_is_exact_where_scores_are_whole_thousandths(seed: int) -> None:
    generator = np.random.default_rng(seed)
    truths, predictions = made_up.world(seed, 10)
    predictions = [
        Prediction(
            one.question_id,
            masks=tuple(
                PartMask(each.part, each.mask, int(generator.integers(0, 1001)) / 1000) for each in one.masks or ()
            ),
        )
        for one in predictions
    ]
    checked = check(truths, predictions)
    ranking, hit, scores = ap.Ranking(), [], []
    for one in checked:
        right = ap.hits(one, overlap(one))
        ranking.add(one, right)
        hit += [float(each) for each in right]
        scores += one.scores
    n_true = sum(len(one.parts) for one in checked)
    assert ranking.value == pytest.approx(ap.average_precision(np.array(scores), np.array(hit), n_true))


def test_masks_that_are_equally_sure_count_all_at_once() -> None:
    scores = np.array([0.5, 0.5])
    assert ap.average_precision(scores, np.array([1.0, 0.0]), 1) == 0.5
    assert ap.average_precision(scores, np.array([0.0, 1.0]), 1) == 0.5


def test_a_second_mask_of_a_name_is_no_hit_and_the_threshold_is_half() -> None:
    true, half = np.zeros((4, 4), np.bool_), np.zeros((4, 4), np.bool_)
    true[:, :2], half[:, :1] = True, True
    less = half.copy()
    less[0] = False
    truth = made_up.truth(np.random.default_rng(0), size=(4, 4), masks=(PartMask("wing", made_up.rle(true)),))
    said = [("wing", less, 0.9), ("tail", true, 0.8), ("wing", half, 0.7), ("wing", true, 0.6)]
    masks_said = tuple(PartMask(part, made_up.rle(pixels), score) for part, pixels, score in said)
    (checked,) = check([truth], [Prediction("qst_0", masks=masks_said)])
    assert ap.hits(checked, overlap(checked)) == [False, False, True, False]


def test_where_nothing_is_true_there_is_no_precision() -> None:
    assert np.isnan(ap.average_precision(np.array([0.5]), np.array([0.0]), 0))
    assert np.isnan(ap.Ranking().value)
