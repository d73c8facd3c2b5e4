"""Our numbers against those of torchmetrics, where both define the same thing.

Left out is what they define otherwise: its `micro` average precision matches masks across names, and of tied scores it takes the
first.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.evaluation import average_precision, calibration, choices, segmentation
from model.evaluation.answers import Choice, Prediction
from model.evaluation.checking import Checked, check
from model.evaluation.overlaps import Overlap, overlap
from tests.model.evaluation import made_up
from tests.model.evaluation.made_up import PARTS, Bitmap, seeds

torchmetrics = pytest.importorskip(
    "torchmetrics", reason="torchmetrics is not installed (pip install torchmetrics==1.9.0)"
)


mean_iou = pytest.importorskip("torchmetrics.segmentation")

#: COCO's. Its own are float32, and so 0.2 lies above a recall of one in five.
RECALLS = np.linspace(0, 1, 101).tolist()


@pytest.fixture(scope="module")
def torch() -> ModuleType:
    return pytest.importorskip("torch")


def measured(seed: int, n: int) -> tuple[list[Checked], list[Overlap]]:
    checked = check(*made_up.world(seed, n))
    return checked, [overlap(one) for one in checked]


def pairs(checked: list[Checked]) -> Iterator[tuple[Bitmap, Bitmap]]:
    """Of each true part, the pixels that were predicted under its name, which may be none, and its own."""
    for one in checked:
        said = made_up.by_name(one.prediction.masks or ())
        for part, true in zip(one.parts, one.true, strict=True):
            yield said.get(part, np.zeros(one.truth.size, np.bool_)), made_up.dense(true)


@settings(max_examples=25)
@given(seeds)
def test_iou_of_each_part_and_giou_are_the_jaccard_index_and_ciou_that_of_all_pixels(
    torch: ModuleType, seed: int
) -> None:
    checked, overlaps = measured(seed, 6)
    every, one_by_one = torchmetrics.classification.BinaryJaccardIndex(), []
    for said, true in pairs(checked):
        flat = torch.from_numpy(said.ravel().astype(np.int64)), torch.from_numpy(true.ravel().astype(np.int64))
        every.update(*flat)
        one_by_one.append(float(torchmetrics.functional.classification.binary_jaccard_index(*flat)))
    assert np.concatenate([one.iou for one in overlaps]) == pytest.approx(one_by_one, abs=1e-6)
    found = segmentation.by_name(checked, overlaps)
    assert found["giou_micro"].value == pytest.approx(np.mean(one_by_one), abs=1e-6)
    assert found["ciou"].value == pytest.approx(float(every.compute()), abs=1e-6)


@settings(max_examples=15)
@given(seeds)
def test_giou_is_the_mean_iou_of_segmentation_with_one_class(torch: ModuleType, seed: int) -> None:
    checked, overlaps = measured(seed, 6)
    mean = mean_iou.MeanIoU(num_classes=1, include_background=True)
    for said, true in pairs(checked):
        mean.update(torch.from_numpy(said)[None, None], torch.from_numpy(true)[None, None])
    found = segmentation.by_name(checked, overlaps)
    assert found["giou_micro"].value == pytest.approx(float(mean.compute()), abs=1e-6)


def stacked(torch: ModuleType, lot: list[Bitmap], size: tuple[int, int]) -> Any:
    return torch.from_numpy(np.stack(lot)) if lot else torch.zeros((0, *size), dtype=torch.bool)


@settings(max_examples=15)
@given(seeds)
def test_ap50_by_part_is_the_mean_average_precision_of_masks(torch: ModuleType, seed: int) -> None:
    checked, overlaps = measured(seed, 10)
    if not any(one.prediction.masks for one in checked):
        return
    mean = torchmetrics.detection.MeanAveragePrecision(iou_type="segm", iou_thresholds=[0.5], rec_thresholds=RECALLS)
    for one in checked:
        size, given_masks = one.truth.size, one.prediction.masks or ()
        said = {
            "masks": stacked(torch, [made_up.dense(each.mask) for each in given_masks], size),
            "scores": torch.tensor([each.score for each in given_masks]),
            "labels": torch.tensor([PARTS.index(each.part) for each in given_masks], dtype=torch.int64),
        }
        true = {
            "masks": stacked(torch, [made_up.dense(each) for each in one.true], size),
            "labels": torch.tensor([PARTS.index(part) for part in one.parts], dtype=torch.int64),
        }
        mean.update([said], [true])
    assert average_precision.by_part(checked, overlaps) == pytest.approx(float(mean.compute()["map_50"]), abs=1e-6)


@settings(max_examples=25)
@given(seeds, st.integers(2, 5))
def test_accuracy_and_calibration_error_without_ties_are_those_of_multiclass_classification(
    torch: ModuleType, seed: int, k: int
) -> None:
    generator = np.random.default_rng(seed)
    same = tuple(Choice(f"A {part}.", (part,)) for part in PARTS[:k])
    truths = [
        made_up.truth(generator, n, choices=same, correct=int(generator.integers(0, k)), chance=1 / k)
        for n in range(30)
    ]
    scores = generator.normal(0, 3, (len(truths), k))
    said = [Prediction(one.question_id, scores=tuple(row)) for one, row in zip(truths, scores.tolist(), strict=True)]
    checked = check(truths, said)
    correct = torch.tensor([one.correct for one in truths])
    likely = torch.softmax(torch.from_numpy(scores), dim=1)
    accuracy = torchmetrics.functional.classification.multiclass_accuracy(
        likely, correct, num_classes=k, average="micro"
    )
    assert choices.accuracy(checked)["accuracy"].value == pytest.approx(float(accuracy), abs=1e-6)
    error = torchmetrics.functional.classification.multiclass_calibration_error(
        likely, correct, num_classes=k, n_bins=calibration.BINS, norm="l1"
    )
    ours = float(calibration.calibration_error(calibration.bins(checked).sum(axis=0)))
    assert ours == pytest.approx(float(error), abs=1e-6)
